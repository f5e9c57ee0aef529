"""`visual-tracker pack`: put training data into one small file."""

from __future__ import annotations

import logging
from pathlib import Path

import click
from rich.progress import Progress

from visual_tracker.extras import how_to_install
from visual_tracker.outputs import check_writable
from visual_tracker.trackers import TrackerUnavailableError

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data", "folders", multiple=True, required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Folder of boxed videos or stills, or another pack; repeat to join several.",
)  # fmt: skip
@click.option(
    "--exclude", "excluded", multiple=True, type=_FOLDER,
    help="Folder of evaluation data that must not be packed; see 'train'.",
)  # fmt: skip
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="The pack, NAME.safetensors.",
)  # fmt: skip
@click.option(
    "--side", default=129, show_default=True, type=click.IntRange(16),
    help="Pixels of a template crop; an object is kept in no more than it needs.",
)  # fmt: skip
@click.option(
    "--detail", default=1.25, show_default=True, type=click.FloatRange(0.25, 8),
    help="Times as many pixels, for crops that magnify.",
)  # fmt: skip
@click.option(
    "--reach", default=4.0, show_default=True, type=click.FloatRange(1),
    help="Side of the square kept around an object, in sides of its template crop.",
)  # fmt: skip
@click.option(
    "--quality", default=80, show_default=True, type=click.IntRange(10, 100), help="Of the JPEG."
)
def command(
    folders: tuple[Path, ...],
    excluded: tuple[Path, ...],
    output: Path,
    side: int,
    detail: float,
    reach: float,
    quality: int,
) -> None:
    """Put training data into one file, which `train --data` reads like a folder.

    Of every image it keeps the part that crops of its objects can show, no larger than needed.

    \b
    Examples:
      visual-tracker pack --data ../shared/data/training --exclude ../shared/data/sequences \\
          --output training.safetensors --detail 1 --quality 70
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        from visual_tracker.training.exclusions import Exclusions
        from visual_tracker.training.images import ImageStore
        from visual_tracker.training.packing import PackSettings, PackWriter
        from visual_tracker.training.run import read_collections
    except ImportError as error:
        raise TrackerUnavailableError(
            f"packing needs {error.name} ({how_to_install('train')})"
        ) from None
    exclusions = Exclusions.read(excluded)
    collection = read_collections(folders, exclusions)
    check_writable(output.parent)
    images = ImageStore(0, exclusions.shows)
    writer = PackWriter(images, PackSettings(side, detail, reach, quality))
    with Progress() as bars:
        bar = bars.add_task("packing", total=len(list(collection.paths())))
        count = writer.write(collection, output, lambda: bars.advance(bar))
    size = output.stat().st_size / 2**20
    click.echo(
        f"{output}: {count} images, {size:.1f} MiB; left out {len(images.corrupt)} corrupt "
        f"and {len(images.excluded)} of the evaluation data"
    )
