"""SiamRPN's confidence, of the score alone: calibrated or not, lost and found again."""

from __future__ import annotations

import pytest

from test.fakes import textured_square
from test.trackers.known_response import ExactMatcher, KnownNetwork
from visual_tracker.trackers.confidence import (
    Calibration,
    ScoreEvidence,
    Thresholds,
    logit,
    sigmoid,
)
from visual_tracker.trackers.siamrpn import SiamRpnParameters, SiamRpnTracker

#: .5 where the score is .9
CALIBRATION = Calibration("", ScoreEvidence(2.0), -2 * logit(0.9), Thresholds(0.2, 0.6, 0.0))


class Known(KnownNetwork, SiamRpnTracker):
    """On a network whose score is known."""


def started(**parameters: float) -> tuple[Known, ExactMatcher]:
    images, boxes = textured_square(2)
    matcher = ExactMatcher()

    class Mine(Known):
        network = matcher

    tracker = Mine(SiamRpnParameters(size_rate=0.0, **parameters), "cpu")
    tracker.init(images[0], boxes[0])
    return tracker, matcher


def outcomes(tracker: Known, matcher: ExactMatcher, scores: list[float]) -> list[tuple[float, str]]:
    """Confidence and state for each of these scores, at the target's place."""
    images, _ = textured_square(1)
    found = []
    for score in scores:
        matcher.scale = score
        track = tracker.track(images[0])
        assert track.confidence is not None
        found.append((track.confidence, "-" if track.is_lost else "+"))
    return found


def test_the_score_is_the_confidence_where_nothing_is_calibrated() -> None:
    given = outcomes(*started(), [0.9, 0.3, 0.2, 0.3])
    assert [confidence for confidence, _ in given] == pytest.approx([0.9, 0.3, 0.2, 0.3], abs=0.02)
    assert [state for _, state in given] == ["+", "+", "-", "+"]


def test_a_calibration_makes_a_probability_of_the_score_and_two_thresholds() -> None:
    tracker, matcher = started()
    tracker.calibration = CALIBRATION
    given = outcomes(tracker, matcher, [0.97, 0.85, 0.7, 0.85, 0.97])
    expected = [sigmoid(2 * (logit(s) - logit(0.9))) for s in (0.97, 0.85, 0.7, 0.85, 0.97)]
    assert [confidence for confidence, _ in given] == pytest.approx(expected, abs=0.03)
    # .28 holds a target, and does not find one again
    assert [state for _, state in given] == ["+", "+", "-", "-", "+"]


def test_a_loss_leaves_the_box_to_follow() -> None:
    tracker, _ = started(lost_threshold=1.0)
    images, boxes = textured_square(6)
    for image in images[1:]:
        track = tracker.track(image)
        assert track.is_lost
    assert track.box.center == pytest.approx(boxes[5].center, abs=3)
    assert boxes[5].center != pytest.approx(boxes[0].center, abs=3)
