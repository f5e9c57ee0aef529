"""Fitting the confidence: the regression and the thresholds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from visual_tracker.annotations import DataError
from visual_tracker.trackers.confidence import (
    Calibration,
    Evidence,
    ScoreEvidence,
    Thresholds,
)
from visual_tracker.training.calibration import (
    calibrate,
    describe,
    fit_logistic,
    fit_signs,
    weighted_quantile,
)
from visual_tracker.training.reliability import (
    calibration_error,
    reliability,
    reliability_of,
    sample_weights,
)
from visual_tracker.training.witnesses import Witness


def answers(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Signs and labels that follow a known logistic law, the last sign telling nothing."""
    rng = np.random.default_rng(seed)
    signs = rng.normal(size=(count, 3)) * [2.0, 0.5, 1.0] + [1.0, 0.2, 0.0]
    chance = 1 / (1 + np.exp(-(1.2 * signs[:, 0] + 3.0 * signs[:, 1] - 1.0)))
    return signs, rng.uniform(size=count) < chance


def test_logistic_regression_is_that_of_a_general_optimiser() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    signs, labels = answers()
    weights = np.random.default_rng(1).uniform(0.2, 2, len(labels))
    spread = signs.std(axis=0)

    def loss(solution: np.ndarray) -> float:
        z = signs @ solution[:3] + solution[3]
        own = weights * (np.logaddexp(0, z) - labels * z)
        return float(own.sum() + 0.5 * ((solution[:3] * spread) ** 2).sum())

    wanted = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    factors, intercept = fit_logistic(signs, labels, weights)
    assert [*factors, intercept] == pytest.approx(wanted, abs=1e-3)


def test_the_law_is_found_again() -> None:
    signs, labels = answers(20_000)
    factors, intercept = fit_logistic(signs, labels, np.ones(len(labels)))
    assert [*factors, intercept] == pytest.approx([1.2, 3.0, 0.0, -1.0], abs=0.15)


def test_separable_answers_do_not_overflow() -> None:
    signs = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    factors, intercept = fit_logistic(signs, signs[:, 0] > 0, np.ones(4))
    assert np.isfinite([*factors, intercept]).all()
    assert factors[0] > 0


def test_no_sign_speaks_against_the_target() -> None:
    signs, labels = answers()
    signs[:, 2] = signs[:, 0] + 0.5 * signs[:, 2]
    signs = np.column_stack([signs, -signs[:, 1]])
    factors, _ = fit_signs(signs, labels, np.ones(len(labels)))
    assert (factors >= 0).all()
    assert factors[0] > 0
    assert factors[3] == 0


def test_weighted_quantile_by_hand() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    assert weighted_quantile(values, weights, 0.1) == 1.0
    assert weighted_quantile(values, weights, 0.5) == 2.0
    assert weighted_quantile(values, weights, 0.99) == 3.0


def test_both_kinds_count_alike() -> None:
    labels = np.array([True, True, True, True, False, False])
    assert sample_weights(labels) == pytest.approx([0.75] * 4 + [1.5] * 2)


def test_reliability_by_hand() -> None:
    said, was = np.array([0.02, 0.04, 0.95, 1.0]), np.array([False, True, True, True])
    bins = reliability(said, was, np.array([3.0, 1.0, 1.0, 1.0]))
    assert bins == [
        (pytest.approx(0.025), pytest.approx(0.25), pytest.approx(4 / 6)),
        (pytest.approx(0.975), pytest.approx(1.0), pytest.approx(2 / 6)),
    ]


def test_calibration_error_by_hand() -> None:
    assert calibration_error([(0.1, 0.2, 0.75), (0.9, 0.5, 0.25)]) == pytest.approx(0.175)


