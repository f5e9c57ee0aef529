"""Random boxes: bounds, determinism, distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.boxes import Box, overlaps
from visual_tracker.online.samplers import (
    MIN_SIDE,
    Spread,
    draw_overlapping,
    gaussian_boxes,
    uniform_boxes,
    whole_image_boxes,
)

SAMPLERS = [gaussian_boxes, uniform_boxes, whole_image_boxes]
sides = st.floats(3, 300)


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(
    x=st.floats(-50, 600), y=st.floats(-50, 400), width=sides, height=sides,
    translation=st.floats(0, 3), scale=st.floats(0, 10), aspect=st.floats(0, 5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_boxes_stay_with_the_image(sampler, x, y, width, height, translation, scale, aspect, seed):
    box, size = Box(x, y, width, height), (640, 480)
    spread = Spread(translation, scale, aspect)
    boxes = sampler(np.random.default_rng(seed), box, 20, size, spread)
    assert boxes.shape == (20, 4)
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    assert (centers >= -1e-9).all()
    assert (centers <= np.array(size) + 1e-9).all()
    assert (boxes[:, 2:] >= MIN_SIDE - 1e-9).all()
    assert (boxes[:, 2:] <= size).all()
    again = sampler(np.random.default_rng(seed), box, 20, size, spread)
    np.testing.assert_array_equal(boxes, again)


def test_the_normal_spread_is_the_one_asked_for() -> None:
    box, spread = Box(400, 300, 60, 40), Spread(0.3, 1.0, 0.5)
    boxes = gaussian_boxes(np.random.default_rng(0), box, 20000, (1000, 800), spread)
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    np.testing.assert_allclose(centers.mean(axis=0), box.center, atol=0.5)
    # cut at two deviations, a unit normal's deviation is .9595 with the tails moved to the cut
    np.testing.assert_allclose(centers.std(axis=0), 0.3 * 50 * 0.9595, rtol=0.03)
    scales = np.log(boxes[:, 2] * boxes[:, 3] / box.area) / 2 / np.log(1.05)
    assert scales.std() == pytest.approx(0.9595, rel=0.03)
    aspects = np.log(boxes[:, 2] / boxes[:, 3] / 1.5) / np.log(1.05)
    assert aspects.std() == pytest.approx(0.5 * 0.9595, rel=0.03)


def test_the_even_spread_reaches_its_limits_and_no_further() -> None:
    box = Box(400, 300, 50, 50)
    spread = Spread(2.0, 5.0)
    boxes = uniform_boxes(np.random.default_rng(0), box, 5000, (2000, 2000), spread)
    offsets = boxes[:, :2] + boxes[:, 2:] / 2 - box.center
    assert 95 < np.abs(offsets).max() <= 100
    factors = boxes[:, 2] / 50
    assert 1.05**4.9 < factors.max() <= 1.05**5 + 1e-9
    np.testing.assert_allclose(boxes[:, 2], boxes[:, 3])


def test_the_whole_image_is_covered_evenly() -> None:
    boxes = whole_image_boxes(
        np.random.default_rng(0), Box(10, 10, 20, 30), 8000, (600, 400), Spread(9, 1)
    )
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    counts, _, _ = np.histogram2d(*centers.T, bins=4, range=[[0, 600], [0, 400]])
    assert counts.min() > 400
    assert counts.max() < 600


@given(low=st.floats(0, 0.8), seed=st.integers(0, 20))
def test_only_boxes_within_the_overlaps_are_kept(low: float, seed: int) -> None:
    rng, box = np.random.default_rng(seed), Box(100, 100, 40, 60)
    kept = draw_overlapping(
        lambda n: gaussian_boxes(rng, box, n, (400, 300), Spread(0.2, 2)), box, 30, low, low + 0.2
    )
    iou = overlaps(kept, np.array(box.xywh))
    assert len(kept) <= 30
    assert ((iou >= low) & (iou <= low + 0.2)).all()


def test_a_wish_that_cannot_be_granted_ends() -> None:
    rng, box = np.random.default_rng(0), Box(0, 0, 100, 100)
    draw = lambda n: gaussian_boxes(rng, box, n, (100, 100), Spread(0.0, 0.0))  # noqa: E731
    assert draw_overlapping(draw, box, 5, 0.0, 0.1).shape == (0, 4)
    assert len(draw_overlapping(draw, box, 5, 0.9, 1.0)) == 5


def test_widened_changes_the_translation_only() -> None:
    assert Spread(0.3, 1.0, 0.5, 1.1).widened(2) == Spread(0.6, 1.0, 0.5, 1.1)
