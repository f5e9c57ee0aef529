"""The correlation filter against ridge regression written out, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.correlation_filter import (  # noqa: E402
    CorrelationFilter,
    hann_window,
    wanted_response,
)


def ridge_regression(x: np.ndarray, wanted: np.ndarray, regularization: float) -> np.ndarray:
    """The filter (C, n, n) from the normal equations of all n * n shifts, no Fourier transform."""
    channels, side, _ = x.shape
    # row (i, j) holds what the filter sees when it is moved there on the circle
    rows = np.stack(
        [np.roll(x, (-i, -j), axis=(1, 2)).ravel() for i in range(side) for j in range(side)]
    )
    count = side**2
    normal = rows.T @ rows / count + regularization * np.eye(channels * count)
    solution: np.ndarray = np.linalg.solve(normal, rows.T @ wanted.ravel() / count)
    return solution.reshape(x.shape)


@pytest.mark.parametrize(("side", "channels"), [(5, 1), (6, 2), (7, 3)])
@pytest.mark.parametrize("regularization", [0.01, 3.0])
def test_it_is_ridge_regression_over_all_shifts(
    side: int, channels: int, regularization: float
) -> None:
    layer = CorrelationFilter(side, spread=0.8, regularization=regularization)
    x = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(side))
    with torch.no_grad():
        filters = layer(x)
    wanted = wanted_response(side, 0.8).double().numpy()
    for each, found in zip(x.double() * hann_window(side).double(), filters, strict=True):
        expected = ridge_regression(each.numpy(), wanted, regularization)
        assert np.abs(found.numpy() - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_the_wanted_peak_lies_at_no_shift_of_a_circle() -> None:
    wanted = wanted_response(5, 1.0)
    side = np.exp(-(np.array([0, 1, 2, 2, 1]) ** 2) / 2)
    assert wanted.numpy() == pytest.approx(np.outer(side, side), abs=1e-6)


def test_the_filter_answers_its_target_and_not_what_surrounds_it() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 15, 15, generator=generator)
    with torch.no_grad():
        filters = CorrelationFilter(15, regularization=1e-4)(x)
    seen = x * hann_window(15)
    answers = [
        float((filters * seen.roll((-i, -j), (2, 3))).sum()) for i in range(15) for j in range(15)
    ]
    assert int(np.argmax(answers)) == 0
    assert answers[0] == pytest.approx(1, abs=0.02)
    assert np.abs(np.reshape(answers, (15, 15))[4:12, 4:12]).max() < 0.02


def test_gradients_are_numerically_right() -> None:
    layer = CorrelationFilter(4, regularization=0.5)
    generator = torch.Generator().manual_seed(1)
    x, weights = (torch.randn(1, 2, 4, 4, generator=generator).double() for _ in range(2))

    def value(x: torch.Tensor) -> torch.Tensor:
        return (layer(x) * weights).sum()

    assert torch.autograd.gradcheck(value, (x.requires_grad_(),))
    value(x.detach()).backward()
    slope = layer.log_regularization.grad
    with torch.no_grad():
        step = 1e-2
        layer.log_regularization += step
        above = value(x)
        layer.log_regularization -= 2 * step
        below = value(x)
    assert float(slope) == pytest.approx(float(above - below) / (2 * step), rel=1e-2)


def test_a_network_in_half_precision_still_solves_in_float32() -> None:
    x = torch.randn(1, 8, 9, 9, generator=torch.Generator().manual_seed(3))
    layer = CorrelationFilter(9)
    with torch.no_grad():
        exact = layer(x)
        rounded = layer.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert rounded.dtype == torch.float32
    assert float((rounded - exact).norm() / exact.norm()) < 0.02
