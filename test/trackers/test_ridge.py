"""The running ridge regression against closed forms on all samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.trackers.ridge import Moments, RunningRidge, Samples, conjugate_gradient


def frame(rng: np.random.Generator, count: int = 30, size: int = 6) -> Samples:
    return Samples(
        rng.normal(size=(count, size)).astype(np.float32),
        rng.normal(size=count).astype(np.float32),
        rng.uniform(0.1, 3, count).astype(np.float32),
    )


def closed_form(frames: list[Samples], shares: list[float], ridge: float) -> np.ndarray:
    """All samples at once, in double precision: (X^T V X + lambda I)^-1 X^T V y."""
    inputs = np.concatenate([samples.inputs for samples in frames]).astype(float)
    labels = np.concatenate([samples.labels for samples in frames]).astype(float)
    weights = np.concatenate(
        [samples.weights * share for samples, share in zip(frames, shares, strict=True)]
    ).astype(float)
    gram = inputs.T @ np.diag(weights) @ inputs + ridge * np.eye(inputs.shape[1])
    return np.linalg.solve(gram, inputs.T @ (weights * labels))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_conjugate_gradient_solves_the_normal_equations(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size + 3, size))
    gram = (root.T @ root).astype(np.float32)
    target, start = rng.normal(size=(2, size)).astype(np.float32)
    found = conjugate_gradient(gram, 1.0, target, start, 4 * size)
    wanted = np.linalg.solve(gram.astype(float) + np.eye(size), target.astype(float))
    assert found == pytest.approx(wanted, abs=1e-3)


def test_each_iteration_comes_nearer() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(40, 20)).astype(np.float32)
    gram, target = root.T @ root, rng.normal(size=20).astype(np.float32)
    wanted = np.linalg.solve(gram.astype(float) + np.eye(20), target)
    start = np.zeros(20, np.float32)

    def error(iterations: int) -> float:
        difference = conjugate_gradient(gram, 1.0, target, start, iterations) - wanted
        return float(difference @ (gram + np.eye(20)) @ difference)

    errors = [error(count) for count in range(6)]
    assert errors == sorted(errors, reverse=True)
    assert errors[5] < errors[0]


def test_a_solved_problem_stays_as_it_is() -> None:
    gram, target = np.eye(3, dtype=np.float32), np.array([2, 4, 6], np.float32)
    solution = np.array([1, 2, 3], np.float32)
    assert (conjugate_gradient(gram, 1.0, target, solution, 5) == solution).all()


def test_the_first_frame_is_solved_exactly() -> None:
    rng = np.random.default_rng(2)
    views = [frame(rng) for _ in range(3)]
    ridge = RunningRidge(views, 0.1, decay=0.9, first_share=0.3)
    wanted = closed_form(views, [1 / 3] * 3, ridge.regularisation)
    assert ridge.weights == pytest.approx(wanted, abs=1e-4)
    traces = [np.einsum("ij,i,ij", view.inputs, view.weights, view.inputs) for view in views]
    assert ridge.regularisation == pytest.approx(0.1 * np.mean(traces) / 6, rel=1e-5)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_running_moments_are_those_of_all_frames_at_once(count: int) -> None:
    rng = np.random.default_rng(count)
    first, decay, least = frame(rng), 0.8, 0.25
    ridge = RunningRidge([first], 0.05, decay, least)
    later = [frame(rng) for _ in range(count)]
    for samples in later:
        ridge.learn(samples, 50)
    faded = [decay ** (count - 1 - number) for number in range(count)]
    share = (1 - least) * min(1.0, sum(faded) / 8)
    shares = [1 - share, *(share * weight / sum(faded) for weight in faded)]
    wanted = closed_form([first, *later], shares, ridge.regularisation)
    assert ridge.weights == pytest.approx(wanted, abs=1e-3)


def test_the_first_frame_keeps_its_share() -> None:
    rng = np.random.default_rng(5)
    first = frame(rng)
    ridge = RunningRidge([first], 0.1, decay=1.0, first_share=0.4)
    nothing = Samples(np.zeros((1, 6), np.float32), np.zeros(1, np.float32), np.ones(1, np.float32))
    for _ in range(50):
        ridge.learn(nothing, 1)
    assert ridge.moments().gram == pytest.approx(0.4 * Moments.of(first).gram, rel=1e-4)