def test_a_confidence_that_is_right_has_a_small_error_and_one_that_is_sure_a_large_one() -> None:
    signs, labels = answers(20_000)
    made = [
        Witness(Evidence(*row, 0.0), bool(label), False, "video", False)
        for row, label in zip(signs, labels, strict=True)
    ]
    # both kinds are weighted alike, which shifts the law's intercept by the logarithm of their odds
    odds = np.log(labels.sum() / (~labels).sum())
    thresholds = Thresholds(0.1, 0.9, 0.0)
    right = Calibration("x", Evidence(1.2, 3.0, 0.0, 0.0), -1.0 - odds, thresholds)
    sure = Calibration("x", Evidence(12.0, 30.0, 0.0, 0.0), 10 * (-1.0 - odds), thresholds)
    assert calibration_error(reliability_of(made, right)) < 0.02
    assert calibration_error(reliability_of(made, sure)) > 0.1
    assert reliability_of([one for one in made if one.is_target], right) == []


def witnesses(count: int = 300) -> list[Witness]:
    """Targets whose signs are higher than those of the others, with some overlap."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        is_target = bool(number % 2)
        evidence = Evidence(*(rng.normal(size=4) * 0.3 + 0.5 * is_target))
        made.append(Witness(evidence, is_target, number % 5 == 0, "video", number % 3 == 0))
    return made


def test_thresholds_keep_the_promised_shares(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    given = witnesses(2000)
    fitted = calibrate(given, weights)
    lost, found, _ = fitted.thresholds
    assert lost <= found
    there = [w for w in given if w.is_target and not w.is_lost]
    gone = [w for w in given if not w.is_target]
    assert np.mean([fitted.probability(w.evidence) < lost for w in there]) == pytest.approx(
        0.02, abs=0.01
    )
    assert np.mean([fitted.probability(w.evidence) > found for w in gone]) <= 0.04
    told = describe(given, fitted)
    assert "held-out videos: below the lost threshold" in told
    assert "calibration error" in told


def test_answers_of_one_kind_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    alike = [w for w in witnesses() if w.is_target]
    with pytest.raises(DataError, match="answers that are not"):
        calibrate(alike, weights)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that a share of equal ones does not exceed."""
    return sorted(values)[math.ceil(share * len(values) - 1e-9) - 1]


def test_thresholds_are_quantiles_of_the_answers_that_they_are_for(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    rng = np.random.default_rng(5)
    given = []
    for number in range(4000):
        is_target, is_lost = number % 4 > 0, number % 5 == 0
        # after a loss the target is recognised less well
        shift = (0.35 if is_lost else 0.6) * is_target
        signs = rng.normal(size=2) + 2.0 * shift
        looks = rng.uniform(0.1, 0.6, 2) + 0.2 * shift
        evidence = Evidence(*signs, *looks)
        given.append(Witness(evidence, is_target, is_lost, "video", False))
    fitted = calibrate(given, weights)
    there = [w for w in given if w.is_target]
    of_local = [fitted.probability(w.evidence) for w in there if not w.is_lost]
    of_others = [fitted.probability(w.evidence) for w in given if not w.is_target]
    alike = [min(w.evidence.first, w.evidence.recent) for w in there]
    lost, found, similarity = fitted.thresholds
    assert 0.05 < lost < found < 0.98  # within their bounds
    assert lost == pytest.approx(quantile(of_local, 0.02))
    assert found == pytest.approx(quantile(of_others, 0.98))
    assert similarity == pytest.approx(quantile(alike, 0.001))
    assert similarity > 0


@pytest.mark.parametrize(("spread", "above_half"), [(1.0, False), (0.1, True)])
def test_of_one_response_the_found_threshold_is_even_odds(
    tmp_path: Path, spread: float, above_half: bool
) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    rng = np.random.default_rng(3)
    given = []
    for number in range(3000):
        is_target = number % 3 > 0
        evidence = ScoreEvidence(float(rng.normal() * spread + 3.0 * is_target))
        given.append(Witness(evidence, is_target, number % 5 == 0, "video", False))
    fitted = calibrate(given, weights)
    assert isinstance(fitted.coefficients, ScoreEvidence)
    of_local = [fitted.probability(w.evidence) for w in given if w.is_target and not w.is_lost]
    # at .5 at most, where nothing that is missed would be gained by more
    assert (quantile(of_local, 0.02) > 0.5) == above_half
    assert fitted.thresholds.lost == pytest.approx(min(0.5, quantile(of_local, 0.02)))
    assert fitted.thresholds.found == 0.5
    assert fitted.thresholds.similarity == 0
    assert "factors: score" in describe(given, fitted)
