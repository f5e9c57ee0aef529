"""Penalty, window, decoding and suppression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.boxes import Box
from visual_tracker.models.geometry import ALEXNET
from visual_tracker.models.matchers import Response
from visual_tracker.trackers.score_map import (
    change_penalty,
    cosine_window,
    decode_response,
    suppress,
)


def boxes_of(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows).T


def test_no_change_is_no_penalty() -> None:
    assert change_penalty(boxes_of((5, 9, 40, 60)), 40, 60, 0.3) == pytest.approx([1])


def test_penalty_by_hand() -> None:
    # Twice as large at the same ratio: r = 1, s = 2.
    assert change_penalty(boxes_of((0, 0, 80, 120)), 40, 60, 0.3) == pytest.approx([np.exp(-0.3)])
    # 40x90 against 90x40: the same padded side, r = (90 / 40)^2.
    ratio = (90 / 40) ** 2
    result = change_penalty(boxes_of((0, 0, 40, 90)), 90, 40, 0.1)
    assert result == pytest.approx([np.exp(-(ratio - 1) * 0.1)])


@given(st.floats(1.01, 4), st.floats(0.01, 1))
def test_growing_and_shrinking_are_penalised_alike(factor: float, strength: float) -> None:
    both = boxes_of((0, 0, 40 * factor, 60 * factor), (0, 0, 40 / factor, 60 / factor))
    larger, smaller = change_penalty(both, 40, 60, strength)
    assert larger == pytest.approx(smaller)
    assert 0 <= larger < 1


def test_window_is_highest_in_the_middle_and_the_same_for_each_anchor() -> None:
    window = cosine_window(5, 7, 3).reshape(3, 5, 7)
    assert window[0, 2, 3] == 1
    assert np.array_equal(window[0], window[2])
    assert window[0, 0].max() == window[0, :, 0].max() == 0
    expected = np.sin(np.pi * 1 / 4) ** 2 * np.sin(np.pi * 2 / 6) ** 2
    assert window[1, 1, 2] == pytest.approx(expected)


def test_decoding_keeps_scores_boxes_and_cells_together() -> None:
    scores = np.zeros((5, 3, 3), dtype=np.float32)
    scores[2, 0, 1] = 0.9
    deltas = np.zeros((4, 5, 3, 3), dtype=np.float32)
    deltas[0, 2, 0, 1] = 0.25
    proposals = decode_response(Response(scores, deltas, np.zeros((1, 3, 3))), ALEXNET)
    best = int(proposals.scores.argmax())
    assert proposals.boxes[:, best].tolist() == [16, -8, 64, 64]
    assert proposals.cells[:, best].tolist() == [0, 1]
    assert proposals.shape == (3, 3)


def test_a_wild_network_does_not_overflow() -> None:
    deltas = np.full((4, 5, 3, 3), 1e4, dtype=np.float32)
    proposals = decode_response(
        Response(np.ones((5, 3, 3), dtype=np.float32), deltas, np.zeros((1, 3, 3))), ALEXNET
    )
    assert np.isfinite(proposals.boxes).all()


def slow_suppression(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(scores)), key=lambda k: -scores[k]):
        box = Box.from_center(*boxes[:, index])
        if all(box.iou(Box.from_center(*boxes[:, other])) <= overlap for other in kept):
            kept.append(index)
    return kept


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0, 0.9))
def test_suppression_is_the_slow_one(seed: int, count: int, overlap: float) -> None:
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.uniform(-50, 50, (2, count)), rng.uniform(10, 60, (2, count))])
    scores = rng.permutation(count) / count
    expected = slow_suppression(boxes, scores, overlap)
    assert suppress(boxes, scores, overlap, count) == expected
    assert suppress(boxes, scores, overlap, 2) == expected[:2]
