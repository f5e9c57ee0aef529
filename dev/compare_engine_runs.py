"""Compares whole runs of two engines over many starts, since one run's accuracy is partly chance.

A tracker turns a score's last digit into another box within a dozen frames, so that a single run of
each sequence differs between engines that agree to 1e-6. Here every sequence is run from several
first boxes, moved and scaled a little, and the same starts are given to both engines.

    .venv/bin/python dev/compare_engine_runs.py ../shared/data/sequences openvino:fp32 openvino:bf16
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.datasets import read_dataset
from visual_tracker.evaluation.metrics import one_pass_curves
from visual_tracker.evaluation.moved_starts import moved
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.trackers import Tracker, create_tracker

#: see `moved`
START_NOISE = 0.04


def success(tracker: Tracker, sequence: Sequence, start: Box, frames: int) -> float:
    """AUC of success of one run, as OTB counts it."""
    tracker.init(sequence.frames[0], start)
    boxes = [start.xywh]
    for index in range(1, min(frames, len(sequence))):
        boxes.append(tracker.track(sequence.frames[index]).box.xywh)
    curves = one_pass_curves(np.array(boxes), sequence.truth[: len(boxes)])
    assert curves is not None  # the first frame has a truth
    return curves.success_auc


def main() -> None:
    """Print the mean of each engine, and of their difference with its standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("engines", nargs=2, metavar="ENGINE:PRECISION")
    parser.add_argument("--tracker", default="dasiamrpn")
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--frames", type=int, default=120)
    given = parser.parse_args()
    trackers = []
    for text in given.engines:
        engine, _, precision = text.partition(":")
        settings = {"engine": engine, "precision": precision or "auto"}
        trackers.append(create_tracker(given.tracker, "cpu", **settings))
    random = np.random.default_rng(0)
    scores = []
    for start in range(given.starts):
        for sequence in read_dataset(given.dataset):
            box = moved(sequence.box(0), START_NOISE, random)
            scores.append([success(tracker, sequence, box, given.frames) for tracker in trackers])
        found = np.array(scores)
        difference = found[:, 1] - found[:, 0]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        means = ", ".join(
            f"{name} {mean:.4f}" for name, mean in zip(given.engines, found.mean(0), strict=True)
        )
        print(
            f"{start + 1} starts, {len(found)} runs each: {means}; "
            f"difference {difference.mean():+.4f} (standard error {error:.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
