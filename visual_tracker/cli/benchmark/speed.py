"""`visual-tracker benchmark speed`: trackers by themselves."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from visual_tracker.benchmarks import speed
from visual_tracker.benchmarks.random_weights import random_candidate
from visual_tracker.benchmarks.release import NETWORKS, ReleaseCandidate
from visual_tracker.benchmarks.speed_report import plot, ratio_rows, table_rows
from visual_tracker.cli.benchmark.shared import (
    DEFAULT_SIZES,
    check_outputs,
    machine_text,
    parse_size,
    show_tables,
    teller,
    turns_options,
    write_json,
)
from visual_tracker.cli.options import candidates_from_options
from visual_tracker.console import plain_console
from visual_tracker.machine import describe_machine

#: of the table in a file that takes it
MARKERS = "benchmark-speed"


@click.command("speed")
@turns_options(100, "speed.json and speed.png", MARKERS)
@click.option("--size", "sizes", multiple=True, default=DEFAULT_SIZES, show_default=True)
@click.option("--threads", multiple=True, type=click.IntRange(1), default=(1,), show_default=True)
@click.option(
    "--random",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Also dasiamrpn on this network with random weights, which do for speed: alexnet-vot.",
)
@click.option(
    "--release",
    type=click.Path(path_type=Path),
    help="Also the DaSiamRPN authors' release from this folder, with random weights.",
)
def speed_command(
    trackers: tuple[str, ...],
    settings: tuple[str, ...],
    devices: tuple[str, ...],
    sizes: tuple[str, ...],
    frames: int,
    repeats: int,
    threads: tuple[int, ...],
    networks: tuple[str, ...],
    release: Path | None,
    output: Path,
    with_plot: bool,
    readme: Path | None,
) -> None:
    """Milliseconds a frame, init time and memory of trackers, for several image sizes.

    Every tracker is measured on each --device and with each number of --threads given. They take
    turns, so that the ratios hold on a machine that does other things, too.
    """
    errors = plain_console(stderr=True)
    check_outputs(output, with_plot, readme, MARKERS)
    candidates, skipped = candidates_from_options(trackers, (), settings)
    for reason in skipped:
        errors.print(f"left out: {reason}", highlight=False)
    grid = (devices or ("auto",), list(map(parse_size, sizes)), threads)
    with tempfile.TemporaryDirectory() as folder:
        others: list[Any] = [random_candidate(name, Path(folder)) for name in networks]
        others += _release_candidates(release)
        cases = speed.cases_of((*candidates, *others), *grid, frames=frames, repeats=1)
        measured = speed.measure_all(cases, teller(errors, _place), rounds=repeats)
    content: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": {"frames": frames, "repeats": repeats},
        "cases": speed.as_json(measured),
    }
    write_json(content, output / "speed.json")
    if with_plot:
        plot(content, output / "speed.png")
    tables = [table_rows(content), ratio_rows(content)]
    show_tables([table for table in tables if table[1]], _caption(content), readme, MARKERS)


def _release_candidates(folder: Path | None) -> list[ReleaseCandidate]:
    if folder is None:
        return []
    return [
        ReleaseCandidate(name.replace("alexnet", "release"), folder.resolve(), name)
        for name in NETWORKS
    ]


def _place(entry: speed.Speed) -> str:
    return f"{entry.tracker} {entry.device} {entry.image} threads {entry.threads}"


def _caption(content: dict[str, Any]) -> str:
    settings = content["settings"]
    turns = f"{settings['repeats']} times {settings['frames']} frames, in turns"
    return f"{turns}; {machine_text(content)}."
