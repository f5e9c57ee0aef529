"""Several trackers that share a matcher: one batch a frame, the same outcomes as one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from test.fakes import Fleet
from test.trackers.known_response import ExactMatcher, KnownNetwork, KnownTracker
from visual_tracker.boxes import Box
from visual_tracker.images import ImageError
from visual_tracker.models.matchers import Question, Response
from visual_tracker.targets import TargetSet, follow_together
from visual_tracker.trackers import NotInitializedError, Track
from visual_tracker.trackers.asking import track_together
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.siamrpn import SiamRpnParameters, SiamRpnTracker

WIDTH, HEIGHT, SIDE = 640, 480, 64.5
STARTS = ((150.0, 150.0), (450.0, 150.0), (300.0, 330.0))


class BatchedMatcher(ExactMatcher):
    """Remembers how many questions came at once; fails whenever a crop shows `poison`."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.poison: int | None = None

    def respond_many(self, questions: Sequence[Question]) -> list[Response]:
        self.batches.append(len(questions))
        crops = [question.crop() for question in questions]
        if any((crop == self.poison).all(axis=2).any() for crop in crops):
            raise RuntimeError("poisoned")
        return [
            self.respond(question.template, crop)
            for question, crop in zip(questions, crops, strict=True)
        ]


def made(matcher: ExactMatcher, count: int = 3) -> list[SiamRpnTracker]:
    """Trackers of both kinds on one matcher, nothing learned on line."""

    class Short(KnownNetwork, SiamRpnTracker):
        network = matcher

    class Long(KnownTracker):
        network = matcher

    settings = {"size_rate": 0.0, "lost_threshold": 0.5}
    own = {"target_model": False, "box_correction": 0.0, "patience": 0, "search_growth": 64}
    kinds = [
        lambda: Short(SiamRpnParameters.from_mapping(settings), "cpu"),
        lambda: Long(DaSiamRpnParameters.from_mapping(settings | own), "cpu"),
    ]
    return [kinds[index % 2]() for index in range(count)]


def scene(step: int, missing: Sequence[int] = (), poison: int | None = None) -> np.ndarray:
    """Three textures that walk; those missing are not there, or flat in the colour `poison`."""
    image = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    for index, (x, y) in enumerate(STARTS):
        texture = np.random.default_rng(index).integers(0, 250, (8, 8, 3), dtype=np.uint8)
        if index in missing:
            texture[...] = 90 if poison is None else poison
        left, top = round(x) - 32 + 7 * step, round(y) - 32 + 4 * step
        image[top : top + 64, left : left + 64] = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    return image


def started(matcher: ExactMatcher) -> list[SiamRpnTracker]:
    trackers = made(matcher)
    for tracker, center in zip(trackers, STARTS, strict=True):
        tracker.init(scene(0), Box.from_center(*center, SIDE, SIDE))
    return trackers


def test_a_batch_gives_what_each_gives_alone() -> None:
    matcher = BatchedMatcher()
    together, alone = started(matcher), started(ExactMatcher())
    scenes = [scene(1), scene(2), scene(3, missing=[1]), scene(4, missing=[1]), scene(5)]
    for image in scenes:
        found = track_together(together, image)
        assert found == [tracker.track(image) for tracker in alone]
        assert all(isinstance(outcome, Track) for outcome in found)
    # the second is lost in the third frame, searched for in a wider crop, too, in the fourth, and
    # found nearby in the fifth
    assert matcher.batches == [3, 3, 3, 3, 1, 3]


def test_a_matcher_without_batches_is_asked_one_by_one() -> None:
    together, alone = started(ExactMatcher()), started(ExactMatcher())
    assert track_together(together, scene(1)) == [tracker.track(scene(1)) for tracker in alone]


def test_matchers_are_not_mixed() -> None:
    first, second = BatchedMatcher(), BatchedMatcher()
    track_together(started(first) + started(second), scene(1))
    assert (first.batches, second.batches) == ([3], [3])


def test_a_tracker_alone_asks_a_batch_of_one() -> None:
    matcher = BatchedMatcher()
    (tracker, *_) = started(matcher)
    tracker.track(scene(1))
    assert matcher.batches == [1]


def test_one_bad_question_fails_alone_and_leaves_its_tracker_as_it_was() -> None:
    matcher = BatchedMatcher()
    together, alone = started(matcher), started(ExactMatcher())
    matcher.poison = 255
    bad = scene(1, missing=[1], poison=255)
    found = track_together(together, bad)
    assert isinstance(found[1], RuntimeError)
    assert matcher.batches == [3, 1, 1, 1]
    assert [found[0], found[2]] == [alone[0].track(bad), alone[2].track(bad)]
    # the next frame goes on from the one before the failure
    assert track_together(together, scene(2)) == [tracker.track(scene(2)) for tracker in alone]


def test_a_tracker_that_was_never_started_fails_alone() -> None:
    matcher = BatchedMatcher()
    outcomes = track_together([*started(matcher), *made(matcher, 1)], scene(1))
    assert [type(outcome) for outcome in outcomes] == [Track] * 3 + [NotInitializedError]


def test_an_image_of_another_size_is_refused_before_anything_is_asked() -> None:
    matcher = BatchedMatcher()
    trackers, alone = started(matcher), started(ExactMatcher())
    outcomes = track_together(trackers, scene(1)[:-2])
    assert [type(outcome) for outcome in outcomes] == [ImageError] * 3
    assert matcher.batches == []
    assert track_together(trackers, scene(1)) == [tracker.track(scene(1)) for tracker in alone]


def test_trackers_that_ask_and_others_come_back_in_order() -> None:
    fleet = Fleet()
    plain = fleet.new_tracker()
    plain.init(scene(0), Box(10, 10, 20, 20))
    first, second, _ = started(BatchedMatcher())
    outcomes = track_together([first, plain, second], scene(1))
    boxes = [outcome.box for outcome in outcomes if isinstance(outcome, Track)]
    assert boxes[1] == Box(11, 10, 20, 20)
    assert boxes[0].center == pytest.approx((157, 154), abs=1.0)
    assert boxes[2].center == pytest.approx((457, 154), abs=1.0)


def test_targets_of_one_frame_share_a_batch_and_fail_alone() -> None:
    matcher = BatchedMatcher()
    makers = iter(made(matcher, 4))
    targets = TargetSet(lambda: next(makers), max_targets=3)
    for name, center in zip("abc", STARTS, strict=True):
        targets.init(scene(0), Box.from_center(*center, SIDE, SIDE), name)
    followed = list(targets.targets.values())
    assert follow_together(followed, scene(1)) == [None, None, None]
    assert matcher.batches == [3]
    matcher.poison = 255
    problems = follow_together(followed, scene(2, missing=[1], poison=255))
    assert problems == [None, "the tracker of target 'b' failed: poisoned", None]
    assert [target.track.is_lost for target in followed] == [False, True, False]
    assert [target.frames_since_seen for target in followed] == [0, 1, 0]
    followed[2].image_size = (1, 1)
    problems = follow_together(followed, scene(3))
    assert problems[:2] == [None, None]
    assert "is lost on 640x480" in str(problems[2])
    assert [target.frames_since_seen for target in followed] == [0, 0, 1]
