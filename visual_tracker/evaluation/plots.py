"""The figures of a report, as PNG files (matplotlib, extra `eval`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from visual_tracker.evaluation.metrics import (
    PRECISION_PIXELS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    FloatArray,
)
from visual_tracker.evaluation.tables import ranked
from visual_tracker.extras import require

#: inches and dots an inch of every figure
SIZE, RESOLUTION = (6.4, 4.4), 130
LINE_STYLES = ("-", "--", "-.", ":")
#: colours after which the line style changes
COLORS = 10


def write_plots(content: dict[str, Any], folder: Path) -> dict[str, str]:
    """Draw every figure that the results allow.

    Args:
        content: of results.json.
        folder: for the PNG files.

    Returns:
        File name by title, in the order in which a reader wants them.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    labels = ranked(content)
    trackers = content["trackers"]
    drawn = {}
    if any("curves" in trackers[label] for label in labels):
        drawn["Success"] = _save(_success(trackers, labels), folder / "success.png")
        drawn["Precision"] = _save(_precision(trackers, labels), folder / "precision.png")
    if any(trackers[label]["mean"].get("ms_per_frame") for label in labels):
        drawn["Speed against accuracy"] = _save(_speed(content, labels), folder / "speed.png")
    for kind, curve in content.get("perturbations", {}).items():
        figure = _perturbation(kind, curve, labels)
        drawn[f"Robustness: {kind}"] = _save(figure, folder / f"perturbation-{kind}.png")
    return drawn


def _success(trackers: dict[str, Any], labels: list[str]) -> Any:
    figure, axes = _axes("IoU threshold", "share of frames above it", "Success, one pass")
    _draw_curves(axes, trackers, labels, SUCCESS_THRESHOLDS, "success", "success_auc")
    axes.legend(title="area under curve", loc="best")
    return figure


def _precision(trackers: dict[str, Any], labels: list[str]) -> Any:
    figure, axes = _axes("centre error, pixels", "share of frames within", "Precision, one pass")
    axes.axvline(PRECISION_PIXELS, color="0.6", linewidth=1)
    _draw_curves(axes, trackers, labels, PRECISION_THRESHOLDS, "precision", "precision_20")
    axes.legend(title=f"at {PRECISION_PIXELS} pixels", loc="best")
    return figure


def _draw_curves(
    axes: Any,
    trackers: dict[str, Any],
    labels: list[str],
    thresholds: FloatArray,
    curve: str,
    measure: str,
) -> None:
    """A line over the thresholds for each tracker that has the curve, labelled by the measure."""
    for index, label in enumerate(labels):
        if curves := trackers[label].get("curves"):
            value = trackers[label]["mean"][measure]
            text = f"{label} [{value:.3f}]"
            axes.plot(thresholds, curves[curve], label=text, **_style(index))
    axes.set(xlim=(0, thresholds[-1]), ylim=(0, 1))


def _speed(content: dict[str, Any], labels: list[str]) -> Any:
    supervised = content["settings"]["supervised"]
    key, name = ("eao", "EAO") if supervised else ("success_auc", "success AUC")
    title = "Speed against accuracy (up and left is better)"
    figure, axes = _axes("ms a frame: mean, with a line to p99", name, title)
    for index, label in enumerate(labels):
        mean = content["trackers"][label]["mean"]
        if mean.get("ms_per_frame") is None or mean.get(key) is None:
            continue
        color = _style(index)["color"]
        slowest = [[0], [max(0.0, mean["ms_p99"] - mean["ms_per_frame"])]]
        axes.errorbar(
            mean["ms_per_frame"], mean[key], xerr=slowest, fmt="o", color=color, elinewidth=1
        )
        axes.annotate(
            label,
            (mean["ms_per_frame"], mean[key]),
            xytext=(6, 6),
            textcoords="offset points",
            color=color,
        )
    axes.set_xscale("log")
    ticker = require("matplotlib.ticker")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.margins(x=0.15)
    axes.set_ylim(0, 1)
    return figure


def _perturbation(kind: str, curve: dict[str, Any], labels: list[str]) -> Any:
    title = f"Accuracy against perturbation: {kind}"
    figure, axes = _axes(f"{kind}: {curve['unit']}", "success AUC", title)
    places = range(len(curve["strengths"]))
    for index, label in enumerate(labels):
        values = [mean.get("success_auc", mean.get("eao")) for mean in curve["trackers"][label]]
        points = [float("nan") if value is None else value for value in values]
        axes.plot(places, points, marker="o", label=label, **_style(index))
    # evenly spaced: strengths grow by factors, and some fall
    axes.set_xticks(list(places), [f"{strength:g}" for strength in curve["strengths"]])
    axes.set_ylim(0, 1)
    axes.legend(loc="best")
    return figure


def _axes(x_label: str, y_label: str, title: str) -> tuple[Any, Any]:
    # without pyplot: no display, no global state
    figure = require("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    axes.grid(alpha=0.3)
    return figure, axes


def _style(index: int) -> dict[str, Any]:
    style = LINE_STYLES[index // COLORS % len(LINE_STYLES)]
    return {"color": f"C{index % COLORS}", "linestyle": style}


def _save(figure: Any, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=RESOLUTION)
    return path.name
