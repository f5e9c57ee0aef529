"""The reliability of a calibrated confidence, as a picture (matplotlib, extra `eval`)."""

from __future__ import annotations

from pathlib import Path

from visual_tracker.extras import require
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers.confidence import Calibration
from visual_tracker.training.reliability import reliability_of
from visual_tracker.training.witnesses import Witness


def check(path: Path) -> None:
    """Find out, before anything is run, whether a picture could be drawn into a file.

    Raises:
        MissingExtraError: if matplotlib is not installed.
        ParameterError: if there is no folder for the file.
    """
    require("matplotlib.figure")
    if not path.parent.is_dir():
        raise ParameterError(f"there is no folder {path.parent} for --plot; make it first")


def draw(witnesses: list[Witness], fitted: Calibration, path: Path) -> None:
    """Draw said against true probability, for held-out and other videos, and save it.

    Raises:
        MissingExtraError: if matplotlib is not installed.
    """
    figure_module = require("matplotlib.figure")
    figure = figure_module.Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for title, held_out in (("held-out videos", True), ("videos of the training", False)):
        mine = [witness for witness in witnesses if witness.held_out == held_out]
        if bins := reliability_of(mine, fitted):
            said, was, _ = zip(*bins, strict=True)
            axes.plot(said, was, marker="o", label=f"{title} ({len(mine)} answers)")
    for name, threshold in (("lost", fitted.thresholds.lost), ("found", fitted.thresholds.found)):
        axes.axvline(threshold, color="0.5", linestyle=":")
        axes.text(threshold, 0.02, f" {name}", color="0.4")
    axes.set(xlabel="confidence", ylabel="share of answers that are the target", xlim=(0, 1))
    axes.set(ylim=(0, 1), title="Reliability, both kinds weighted alike")
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110)
