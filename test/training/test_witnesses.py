"""Answers of free runs, labelled by the truth."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork, PeakMatcher
from test.training.moving_square import video
from visual_tracker.annotations import Collection, DataError
from visual_tracker.boxes import Box
from visual_tracker.evaluation.datasets.videos import sequence_of
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.trackers.confidence import (
    Calibration,
    Evidence,
    ScoreEvidence,
    Thresholds,
)
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.siamfc import SiamFcParameters
from visual_tracker.training import calibration
from visual_tracker.training.calibration_cases import Case, make_cases
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.witnesses import (
    OFF_FRAMES,
    Witness,
    WitnessedDaSiamRpn,
    WitnessedSiamFc,
    WitnessedTracker,
    collect,
)


class Known(KnownNetwork, WitnessedDaSiamRpn):
    """On a network whose response is known; writes down its starts and what it learns from."""

    def __init__(self) -> None:
        super().__init__(DaSiamRpnParameters(size_rate=0.0, learn_delay=0), "cpu")
        self.starts: list[Box] = []
        self.learned: list[Box] = []

    def _init(self, image: np.ndarray, box: Box) -> None:
        super()._init(image, box)
        self.starts.append(box)

    def _learn(self, *arguments: Any) -> None:
        super()._learn(*arguments)
        self.learned.append(self._hold.held_box)


class Astray(Known):
    """Sure of a box that is not the target's."""

    WRONG = Box(0, 0, 20, 20)

    def _search(self, *arguments: Any, **more: Any) -> Generator[Any, Any, Any]:
        found = yield from super()._search(*arguments, **more)
        self.answers[-1] = self.answers[-1]._replace(box=self.WRONG)
        return found._replace(sighting=found.sighting._replace(box=self.WRONG, confidence=1.0))


def test_answers_are_labelled_by_the_truth(tmp_path: Path) -> None:
    tracks = [video(tmp_path, "a", 12), video(tmp_path, "bb", 12)]
    case = make_cases(Collection(tracks), Recipe(validation_share=0.0))[0]
    given = collect(Known(), [case])
    assert not any(witness.held_out for witness in given)
    hidden = int((~case.sequence.visible).sum())
    assert sum(not witness.is_target for witness in given) >= hidden > 0
    there = [witness for witness in given if witness.is_target]
    assert len(there) >= len(case.sequence) - hidden - 2
    assert min(witness.evidence.network for witness in there) > max(
        witness.evidence.network for witness in given if not witness.is_target
    )


def test_it_learns_what_it_takes_for_the_target(tmp_path: Path) -> None:
    tracker = Astray()
    given = collect(tracker, [Case(sequence_of(video(tmp_path, "a", 12)), held_out=True)])
    assert [witness.is_target for witness in given] == [False] * 11
    assert tracker.learned == [Astray.WRONG] * 11


def test_one_that_stays_off_the_target_starts_anew_on_it(tmp_path: Path) -> None:
    sequence = sequence_of(video(tmp_path, "a", 2 * OFF_FRAMES))
    tracker = Astray()
    collect(tracker, [Case(sequence, held_out=True)])
    assert tracker.starts == [sequence.box(0), sequence.box(OFF_FRAMES)]


def test_an_absence_is_no_reason_to_start_anew(tmp_path: Path) -> None:
    there = sequence_of(video(tmp_path, "a", 2 * OFF_FRAMES))
    truth, visible = there.truth.copy(), there.visible.copy()
    truth[1 : OFF_FRAMES + 10], visible[1 : OFF_FRAMES + 10] = np.nan, False
    tracker = Astray()
    collect(tracker, [Case(Sequence("a", there.frames, truth, visible), held_out=True)])
    assert len(tracker.starts) == 1


def test_every_round_runs_with_what_was_fitted_to_those_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = [Witness(Evidence(n, 0, 0, 0), True, False, "a", True) for n in range(3)]
    used: list[tuple[str, Calibration | None]] = []
    fitted_to: list[list[Witness]] = []

    def run(tracker: WitnessedTracker, cases: str) -> list[Witness]:
        used.append((cases, tracker.calibration))
        return [given[len(used) - 1]]

    def fit(witnesses: list[Witness], weights: Path) -> Calibration:
        assert weights == tmp_path
        fitted_to.append(list(witnesses))
        thresholds = Thresholds(0.1, 0.5, 0)
        return Calibration("x", Evidence(1, 0, 0, 0), float(len(fitted_to)), thresholds)

    monkeypatch.setattr(calibration, "collect", run)
    monkeypatch.setattr(calibration, "calibrate", fit)
    tracker = Known()
    rounds: Any = ["first", "second", "third"]
    answers, last = calibration.calibrate_in_rounds(tracker, rounds, tmp_path)
    assert [(cases, fitted and fitted.intercept) for cases, fitted in used] == [
        ("first", None), ("second", 1.0), ("third", 2.0),
    ]  # fmt: skip
    # the first round's answers decide what the second one does, and no more
    assert fitted_to == [given[:1], given[1:2], given[1:]]
    assert answers == given[1:]
    assert last is tracker.calibration
    with pytest.raises(DataError, match="one round"):
        calibration.calibrate_in_rounds(tracker, [], tmp_path)


def test_a_check_fits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [Witness(Evidence(n, 0, 0, 0), True, False, "a", True) for n in range(2)]
    rounds: Any = [0, 1]
    used: list[Calibration | None] = []

    def run(tracker: WitnessedTracker, number: int) -> list[Witness]:
        used.append(tracker.calibration)
        return [given[number]]

    monkeypatch.setattr(calibration, "collect", run)
    tracker = Known()
    tracker.calibration = None
    with pytest.raises(DataError, match="run without --check"):
        calibration.check(tracker, rounds)
    stored = Calibration("x", Evidence(1, 0, 0, 0), 0.0, Thresholds(0.1, 0.5, 0))
    tracker.calibration = stored
    assert calibration.check(tracker, rounds) == (given, stored)
    assert used == [stored, stored]
    assert tracker.calibration is stored


def test_answers_of_the_score_alone_are_kept_while_the_target_is_lost(tmp_path: Path) -> None:
    sequence = sequence_of(video(tmp_path, "a", 12))
    still = replace(sequence, truth=np.tile(sequence.truth[:1], (12, 1)))

    class Known(KnownNetwork, WitnessedSiamFc):
        network = PeakMatcher(1, 13, 13, logit=8.0)

    tracker = Known(SiamFcParameters(lost_threshold=1.0), "cpu")
    given = collect(tracker, [Case(still, held_out=True)])
    assert tracker.track(still.frames[0]).is_lost
    assert [witness.evidence for witness in given] == [ScoreEvidence(8.0)] * 11
    assert all(witness.is_target for witness in given)
