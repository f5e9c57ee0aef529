"""Ridge regression against its closed form, and boxes there and back."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from visual_tracker.boxes import Box, overlaps  # noqa: E402
from visual_tracker.mdnet.box_regression import (  # noqa: E402
    BoxRegressor,
    apply_deltas,
    box_deltas,
    ridge,
)

positions, sides = st.floats(-100, 100), st.floats(5, 100)
boxes = st.tuples(positions, positions, sides, sides)


@pytest.mark.parametrize("shape", [(30, 6), (5, 12)])
def test_ridge_is_the_closed_form(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=shape), rng.normal(size=(shape[0], 3))
    expected = np.linalg.inv(inputs.T @ inputs + 2.5 * np.eye(shape[1])) @ inputs.T @ outputs
    found = ridge(torch.from_numpy(inputs), torch.from_numpy(outputs), 2.5)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-10)


@given(boxes, boxes)
def test_deltas_take_a_box_to_its_target(box, target) -> None:
    rows = np.array([box])
    # a correction is limited to e times the size, so the target must lie within that
    target = (*target[:2], *np.clip(target[2:], rows[0, 2:] / 2.5, rows[0, 2:] * 2.5))
    moved = apply_deltas(rows, box_deltas(rows, Box(*target)))
    np.testing.assert_allclose(moved[0], target, atol=1e-9)


def test_deltas_by_hand() -> None:
    deltas = box_deltas(np.array([[10.0, 10, 20, 40]]), Box(20, 10, 40, 40))
    np.testing.assert_allclose(deltas, [[1.0, 0.0, np.log(2), 0.0]])


def test_a_wild_correction_is_limited() -> None:
    moved = apply_deltas(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 9, -9]]))
    np.testing.assert_allclose(moved[0, 2:], [10 * np.e, 10 / np.e])


def test_it_learns_where_the_target_is() -> None:
    rng = np.random.default_rng(1)
    target = Box(100, 80, 40, 60)
    near = np.array(target.xywh) * rng.uniform(0.85, 1.15, (400, 4))
    mixing = rng.normal(size=(4, 24))

    def features(rows: np.ndarray) -> torch.Tensor:
        # any features from which the deltas can be read
        return torch.from_numpy(np.tanh(0.5 * box_deltas(rows, target) @ mixing)).reshape(-1, 6, 4)

    regressor = BoxRegressor(features(near), near, target, penalty=0.1)
    others = np.array(target.xywh) * rng.uniform(0.85, 1.15, (50, 4))
    corrected = regressor(features(others), others)
    truth = np.array(target.xywh)
    assert overlaps(corrected, truth).min() > 0.9
    assert overlaps(corrected, truth).mean() > overlaps(others, truth).mean() + 0.1


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs boxes"):
        BoxRegressor(torch.zeros(0, 3), np.empty((0, 4)), Box(0, 0, 1, 1), 1.0)


def test_what_all_boxes_have_in_common_is_not_penalised() -> None:
    rng = np.random.default_rng(2)
    target = Box(100, 80, 40, 60)
    truth = np.array(target.xywh)
    # all too far to the right, and too large
    near = np.array([112, 82, 50, 70]) * rng.uniform(0.97, 1.03, (60, 4))
    mixing = rng.normal(size=(4, 4))

    def features(rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(3.0 + box_deltas(rows, target) @ mixing)

    exact = BoxRegressor(features(near), near, target, penalty=1e-9)
    np.testing.assert_allclose(exact(features(near), near), np.tile(truth, (60, 1)), atol=1e-3)
    common = BoxRegressor(features(near), near, target, penalty=1e12)
    mean = box_deltas(near, target).mean(axis=0)
    expected = apply_deltas(near, np.tile(mean, (60, 1)))
    np.testing.assert_allclose(common(features(near), near), expected, atol=1e-3)
