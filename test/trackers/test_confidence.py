"""The calibrated confidence, the likeness, and how calibrations lie beside weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.models.weights import WeightsError
from visual_tracker.trackers.confidence import (
    Calibration,
    Evidence,
    ScoreEvidence,
    Thresholds,
    calibration_path,
    digest,
    load_calibration,
    logit,
    sigmoid,
)
from visual_tracker.trackers.likeness import Gallery


def calibration(weights: str = "") -> Calibration:
    return Calibration(weights, Evidence(0.5, 2.0, 1.0, 3.0), -1.5, Thresholds(0.3, 0.7, 0.2))


def test_probability_by_hand() -> None:
    value = calibration().probability(Evidence(network=1.0, filter=0.5, first=0.25, recent=0.0))
    assert value == pytest.approx(1 / (1 + math.exp(-(-1.5 + 0.5 + 1.0 + 0.25))))


@settings(deadline=None)
@given(st.floats(0, 1))
def test_logit_is_the_inverse_away_from_the_ends(probability: float) -> None:
    clipped = min(max(probability, 1e-4), 1 - 1e-4)
    assert sigmoid(logit(probability)) == pytest.approx(clipped)


@pytest.mark.parametrize("value", [-1e6, -800.0, 800.0, 1e6])
def test_the_sigmoid_does_not_overflow(value: float) -> None:
    assert sigmoid(value) in (0.0, 1.0)


def test_a_calibration_lies_beside_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    assert load_calibration(weights) is None
    saved = calibration(digest(weights))
    assert saved.save(weights) == tmp_path / "net.confidence.json"
    assert load_calibration(weights) == saved


def test_a_calibration_of_the_score_lies_beside_that_of_all_signs(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    thresholds = Thresholds(0.2, 0.5, 0.0)
    saved = Calibration(digest(weights), ScoreEvidence(1.5), -6.0, thresholds)
    saved.save(weights)
    loaded = load_calibration(weights, ScoreEvidence)
    assert loaded == saved
    assert load_calibration(weights) is None  # there is none of the other kind
    assert loaded.probability(ScoreEvidence(4.0)) == 0.5


def test_a_calibration_of_other_weights_is_not_used(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    calibration(digest(weights)).save(weights)
    weights.write_bytes(b"new weights")
    assert load_calibration(weights) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"weights": "a", "coefficients": [1, 2]}'),
        '{"weights": "a", "coefficients": {"score": 1}}',
    ],
)
def test_a_damaged_calibration_says_what_to_do(tmp_path: Path, text: str) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    calibration_path(weights).write_text(text)
    with pytest.raises(WeightsError, match="visual-tracker calibrate"):
        load_calibration(weights)


def test_likeness_to_the_first_and_the_nearest_recent_template() -> None:
    east, north = np.array([[[1.0, 0.0]]]), np.array([[[0.0, 2.0]]])
    gallery = Gallery(east)
    assert gallery.likeness(north) == pytest.approx((0, 0))
    assert gallery.likeness(3 * east) == pytest.approx((1, 1))
    gallery.remember(east + north / 2)
    assert gallery.likeness(north) == pytest.approx((0, math.sqrt(0.5)))
    for _ in range(5):
        gallery.remember(north)
    # five are kept
    assert gallery.likeness(east) == pytest.approx((1, 0))
