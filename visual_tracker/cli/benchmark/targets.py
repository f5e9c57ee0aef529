"""`visual-tracker benchmark targets`: what several targets at once cost."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from visual_tracker.benchmarks import speed
from visual_tracker.benchmarks.speed_report import plot_targets, target_rows
from visual_tracker.cli.benchmark.shared import (
    check_outputs,
    machine_text,
    output_option,
    parse_size,
    plot_option,
    readme_option,
    show_table,
    write_json,
)
from visual_tracker.cli.options import candidates_from_options, candidates_options
from visual_tracker.machine import describe_machine

MARKERS = "benchmark-targets"


@click.command("targets")
@candidates_options
@click.option(
    "--targets",
    "counts",
    multiple=True,
    type=click.IntRange(1),
    default=(1, 2, 4, 8, 16),
    show_default=True,
)
@click.option("--size", default="640x480", show_default=True)
@click.option("--frames", type=click.IntRange(1), default=50, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@output_option("targets.json and targets.png")
@plot_option
@readme_option(MARKERS)
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
    check_outputs(readme, MARKERS, with_plot)
    errors = Console(stderr=True)
    candidates, _ = candidates_from_options(trackers or ("dasiamrpn",), devices, settings)
    width, height = parse_size(size)
    cases = [
        speed.Case(candidate, width, height, frames, 1, threads, count)
        for count in counts
        for candidate in candidates
    ]
    measured = speed.measure_all(cases, lambda entry: _tell(errors, entry), rounds=repeats)
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


def _tell(console: Console, entry: speed.Speed) -> None:
    outcome = entry.error or f"{entry.median_ms:.1f} ms"
    console.print(f"{entry.tracker} x{entry.targets}: {outcome}", highlight=False)
