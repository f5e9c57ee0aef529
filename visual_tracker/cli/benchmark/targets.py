"""`visual-tracker benchmark targets`: what several targets at once cost."""

from __future__ import annotations

from pathlib import Path

import click

from visual_tracker.benchmarks import speed
from visual_tracker.benchmarks.speed_report import plot_targets, target_rows
from visual_tracker.cli.benchmark.shared import (
    check_outputs,
    machine_text,
    parse_size,
    show_table,
    teller,
    turns_options,
    write_json,
)
from visual_tracker.cli.options import candidates_from_options
from visual_tracker.console import plain_console
from visual_tracker.machine import describe_machine

MARKERS = "benchmark-targets"


@click.command("targets")
@turns_options(50, "targets.json and targets.png", MARKERS)
@click.option(
    "--targets",
    "counts",
    multiple=True,
    type=click.IntRange(1),
    default=(1, 2, 4, 8, 16),
    show_default=True,
)
@click.option("--size", default="640x480", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def targets_command(
    trackers: tuple[str, ...],
    settings: tuple[str, ...],
    devices: tuple[str, ...],
    counts: tuple[int, ...],
    size: str,
    frames: int,
    repeats: int,
    threads: int,
    output: Path,
    with_plot: bool,
    readme: Path | None,
) -> None:
    """Milliseconds a frame against the number of targets on it."""
    check_outputs(output, with_plot, readme, MARKERS)
    errors = plain_console(stderr=True)
    candidates, _ = candidates_from_options(trackers or ("dasiamrpn",), devices, settings)
    width, height = parse_size(size)
    cases = [
        speed.Case(candidate, width, height, frames, 1, threads, count)
        for count in counts
        for candidate in candidates
    ]
    measured = speed.measure_all(cases, teller(errors, _place), rounds=repeats)
    content = {
        "machine": describe_machine(),
        "settings": {"frames": frames, "repeats": repeats, "threads": threads, "size": size},
        "cases": speed.as_json(measured),
    }
    write_json(content, output / "targets.json")
    if with_plot:
        plot_targets(content, output / "targets.png")
    caption = f"{size}, {threads} thread(s), {repeats} times {frames} frames, in turns; "
    show_table(*target_rows(content), caption + f"{machine_text(content)}.", readme, MARKERS)


def _place(entry: speed.Speed) -> str:
    return f"{entry.tracker} x{entry.targets}"
