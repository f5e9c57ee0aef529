"""What the benchmark commands share: options, image sizes, where figures go."""

from __future__ import annotations

import datetime
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from visual_tracker.benchmarks import speed
from visual_tracker.cli.options import Function, candidates_options
from visual_tracker.evaluation import tables
from visual_tracker.extras import MissingExtraError, require
from visual_tracker.outputs import check_writable
from visual_tracker.parameters import ParameterError

DEFAULT_SIZES = ("640x480", "1280x720", "1920x1080")


def output_option(files: str) -> Any:
    """--output, the folder that takes these files."""
    return click.option(
        "--output",
        type=click.Path(path_type=Path),
        default=Path("benchmark_output"),
        show_default=True,
        help=f"Folder for {files}.",
    )


plot_option = click.option(
    "--plot/--no-plot", "with_plot", default=True, help="Needs the extra 'eval'."
)


def readme_option(markers: str) -> Any:
    """--readme, a file whose markers take the table."""
    return click.option(
        "--readme",
        type=click.Path(path_type=Path),
        help=f"Write the table into this file, between its markers {markers}:begin and :end.",
    )


def turns_options(frames: int, files: str, markers: str) -> Callable[[Function], Function]:
    """Add what the benchmarks of trackers in turns share: trackers, turns, where figures go.

    Args:
        frames: the default of --frames.
        files: what --output takes, for its help.
        markers: of the table in a file that takes it.
    """

    def decorate(function: Function) -> Function:
        for option in (
            readme_option(markers),
            plot_option,
            output_option(files),
            click.option(
                "--repeats",
                type=click.IntRange(1),
                default=3,
                show_default=True,
                help="Turns of each tracker.",
            ),
            click.option("--frames", type=click.IntRange(1), default=frames, show_default=True),
        ):
            function = option(function)
        return candidates_options(function)

    return decorate


def teller(console: Console, place: Callable[[speed.Speed], str]) -> Callable[[speed.Speed], None]:
    """What says on a console what came of a case; `place` names the case."""

    def tell(entry: speed.Speed) -> None:
        outcome = entry.error or f"{entry.median_ms:.1f} ms"
        console.print(f"{place(entry)}: {outcome}", highlight=False)

    return tell


def parse_size(text: str) -> tuple[int, int]:
    """Read "640x480".

    Raises:
        ParameterError: if it is no size, or too small for the benchmark's scene.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise ParameterError(f"cannot read --size {text!r}; write WIDTHxHEIGHT, like 640x480")
    width, height = int(match[1]), int(match[2])
    speed.Scene.check(width, height)
    return width, height


def check_outputs(
    output: Path, with_plot: bool, readme: Path | None = None, markers: str = ""
) -> None:
    """Raise before anything is measured if figures, plot or table could not be written after it.

    Raises:
        SourceError: if nothing can be written into the folder, or the file cannot be read or lacks
            the markers.
        MissingExtraError: if what draws plots is not installed.
    """
    check_writable(output)
    if readme:
        tables.split_at_markers(readme, markers)
    if with_plot:
        require("matplotlib.figure")


def show_table(
    headings: list[str], rows: list[list[str]], caption: str, readme: Path | None, markers: str
) -> None:
    """Print a table, and write it with its caption between a file's markers if one is given."""
    show_tables([(headings, rows)], caption, readme, markers)


def show_tables(
    contents: list[tuple[list[str], list[list[str]]]],
    caption: str,
    readme: Path | None,
    markers: str,
) -> None:
    """Print tables of headings and rows; write them with one caption if a file is given."""
    for headings, rows in contents:
        tables.print_table(headings, rows)
    if readme:
        texts = [tables.markdown_table(headings, rows) for headings, rows in contents]
        tables.write_between_markers(readme, markers, "\n\n".join((caption, *texts)))


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write figures; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def machine_text(content: dict[str, Any]) -> str:
    """The machine, its software and the day, for a caption."""
    machine = content["machine"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, OpenCV {machine['opencv']}, "
        f"Python {machine['python']}; {datetime.date.today():%Y-%m-%d}"
    )


def ros_benchmark(module: str) -> Any:
    """A module of the node's benchmarks, which need ROS."""
    try:
        return importlib.import_module(f"visual_tracker.ros.benchmarks.{module}")
    except ImportError as error:
        raise MissingExtraError(
            f"this benchmark needs ROS 2 with the built messages: {error}"
        ) from error
