"""Fitting the confidence: the regression, the thresholds, and the cases that it learns from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork
from visual_tracker.annotations import Collection, DataError, Track, View
from visual_tracker.boxes import Box
from visual_tracker.evaluation.datasets.videos import sequence_of
from visual_tracker.trackers.confidence import Evidence
from visual_tracker.trackers.dasiamrpn import Choice, DaSiamRpnParameters
from visual_tracker.training.calibration import (
    Case,
    GuidedTracker,
    Witness,
    calibrate,
    collect,
    describe,
    fit_logistic,
    fit_signs,
    make_cases,
    reliability,
    sample_weights,
    weighted_quantile,
)
from visual_tracker.training.recipe import Recipe


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
    assert "held-out videos: below the lost threshold" in describe(given, fitted)


def test_answers_of_one_kind_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(b"weights")
    alike = [w for w in witnesses() if w.is_target]
    with pytest.raises(DataError, match="answers that are not"):
        calibrate(alike, weights)


def video(folder: Path, name: str, count: int) -> Track:
    """A textured square on a flat ground, moving."""
    texture = np.random.default_rng(len(name)).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    target = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    (folder / name).mkdir()
    frames = []
    for number in range(count):
        image = np.full((160, 240, 3), 90, np.uint8)
        x, y = 60 + 2 * number, 50 + number
        image[y : y + 48, x : x + 48] = target
        path = folder / name / f"{number}.png"
        cv2.imwrite(str(path), image)
        frames.append((number, View(path, Box(x, y, 48, 48), name)))
    return Track(name, name, tuple(frames))


def test_cases_hold_frames_with_and_without_the_target(tmp_path: Path) -> None:
    tracks = [video(tmp_path, name, 14) for name in ("a", "bb")] + [video(tmp_path, "short", 5)]
    recipe = Recipe(validation_share=0.67)
    cases = make_cases(Collection(tracks), recipe, others=10)
    assert sum(case.held_out for case in cases) == len(cases) / 2
    assert len({case.sequence.name for case in cases}) == len(cases) == 6
    for case in (*cases[:2], *cases[4:]):
        assert case.sequence.visible[0]
        assert 0 < (~case.sequence.visible).sum() < len(case.sequence)
    with pytest.raises(DataError, match="two videos"):
        make_cases(Collection(tracks[:1]), recipe, others=10)


class KnownGuided(KnownNetwork, GuidedTracker):
    """On a network whose response is known."""


def test_answers_are_labelled_by_the_truth(tmp_path: Path) -> None:
    tracks = [video(tmp_path, "a", 12), video(tmp_path, "bb", 12)]
    case = make_cases(Collection(tracks), Recipe(validation_share=0.0), others=2)[0]
    given = collect(lambda: KnownGuided(DaSiamRpnParameters(size_rate=0.0), "cpu"), [case])
    assert not any(witness.held_out for witness in given)
    hidden = int((~case.sequence.visible).sum())
    assert sum(not witness.is_target for witness in given) >= hidden
    there = [witness for witness in given if witness.is_target]
    assert len(there) >= 8
    assert min(witness.evidence.network for witness in there) > max(
        witness.evidence.network for witness in given if not witness.is_target
    )


class Blind(KnownGuided):
    """Answers where it is told to; keeps where each search started and what it learned from."""

    def ask(self, image: np.ndarray, last: Box, frames_lost: int) -> tuple[Choice, Box]:
        choice, _ = super().ask(image, last, frames_lost)
        self.origins = [*getattr(self, "origins", []), last]
        return choice, Box(0, 0, 20, 20)

    def learn(self, choice: Choice) -> None:
        raise AssertionError("learned from an answer that is not the target")


def test_a_tracker_off_the_target_is_put_back_and_learns_nothing(tmp_path: Path) -> None:
    track = video(tmp_path, "a", 20)
    case = Case(sequence_of(track), held_out=True)
    blind = Blind(DaSiamRpnParameters(size_rate=0.0), "cpu")
    given = collect(lambda: blind, [case])
    assert not any(witness.is_target for witness in given)
    # every fourth frame is searched as after a loss, too: frames 4, 8, 12 and 16
    frames = [frame for frame in range(1, 20) for _ in range(2 if frame % 4 == 0 else 1)]
    truth = [
        frame
        for frame, origin in zip(frames, blind.origins, strict=True)
        if origin == case.sequence.box(max(frame - 1, 0))
    ]
    # it starts there, and is put back after every four frames off it
    assert sorted(set(truth)) == [1, 5, 9, 13, 17]
