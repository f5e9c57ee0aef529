"""`visual-tracker benchmark speed`: trackers by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from visual_tracker.benchmarks import speed
from visual_tracker.benchmarks.speed_report import plot, table_rows
from visual_tracker.cli.benchmark.shared import (
    DEFAULT_SIZES,
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


@click.command("speed")
@candidates_options
@click.option("--size", "sizes", multiple=True, default=DEFAULT_SIZES, show_default=True)
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@output_option("speed.json and speed.png")
@plot_option
@readme_option("benchmark-speed")
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
    check_outputs(readme, "benchmark-speed", with_plot)
    candidates, skipped = candidates_from_options(trackers, (), settings)
    for reason in skipped:
        errors.print(f"left out: {reason}", highlight=False)
    cases = speed.cases_of(candidates, devices or ("auto",), map(parse_size, sizes), **counts)
    measured = speed.measure_all(cases, lambda entry: _tell(errors, entry))
    content: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": counts,
        "cases": speed.as_json(measured),
    }
    write_json(content, output / "speed.json")
    if with_plot:
        plot(content, output / "speed.png")
    show_table(*table_rows(content), _caption(content), readme, "benchmark-speed")


def _tell(console: Console, entry: speed.Speed) -> None:
    outcome = entry.error or f"{entry.median_ms:.1f} ms"
    console.print(f"{entry.tracker} {entry.device} {entry.image}: {outcome}", highlight=False)


def _caption(content: dict[str, Any]) -> str:
    settings = content["settings"]
    return (
        f"{settings['repeats']} times {settings['frames']} frames, {settings['threads']} "
        f"thread(s); {machine_text(content)}."
    )
