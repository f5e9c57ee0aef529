"""The speed benchmark as a table and a plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual_tracker.extras import require

#: key -> heading; a column without a single value is left out
COLUMNS = {
    "median_ms": "median ms",
    "p99_ms": "p99 ms",
    "crop_ms": "crop ms",
    "network_ms": "network ms",
    "post_ms": "post ms",
    "init_ms": "init ms",
    "first_init_ms": "first init ms",
    "start_s": "start s",
    "memory_mb": "memory MB",
    "peak_mb": "peak MB",
    "gpu_memory_mb": "GPU memory MB",
}


#: ours against what it is to beat; a pair of which one was not measured is left out
PAIRS = (
    ("dasiamrpn", "nano"),
    ("dasiamrpn", "csrt"),
    ("alexnet-vot", "release-vot"),
    ("alexnet-big", "release-big"),
)


def table_rows(content: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and one row a case.

    Args:
        content: of speed.json.
    """
    cases = content["cases"]
    keys = [key for key in COLUMNS if any(case[key] is not None for case in cases)]
    names = ["tracker", "device", "image", "threads"]
    headings = [*names, *(COLUMNS[key] for key in keys), "spread ms"]
    return headings, [_row(case, keys) for case in cases]


def ratio_rows(content: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """How many times as fast ours is, for every pair, image and number of threads measured.

    Args:
        content: of speed.json.
    """
    medians = {
        (case["tracker"], case["image"], case["threads"]): case["median_ms"]
        for case in content["cases"]
        if case["error"] is None
    }
    rows = []
    for ours, theirs in PAIRS:
        for label, image, threads in medians:
            other = medians.get((theirs, image, threads))
            if label == ours and other is not None:
                ratio = other / medians[label, image, threads]
                rows.append([ours, theirs, image, str(threads), f"{ratio:.2f}"])
    return ["tracker", "against", "image", "threads", "times as fast"], rows


def target_rows(content: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Cost against the number of targets.

    Args:
        content: of targets.json.
    """
    ones = {
        case["tracker"]: case["median_ms"]
        for case in content["cases"]
        if case["targets"] == 1 and case["error"] is None
    }
    rows = []
    for case in content["cases"]:
        median, one = case["median_ms"], ones.get(case["tracker"])
        figures = ["-", "-", "-", case["error"] or ""]
        if median is not None:
            low, high = case["spread_ms"]
            times = "-" if one is None else f"{median / one:.2f}"
            each = f"{median / case['targets']:.1f}"
            figures = [f"{median:.1f}", each, times, f"{low:.1f} .. {high:.1f}"]
        rows.append([case["tracker"], str(case["targets"]), *figures])
    return ["tracker", "targets", "median ms", "ms a target", "times one", "spread ms"], rows


def plot_targets(content: dict[str, Any], path: Path) -> None:
    """Draw the cost of a frame against the number of targets.

    Args:
        content: of targets.json.
        path: of the PNG file.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    figure = require("matplotlib.figure").Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    cases = [case for case in content["cases"] if case["error"] is None]
    for name in dict.fromkeys(case["tracker"] for case in cases):
        own = [case for case in cases if case["tracker"] == name]
        counts = [case["targets"] for case in own]
        axes.plot(counts, [case["median_ms"] for case in own], marker="o", label=name)
    axes.set(xlabel="targets", ylabel="median ms a frame", title=content["machine"]["processor"])
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def plot(content: dict[str, Any], path: Path) -> None:
    """Draw the median of every case as a bar, with a line to p99.

    Args:
        content: of speed.json.
        path: of the PNG file.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    cases = [case for case in content["cases"] if case["error"] is None]
    names = list(dict.fromkeys(_name(case) for case in cases))
    images = list(dict.fromkeys(case["image"] for case in cases))
    figure = require("matplotlib.figure").Figure(
        figsize=(7, 1.5 + 0.3 * len(names) * max(1, len(images))), layout="constrained"
    )
    axes = figure.subplots()
    height = 0.8 / max(1, len(images))
    for index, image in enumerate(images):
        group = [case for case in cases if case["image"] == image]
        places = [names.index(_name(case)) + index * height for case in group]
        medians = [case["median_ms"] for case in group]
        beyond = [max(0.0, case["p99_ms"] - case["median_ms"]) for case in group]
        error = [[0.0] * len(group), beyond]
        axes.barh(places, medians, height=height * 0.9, xerr=error, label=image)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(names))], names)
    axes.set(
        xlabel="(device, threads): median ms a frame, with a line to p99",
        title=content["machine"]["processor"],
    )
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(title="image", loc="best")
    figure.savefig(path, dpi=130)


def _name(case: dict[str, Any]) -> str:
    return f"{case['tracker']} ({case['device']}, {case['threads']})"


def _row(case: dict[str, Any], keys: list[str]) -> list[str]:
    names = [case["tracker"], case["device"], case["image"], str(case["threads"])]
    if case["error"]:
        return [*names, *["-"] * len(keys), case["error"]]
    values = ["-" if case[key] is None else f"{case[key]:.1f}" for key in keys]
    low, high = case["spread_ms"]
    return [*names, *values, f"{low:.1f} .. {high:.1f}"]
