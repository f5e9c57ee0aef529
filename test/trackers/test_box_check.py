"""The box is held against the first frame's: when, at which scale, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from test.trackers.known_response import ExactMatcher, KnownTracker
from test.trackers.test_long_term import PLAIN, SIDE, START, scene
from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.box_check import SCALES, BoxCheck, contenders
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.score_map import Proposals

TRUE = Box.from_center(*START, SIDE, SIDE)


def test_it_is_due_every_so_many_frames() -> None:
    check = BoxCheck()
    assert [check.is_due(3) for _ in range(7)] == [False, False, True] * 2 + [False]


def test_it_is_never_due_at_nought() -> None:
    check = BoxCheck()
    assert not any(check.is_due(0) for _ in range(100))


def test_the_scales_take_turns() -> None:
    check, frame = BoxCheck(), CropFrame(50.0, 40.0, 2.0, 257, 257)
    looks = [check.look(frame) for _ in range(3)]
    assert [look.pixel / frame.pixel for look in looks] == pytest.approx([*SCALES, SCALES[0]])
    assert all(replace(look, pixel=frame.pixel) == frame for look in looks)


def test_the_best_proposals_contend_and_the_near_rather_than_the_far() -> None:
    # 3x3 cells; the window is 1 in the middle and 0 elsewhere
    scores = np.array([0.9, 0.0, 0.0, 0.0, 0.6, 0.5, 0.0, 0.0, 0.0], np.float32)
    boxes = np.zeros((4, 9), np.float32)
    boxes[2:] = 40
    boxes[0] = [-90, 0, 90, -90, 0, 2, -90, 0, 90]
    boxes[1] = [-90, -90, -90, 0, 0, 0, 90, 90, 90]
    cells = np.indices((3, 3)).reshape(2, -1)
    found = contenders(Proposals(boxes, scores, cells, (3, 3)))
    # .6 in the middle beats .9 at the border, and .5 is the same thing as the first
    assert found[:2].T.tolist() == [[0, 0], [-90, -90]]


class Seeing(ExactMatcher):
    """Tells templates apart by their coarse grey picture."""

    def embedding(self, template: Image) -> np.ndarray:
        grey = cv2.cvtColor(template, cv2.COLOR_BGR2GRAY).astype(np.float32)
        coarse = cv2.resize(grey, (7, 7), interpolation=cv2.INTER_AREA)
        return (coarse - coarse.mean())[None]


class Learning(KnownTracker):
    """Counts the frames that it learns from."""

    learned = 0

    def _learn(self, *arguments: Any) -> None:
        super()._learn(*arguments)
        self.learned += 1


def started(check_every: int = 1) -> Learning:
    values = {
        **PLAIN, "size_rate": 0.0, "lost_threshold": 0.0, "found_threshold": 0.0,
        "check_every": check_every,
    }  # fmt: skip
    tracker = Learning(DaSiamRpnParameters.from_mapping(values), "cpu")
    tracker.matcher = Seeing()
    tracker.init(scene(START), TRUE)
    return tracker


def misframed(tracker: Learning, scale: float) -> None:
    """Have the tracker believe in a box so many times as large."""
    last = tracker._last
    assert last is not None
    tracker._last = replace(last, box=Box.from_center(*START, SIDE * scale, SIDE * scale))


@pytest.mark.parametrize(("scale", "frames"), [(1 / SCALES[0], 1), (1 / SCALES[1], 2)])
def test_a_box_that_has_grown_or_shrunk_is_framed_anew(scale: float, frames: int) -> None:
    tracker, without = started(), started(check_every=0)
    for each in (tracker, without):
        misframed(each, scale)
        track = None
        for _ in range(frames):
            track = each.track(scene(START))
        assert track is not None
        assert track.state is TrackState.TRACKING
        each.track(scene(START))
    assert tracker._last is not None
    assert tracker._last.box.iou(TRUE) > 0.9
    assert without._last is not None
    assert without._last.box.iou(TRUE) < 0.5


def test_a_frame_that_was_framed_wrongly_teaches_nothing() -> None:
    tracker = started()
    misframed(tracker, 1 / SCALES[0])
    tracker.track(scene(START))
    assert tracker.learned == 0
    tracker.track(scene(START))
    assert tracker.learned == 1


def test_a_box_like_the_first_needs_no_look() -> None:
    tracker = started()
    asked = len(tracker.matcher.sizes)
    for _ in range(5):
        assert tracker.track(scene(START)).box.iou(TRUE) > 0.9
    assert len(tracker.matcher.sizes) == asked + 5


def test_what_is_held_is_the_better_box() -> None:
    tracker = started()
    misframed(tracker, 1 / SCALES[0])
    tracker.track(scene(START))
    assert tracker._hold.held_box.iou(TRUE) > 0.9


def test_what_waits_to_be_learned_is_dropped_where_a_frame_was_framed_wrongly() -> None:
    tracker = started(check_every=2)
    tracker.set_parameters({"learn_delay": 1})
    learned: list[Any] = []
    tracker._memory._combined.learn = lambda *lesson: learned.append(lesson)
    tracker.track(scene(START))
    misframed(tracker, 1 / SCALES[0])
    assert tracker.track(scene(START)).box.iou(TRUE) > 0.9
    tracker.track(scene(START))
    assert not learned
    tracker.track(scene(START))
    assert len(learned) == 1
