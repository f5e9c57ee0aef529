"""The combined template against the slow explicit formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.trackers.distractors import CombinedTemplate, unit, window_of

STRENGTH, ETA = 0.5, 0.01


def explicit(
    targets: list[np.ndarray], distractors: list[list[np.ndarray]], proposal: np.ndarray
) -> float:
    """The paper's sums over all frames, similarity by similarity."""

    def f(a: np.ndarray, b: np.ndarray) -> float:
        return float(unit(a) @ unit(b))

    betas = [sum((ETA / (1 - ETA)) ** i for i in range(t)) for t in range(1, len(targets) + 1)]
    target = sum(beta * f(z, proposal) for beta, z in zip(betas, targets, strict=True))
    value = target / sum(betas)
    weighted = [
        (beta, f(d, proposal))
        for beta, frame in zip(betas, distractors, strict=True)
        for d in frame
    ]
    if weighted:
        total = sum(beta for beta, _ in weighted)
        value -= STRENGTH * sum(beta * similarity for beta, similarity in weighted) / total
    return value


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 4), max_size=6))
def test_incremental_is_explicit(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    targets = [rng.normal(size=(3, 2, 2)) for _ in range(len(counts) + 1)]
    distractors = [[], *([rng.normal(size=(3, 2, 2)) for _ in range(n)] for n in counts)]
    proposals = [rng.normal(size=(3, 2, 2)) for _ in range(5)]
    template = CombinedTemplate(targets[0], ETA)
    for target, beside in zip(targets[1:], distractors[1:], strict=True):
        template.learn(target, beside)
    expected = [explicit(targets, distractors, proposal) for proposal in proposals]
    assert template.similarity(proposals, STRENGTH) == pytest.approx(expected, abs=1e-9)


def test_a_learned_distractor_falls_behind() -> None:
    target, twin = np.array([1.0, 0.2, 0.0]), np.array([1.0, 0.0, 0.4])
    seen = np.array([0.98, 0.12, 0.1])  # the target, a little nearer to its twin than before
    template = CombinedTemplate(target[:, None, None])
    before = template.similarity([seen, twin], STRENGTH)
    template.learn(target, [twin])
    after = template.similarity([seen, twin], STRENGTH)
    assert after[0] - after[1] > before[0] - before[1]


def test_strength_is_asked_anew_each_time() -> None:
    target, twin = np.array([1.0, 0.2, 0.0]), np.array([1.0, 0.0, 0.4])
    template = CombinedTemplate(target[:, None, None])
    template.learn(target, [twin])
    without, little, much = (template.similarity([twin], strength)[0] for strength in (0, 0.2, 0.4))
    assert without - little == pytest.approx(0.2)  # similarity of the twin to itself is 1
    assert without - much == pytest.approx(0.4)


def test_scale_of_an_embedding_does_not_count() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 4, 3, 3))
    plain, scaled = CombinedTemplate(one), CombinedTemplate(7 * one)
    scaled_similarity = scaled.similarity([3 * two], STRENGTH)
    assert plain.similarity([two], STRENGTH) == pytest.approx(scaled_similarity)


def test_window_of_a_cell() -> None:
    embedding = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    window = window_of(embedding, (1, 3), (2, 3, 3))
    assert window.shape == (2, 3, 3)
    assert window[0, 0, 0] == embedding[0, 1, 3]
    assert window[1, 2, 2] == embedding[1, 3, 5]
