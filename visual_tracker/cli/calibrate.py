"""`visual-tracker calibrate`: fit a tracker's confidence to its network's weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from visual_tracker.extras import how_to_install
from visual_tracker.outputs import check_writable
from visual_tracker.trackers import TrackerUnavailableError

if TYPE_CHECKING:
    from visual_tracker.training.calibration_cases import Case

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data", "folders", multiple=True, required=True, type=_FOLDER,
    help="Folder of boxed videos that the network was trained on; repeat to join several.",
)  # fmt: skip
@click.option(
    "--exclude", "excluded", multiple=True, type=_FOLDER,
    help="Folder of evaluation data to leave out as training does: its videos by name, frames that "
    "show its pictures. Repeat for several. Videos named like OTB-100's are always left out.",
)  # fmt: skip
@click.option(
    "--tracker", "name", type=click.Choice(["dasiamrpn", "siamrpn", "siamfc", "cfnet", "memtrack"]),
    default="dasiamrpn", show_default=True, help="Whose confidence.",
)  # fmt: skip
@click.option("--network", default="lite", show_default=True, help="Name of the network.")
@click.option("--weights", type=_FILE, help="Weights file.  [default: the one in the package]")
@click.option(
    "--others", type=click.IntRange(min=0), show_default="all",
    help="Videos to take that were not held out from training.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--seed", default=0, show_default=True, help="Of the cases.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True,
    help="Runs through all videos, with seeds from --seed on, each with what was fitted before.",
)  # fmt: skip
@click.option(
    "--slow", type=click.IntRange(min=1), default=3, show_default=True,
    help="Frames of a live camera for each of the data: 1 for videos that keep every one.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True,
    help="Fit nothing: tell how reliable the calibration is that lies beside the weights.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the reliability of the confidence into this PNG (needs the extra 'eval').",
)  # fmt: skip
def command(
    folders: tuple[Path, ...],
    excluded: tuple[Path, ...],
    name: str,
    network: str,
    weights: Path | None,
    others: int | None,
    device: str,
    seed: int,
    rounds: int,
    slow: int,
    check: bool,
    plot: Path | None,
) -> None:
    """Fit a tracker's confidence and its thresholds to weights, and store them beside the file.

    The tracker runs freely through videos with frames without the target, half an hour of a
    processor core for dasiamrpn and the package's weights. For a network that learned from labels,
    give videos that it has not seen, or --others 0. Do it anew for every new weights file: a
    calibration of other weights is not used.

    How good it is, cases tell that it was not fitted to: --check with seeds from --rounds on.

    \b
    Examples:
      visual-tracker calibrate --data ../shared/data/training
      visual-tracker calibrate --data ../shared/data/training --tracker siamfc --others 0
      visual-tracker calibrate --data ../shared/data/training --check --seed 3 --plot check.png
      visual-tracker calibrate --data /data/got10k/val --weights runs/lite/weights.safetensors
    """
    try:
        from visual_tracker.training import calibration, calibration_cases, calibration_plot, run
        from visual_tracker.training.exclusions import Exclusions, drop_unusable_frames
        from visual_tracker.training.images import ImageStore
        from visual_tracker.training.recipe import Recipe
    except ImportError as error:
        raise TrackerUnavailableError(
            f"calibration needs {error.name} ({how_to_install('train')})"
        ) from None
    if plot:
        calibration_plot.check(plot)  # not after half an hour
    tracker, path = calibration.make_tracker(name, network, weights, device)
    if not check:
        check_writable(path.parent)
    exclusions, recipe = Exclusions.read(excluded), Recipe()
    collection = run.read_collections(folders, exclusions)
    if excluded:
        drop_unusable_frames(collection, ImageStore(is_excluded=exclusions.shows))
    cases = [
        calibration_cases.make_cases(collection, recipe, others, seed + number, slow)
        for number in range(rounds)
    ]
    with click.progressbar(length=sum(map(len, cases)), label="cases") as progress:
        watched = [_watched(round_, progress.update) for round_ in cases]
        if check:
            witnesses, fitted = calibration.check(tracker, watched)
        else:
            witnesses, fitted = calibration.calibrate_in_rounds(tracker, watched, path)
    click.echo(calibration.describe(witnesses, fitted))
    if not check:
        click.echo(f"calibration: {fitted.save(path)}")
    if plot:
        calibration_plot.draw(witnesses, fitted, plot)
        click.echo(f"reliability: {plot}")


def _watched(cases: list[Case], done: Callable[[int], None]) -> Iterator[Case]:
    """The cases, telling when one is done."""
    for case in cases:
        yield case
        done(1)
