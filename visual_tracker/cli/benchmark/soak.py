"""`visual-tracker benchmark soak`: the ROS node for a long time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import Progress

from visual_tracker.cli.benchmark.shared import (
    check_outputs,
    output_option,
    parse_size,
    plot_option,
    ros_benchmark,
    write_json,
)
from visual_tracker.console import plain_console
from visual_tracker.evaluation import tables
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.machine import describe_machine
from visual_tracker.trackers import DEFAULT_TRACKER


@click.command("soak")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=10.0)
@click.option("--tracker", default=DEFAULT_TRACKER, show_default=True)
@click.option("--size", default="640x480", show_default=True)
@click.option("--rate", type=float, default=30.0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@output_option("soak.json and soak.png")
@plot_option
def soak_command(
    minutes: float,
    tracker: str,
    size: str,
    rate: float,
    threads: int,
    seed: int,
    output: Path,
    with_plot: bool,
) -> None:
    """Run the node for a long time under random requests; is it the same at the end?"""
    soak, plots = ros_benchmark("soak"), ros_benchmark("plots")
    check_outputs(output, with_plot)
    Candidate(tracker, tracker).check()
    case = soak.SoakCase(tracker, *parse_size(size), rate, threads, minutes, seed)
    with Progress(console=plain_console(stderr=True)) as progress:
        task = progress.add_task("soak", total=60 * minutes)
        content = soak.run(case, lambda s: progress.update(task, completed=s.seconds))
    content = {"machine": describe_machine(), "settings": asdict(case), **content}
    write_json(content, output / "soak.json")
    if with_plot:
        plots.plot_soak(content, output / "soak.png")
    rows = [[name, f"{value:.3f}"] for name, value in content["summary"].items()]
    rows += [[f"requests: {name}", str(count)] for name, count in content["requests"].items()]
    tables.print_table(["measured", "value"], rows)
