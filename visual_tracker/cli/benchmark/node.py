"""`visual-tracker benchmark node`: the ROS node with camera and client around it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from visual_tracker.cli.benchmark.shared import (
    DEFAULT_SIZES,
    check_outputs,
    machine_text,
    output_option,
    parse_size,
    plot_option,
    readme_option,
    ros_benchmark,
    show_tables,
    write_json,
)
from visual_tracker.console import plain_console
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.machine import describe_machine


@click.command("node")
@click.option(
    "--tracker", "trackers", multiple=True, default=("dasiamrpn", "kcf"), show_default=True
)
@click.option("--size", "sizes", multiple=True, default=DEFAULT_SIZES, show_default=True)
@click.option("--rate", "rates", multiple=True, type=float, default=(30, 60), show_default=True)
@click.option(
    "--transport",
    "transports",
    multiple=True,
    type=click.Choice(["raw", "compressed"]),
    default=("raw", "compressed"),
    show_default=True,
)
@click.option(
    "--targets",
    "counts",
    multiple=True,
    type=click.IntRange(1),
    default=(1, 2, 4, 8),
    show_default=True,
    help="Targets at once; more than one only at the first size, rate and transport.",
)
@click.option(
    "--threads",
    multiple=True,
    type=click.IntRange(1),
    default=(1,),
    show_default=True,
    help="Of the tracker; another number than the first only with several targets.",
)
@click.option("--seconds", type=click.FloatRange(1), default=5.0, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@output_option("node.json and node.png")
@plot_option
@readme_option("benchmark-node")
def node_command(
    trackers: tuple[str, ...],
    sizes: tuple[str, ...],
    rates: tuple[float, ...],
    transports: tuple[str, ...],
    counts: tuple[int, ...],
    threads: tuple[int, ...],
    seconds: float,
    repeats: int,
    output: Path,
    with_plot: bool,
    readme: Path | None,
) -> None:
    """Delivery, latency and load of the ROS node, with camera and client as processes.

    Every size, rate and transport with one target, and every number of targets, with every number
    of threads, at the first of them.
    """
    node, plots = ros_benchmark("node"), ros_benchmark("plots")
    check_outputs(output, with_plot, readme, "benchmark-node")
    for name in trackers:
        Candidate(name, name).check()
    streams = list(itertools.product(map(parse_size, sizes), rates, transports))
    loads = [(*stream, counts[0], threads[0]) for stream in streams]
    loads += [(*streams[0], *load) for load in itertools.product(counts[1:], threads)]
    cases = [
        node.NodeCase(name, *size, rate, transport, count, of_tracker, seconds, repeats)
        for name in trackers
        for size, rate, transport, count, of_tracker in loads
    ]
    errors = plain_console(stderr=True)
    measured = node.measure_all(cases, lambda load: _tell_load(errors, load))
    content = {
        "machine": describe_machine(),
        "settings": {"seconds": seconds, "repeats": repeats},
        "cases": node.as_json(measured),
    }
    write_json(content, output / "node.json")
    if with_plot:
        plots.plot_node(content, output / "node.png")
    caption = (
        f"{repeats} times {seconds:g} s; {machine_text(content)}. Stages: median / p99 in ms; "
        "the node's own are take, hand over and publish, elsewhere are camera, to node, to client "
        "and client; published over tracker is from the stamp to detections sent, less track."
    )
    tables = [plots.node_rows(content), plots.stage_rows(content)]
    show_tables([table for table in tables if table[1]], caption, readme, "benchmark-node")


def _tell_load(console: Console, load: Any) -> None:
    outcome = load.error or f"{load.latency_ms:.1f} ms, {load.delivered:.1%} delivered"
    place = f"{load.tracker} {load.image} {load.rate:g} Hz {load.transport} x{load.targets}"
    console.print(f"{place}, {load.threads} thread(s): {outcome}", highlight=False)
