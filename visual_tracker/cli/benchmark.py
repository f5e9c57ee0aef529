"""`visual-tracker benchmark`: how fast trackers are on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from visual_tracker.benchmarks import speed
from visual_tracker.benchmarks.speed_report import plot, table_rows
from visual_tracker.cli.options import candidates_from_options, candidates_options
from visual_tracker.evaluation import tables
from visual_tracker.evaluation.extras import require
from visual_tracker.machine import describe_machine
from visual_tracker.parameters import ParameterError

DEFAULT_SIZES = ("640x480", "1280x720", "1920x1080")


@click.group()
def command() -> None:
    """Measure speed and load on this machine.

    \b
    Examples:
      visual-tracker benchmark speed
      visual-tracker benchmark speed --tracker csrt --tracker kcf --size 640x480
    """


@command.command("speed")
@candidates_options
@click.option("--size", "sizes", multiple=True, default=DEFAULT_SIZES, show_default=True)
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("benchmark_output"),
    show_default=True,
    help="Folder for speed.json and speed.png.",
)
@click.option("--plot/--no-plot", "with_plot", default=True, help="Needs the extra 'eval'.")
@click.option(
    "--readme",
    type=click.Path(path_type=Path),
    help="Write the table into this file, between its markers benchmark-speed:begin and :end.",
)
def speed_command(
    trackers: tuple[str, ...],
    settings: tuple[str, ...],
    devices: tuple[str, ...],
    sizes: tuple[str, ...],
    output: Path,
    with_plot: bool,
    readme: Path | None,
    **counts: int,
) -> None:
    """Milliseconds a frame, init time and memory of trackers, for several image sizes.

    Every tracker is measured on each --device given.
    """
    errors = Console(stderr=True)
    if readme:
        tables.split_at_markers(readme, "benchmark-speed")
    if with_plot:
        require("matplotlib.figure")
    candidates, skipped = candidates_from_options(trackers, (), settings)
    for reason in skipped:
        errors.print(f"left out: {reason}", highlight=False)
    cases = speed.cases_of(candidates, devices or ("auto",), map(_size, sizes), **counts)
    measured = speed.measure_all(cases, lambda entry: _tell(errors, entry))
    content: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": counts,
        "cases": speed.as_json(measured),
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "speed.json").write_text(json.dumps(content, indent=1) + "\n")
    if with_plot:
        plot(content, output / "speed.png")
    headings, rows = table_rows(content)
    tables.print_table(headings, rows)
    if readme:
        text = "\n\n".join((_caption(content), tables.markdown_table(headings, rows)))
        tables.write_between_markers(readme, "benchmark-speed", text)


def _tell(console: Console, entry: speed.Speed) -> None:
    outcome = entry.error or f"{entry.median_ms:.1f} ms"
    console.print(f"{entry.tracker} {entry.device} {entry.image}: {outcome}", highlight=False)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise ParameterError(f"cannot read --size {text!r}; write WIDTHxHEIGHT, like 640x480")
    width, height = int(match[1]), int(match[2])
    speed.Scene.check(width, height)
    return width, height


def _caption(content: dict[str, Any]) -> str:
    machine, settings = content["machine"], content["settings"]
    return (
        f"{settings['repeats']} times {settings['frames']} frames, {settings['threads']} "
        f"thread(s); {machine['processor']}, {machine['cores']} cores, OpenCV "
        f"{machine['opencv']}, Python {machine['python']}."
    )
