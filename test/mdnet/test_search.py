"""Candidates in two rounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.boxes import Box, BoxArray, overlaps  # noqa: E402
from visual_tracker.mdnet.learner import Scored  # noqa: E402
from visual_tracker.mdnet.search import tried_boxes  # noqa: E402
from visual_tracker.online.samplers import Spread  # noqa: E402

TARGET = np.array([170.0, 140, 40, 40])
LAST = Box(130, 120, 40, 40)


def search(near: int, far: int = 40) -> Scored:
    def score(boxes: BoxArray) -> Scored:
        return Scored(boxes, torch.zeros(len(boxes), 1), overlaps(boxes, TARGET))

    learner: Any = SimpleNamespace(score=score)
    spreads = Spread(0.8, 1.0), Spread(0.5, 1.0)
    return tried_boxes(learner, np.random.default_rng(0), LAST, (far, near), (320, 240), spreads)


def test_the_second_round_lies_around_the_best_of_the_first() -> None:
    tried = search(20)
    assert len(tried.boxes) == 60
    first = tried.boxes[tried.margins[:40].argmax()]
    apart = np.abs(tried.boxes[40:, :2] - first[:2]).max(axis=1)
    # two deviations of .4 times .5 sides, and what the size adds
    assert apart.max() <= 2 * 0.2 * 40 + 2
    assert tried.margins[40:].mean() > tried.margins[:40].mean()


def test_as_many_boxes_in_two_rounds_hit_better_than_in_one() -> None:
    assert search(40).margins.max() > search(0, 80).margins.max()


def test_the_second_round_may_be_left_out() -> None:
    assert len(search(0).boxes) == 40
