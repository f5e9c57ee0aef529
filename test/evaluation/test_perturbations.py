"""Perturbed images: what they do, in rising strength, deterministic."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from test.evaluation.factories import HEIGHT, WIDTH, drawn_sequence
from visual_tracker.evaluation.perturbations import KINDS, perturb

IMAGE_KINDS = [kind for kind in KINDS if KINDS[kind].change]


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_images_get_worse_with_strength_and_stay_the_same_size(kind: str) -> None:
    sequence = drawn_sequence(3)
    original = sequence.frames[1].astype(float)
    distances = []
    for strength in KINDS[kind].strengths:
        image = perturb(sequence, kind, strength, seed=0).frames[1]
        assert image.dtype == np.uint8
        assert image.shape == (HEIGHT, WIDTH, 3)
        distances.append(np.abs(image - original).mean())
    assert distances == sorted(distances)
    assert distances[0] > 0.5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jpeg"])
def test_the_neutral_strength_changes_nothing(kind: str) -> None:
    sequence = drawn_sequence(3)
    same = perturb(sequence, kind, KINDS[kind].neutral, seed=0)
    np.testing.assert_array_equal(same.frames[1], sequence.frames[1])
    np.testing.assert_array_equal(same.truth, sequence.truth)
    assert same.delivered is None or same.delivered.all()


def test_noise_depends_on_seed_sequence_and_frame_alone() -> None:
    one, again = (perturb(drawn_sequence(3), "noise", 20, seed=1) for _ in range(2))
    again.frames[2]
    np.testing.assert_array_equal(one.frames[1], again.frames[1])
    other = perturb(drawn_sequence(3), "noise", 20, seed=2)
    assert (one.frames[1] != other.frames[1]).any()
    difference = one.frames[1].astype(int) - one.frames[2]
    assert np.abs(difference).mean() > 5  # not the same noise in every frame


def test_noise_has_the_standard_deviation_asked_for() -> None:
    sequence = drawn_sequence(3)
    noisy = perturb(sequence, "noise", 10, seed=0).frames[0].astype(float)
    background = np.s_[40:, :, :]  # mid-grey, so that nothing is clipped
    assert (noisy - sequence.frames[0])[background].std() == pytest.approx(10, rel=0.05)


def test_drops() -> None:
    sequence = drawn_sequence(2000)
    dropped = perturb(sequence, "drops", 0.3, seed=0)
    assert dropped.delivered is not None
    assert 1 - dropped.delivered.mean() == pytest.approx(0.3, abs=0.05)
    again = perturb(sequence, "drops", 0.3, seed=0)
    np.testing.assert_array_equal(dropped.delivered, again.delivered)


def test_resolution_scales_images_and_truth() -> None:
    sequence = drawn_sequence(3)
    small = perturb(sequence, "resolution", 0.35, seed=0)
    width, height = small.frames[0].shape[1::-1]
    assert (width, height) == (round(WIDTH * 0.35), round(HEIGHT * 0.35))
    factors = [width / WIDTH, height / HEIGHT] * 2
    np.testing.assert_allclose(small.truth, sequence.truth * factors)


def test_resolution_keeps_the_target_under_its_box() -> None:
    sequence = drawn_sequence(3)
    small = perturb(sequence, "resolution", 0.5, seed=0)
    x, y, width, height = small.truth[2].astype(int)
    grey = cv2.cvtColor(small.frames[2], cv2.COLOR_BGR2GRAY)
    inside = grey[y : y + height, x : x + width].mean()
    assert inside > grey.mean() + 40
