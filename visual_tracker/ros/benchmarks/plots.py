"""The node's benchmarks as tables and plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual_tracker.extras import require
from visual_tracker.ros.benchmarks.stages import BESIDE_TRACKING, ELSEWHERE, NODE, STAGES

#: headings of what was measured
PLACE = ("tracker", "image", "Hz", "transport", "targets", "threads")
#: headings of the sums of stages
SUM_HEADINGS = {
    NODE: "node's own",
    ELSEWHERE: "elsewhere",
    BESIDE_TRACKING: "published over tracker",
}
COLUMNS = {
    "published_hz": ("camera Hz", "{:.1f}"),
    "delivered": ("delivered", "{:.1%}"),
    "replaced": ("replaced", "{:.1%}"),
    "skipped": ("skipped", "{:.1%}"),
    "latency_ms": ("latency ms", "{:.1f}"),
    "latency_p99_ms": ("p99 ms", "{:.1f}"),
    "node_ms": ("over tracker ms", "{:.1f}"),
    "cpu_percent": ("CPU %", "{:.0f}"),
    "memory_mb": ("memory MB", "{:.0f}"),
}


def node_rows(content: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and one row a case of node.json."""
    headings = [*PLACE, *(heading for heading, _ in COLUMNS.values())]
    return [*headings, "spread ms"], [_row(case) for case in content["cases"]]


def stage_rows(content: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and one row a case of node.json: median / 99th percentile of every stage."""
    names = {**{name: name.replace("_", " ") for name in STAGES}, **SUM_HEADINGS}
    rows = [
        [*_place(case), *("{:.2f} / {:.1f}".format(*case["stages"][name]) for name in names)]
        for case in content["cases"]
        if case["stages"]
    ]
    return [*PLACE, *names.values()], rows


def plot_node(content: dict[str, Any], path: Path) -> None:
    """Draw the latency of every case: the bare tracker's share, the node's, and p99.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    cases = [case for case in content["cases"] if case["error"] is None]
    names = [
        f"{c['tracker']} {c['image']} {c['rate']:g} Hz {c['transport']} x{c['targets']}, "
        f"{c['threads']} thread(s)"
        for c in cases
    ]
    figure = require("matplotlib.figure").Figure(
        figsize=(8, 1.5 + 0.3 * max(1, len(cases))), layout="constrained"
    )
    axes = figure.subplots()
    latency = [case["latency_ms"] for case in cases]
    tracker = [min(case["tracker_ms"], case["latency_ms"]) for case in cases]
    beyond = [max(0.0, c["latency_p99_ms"] - c["latency_ms"]) for c in cases]
    axes.barh(names, latency, xerr=[[0.0] * len(cases), beyond], label="node and transport")
    axes.barh(names, tracker, label="bare tracker")
    axes.set(xlabel="ms from image stamp to detections: median, with a line to p99")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def plot_soak(content: dict[str, Any], path: Path) -> None:
    """Draw memory, file descriptors, latency and targets over the run.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    samples = content["samples"]
    minutes = [sample["seconds"] / 60 for sample in samples]
    figure = require("matplotlib.figure").Figure(figsize=(8, 8), layout="constrained")
    rows = {
        "memory_mb": "memory MB",
        "open_files": "file descriptors",
        "latency_ms": "latency ms",
        "targets": "targets",
    }
    all_axes = figure.subplots(len(rows), sharex=True)
    for axes, (key, label) in zip(all_axes, rows.items(), strict=True):
        axes.plot(minutes, [sample[key] for sample in samples])
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    axes.set_xlabel("minutes")
    figure.savefig(path, dpi=130)


def _place(case: dict[str, Any]) -> list[str]:
    names = [case["tracker"], case["image"], f"{case['rate']:g}", case["transport"]]
    return [*names, str(case["targets"]), str(case["threads"])]


def _row(case: dict[str, Any]) -> list[str]:
    names = _place(case)
    if case["error"]:
        return [*names, *["-"] * len(COLUMNS), case["error"]]
    values = [pattern.format(case[key]) for key, (_, pattern) in COLUMNS.items()]
    low, high = case["latency_spread_ms"]
    return [*names, *values, f"{low:.1f} .. {high:.1f}"]
