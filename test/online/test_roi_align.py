"""RoIAlign against a slow loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from visual_tracker.online.roi_align import bin_weights, roi_align  # noqa: E402


def bilinear(plane: np.ndarray, x: float, y: float) -> float:
    height, width = plane.shape
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = math.floor(x), math.floor(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    fx, fy = x - left, y - top
    upper = plane[top, left] * (1 - fx) + plane[top, right] * fx
    lower = plane[bottom, left] * (1 - fx) + plane[bottom, right] * fx
    return float(upper * (1 - fy) + lower * fy)


def slow(features: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    channels, height, width = features.shape
    result = np.zeros((len(boxes), channels, size, size))
    for n, (x, y, w, h) in enumerate(boxes):
        across = min(max(math.ceil(w / size), 1), width)
        down = min(max(math.ceil(h / size), 1), height)
        for c in range(channels):
            for i in range(size):
                for j in range(size):
                    points = [
                        bilinear(
                            features[c],
                            x + (j + (s + 0.5) / across) * w / size,
                            y + (i + (t + 0.5) / down) * h / size,
                        )
                        for s in range(across)
                        for t in range(down)
                    ]
                    result[n, c, i, j] = np.mean(points)
    return result


boxes_in_cells = st.tuples(
    st.floats(-5, 12), st.floats(-5, 12), st.floats(0.3, 14), st.floats(0.3, 14)
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(boxes_in_cells, min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 99),
    st.sampled_from([(7, 9), (9, 9)]),
)
def test_it_is_the_mean_of_bilinear_samples(rows, size, seed, shape) -> None:
    features = np.random.default_rng(seed).normal(size=(2, *shape))
    boxes = np.array(rows)
    fast = roi_align(torch.from_numpy(features), torch.from_numpy(boxes), size)
    np.testing.assert_allclose(fast.numpy(), slow(features, boxes, size), atol=1e-9)


def test_a_ramp_is_read_at_the_middles_of_the_bins() -> None:
    columns = torch.arange(20.0).expand(1, 20, 20)
    bins = roi_align(columns, torch.tensor([[2.0, 3.0, 9.0, 6.0]]), 3)
    np.testing.assert_allclose(bins[0, 0].numpy(), [[3.5, 6.5, 9.5]] * 3, rtol=1e-6)


def test_the_weights_of_a_bin_sum_to_one() -> None:
    weights = bin_weights(torch.tensor([-3.0, 2.2]), torch.tensor([4.0, 30.0]), 5, 11)
    np.testing.assert_allclose(weights.sum(dim=2).numpy(), 1.0, rtol=1e-5)


def test_gradients_reach_the_map() -> None:
    features = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.7, 1.1, 3.0, 2.5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: roi_align(f, boxes, 2), features)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 5, 5)])
def test_no_boxes_give_no_features(shape: tuple[int, int, int]) -> None:
    assert roi_align(torch.zeros(shape), torch.zeros(0, 4), 2).shape == (0, 3, 2, 2)
