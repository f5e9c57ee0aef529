"""Re3's crops, resets and boxes, with a network whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork
from visual_tracker.boxes import Box
from visual_tracker.crops import AffineFrame
from visual_tracker.images import Image
from visual_tracker.models.geometry import LITE_RE3
from visual_tracker.models.matchers import FloatArray, Recurrent
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.re3 import Re3Parameters, Re3Tracker

START = Box(170, 160, 60, 80)
STILL = (-0.25, -0.25, 0.25, 0.25)


class CountingMatcher:
    """Counts frames in its state and answers with `corners`."""

    geometry = LITE_RE3

    def __init__(self, *corners: float) -> None:
        self.corners = np.array(corners or STILL, dtype=np.float32)
        self.counts: list[int] = []
        self.pairs: list[tuple[Image, Image]] = []

    def learn(self, image: Image) -> Recurrent:
        assert image.shape == (129, 129, 3)
        return Recurrent(*(np.zeros((1, 1), np.float32) for _ in range(4)))

    def follow(self, state: Recurrent, before: Image, now: Image) -> tuple[FloatArray, Recurrent]:
        self.counts.append(int(state.hidden.sum()))
        self.pairs.append((before, now))
        return self.corners, state._replace(hidden=state.hidden + 1)


def started(matcher: CountingMatcher, image: Image, **changes: object) -> Re3Tracker:
    class Known(KnownNetwork, Re3Tracker):
        network = matcher

    tracker = Known(Re3Parameters.from_mapping(changes), "cpu")
    tracker.init(image, START)
    return tracker


def target_at(box: Box) -> Image:
    image = np.zeros((400, 400, 3), dtype=np.uint8)
    left, top, right, bottom = (round(side) for side in box.xyxy)
    image[top:bottom, left:right] = 255
    return image


def test_the_target_fills_half_of_each_side_of_a_crop_whatever_its_shape() -> None:
    frame = AffineFrame.stretched(START, 129)
    inside = frame.box_to_crop(START)
    assert inside.xywh == pytest.approx((32.25, 32.25, 64.5, 64.5))
    corners = frame.points_to_image(np.array([[0.0, 0.0], [129.0, 129.0]]))
    assert corners.ravel() == pytest.approx([140, 120, 260, 280])
    assert frame.points_to_crop(corners).ravel() == pytest.approx([0, 0, 129, 129])


def test_both_crops_of_a_frame_are_of_the_place_of_the_last_box() -> None:
    matcher = CountingMatcher()
    tracker = started(matcher, target_at(START))
    tracker.track(target_at(Box(200, 160, 60, 80)))
    before, now = matcher.pairs[0]
    # half of the crop is the target; moved by half its width, it lies a quarter of the crop off
    assert np.flatnonzero(before[64, :, 0] > 128)[[0, -1]] == pytest.approx([32, 96], abs=1)
    assert np.flatnonzero(now[64, :, 0] > 128)[[0, -1]] == pytest.approx([64, 128], abs=1)
    assert np.array_equal(before[:, 64], now[:, 80])
    matcher.corners = np.array([0.0, -0.25, 0.5, 0.25], dtype=np.float32)
    tracker.track(target_at(Box(200, 160, 60, 80)))
    tracker.track(target_at(Box(200, 160, 60, 80)))
    # the crop kept of the last frame lies around the new box
    before, now = matcher.pairs[-1]
    assert np.array_equal(before, now)
    assert np.flatnonzero(before[64, :, 0] > 128)[[0, -1]] == pytest.approx([32, 96], abs=1)


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        (STILL, (170, 160, 60, 80)),
        ((-0.25, -0.25, 0.25, 0.5), (170, 160, 60, 120)),
        ((0.0, -0.5, 0.25, 0.0), (200, 120, 30, 80)),
    ],
)
def test_corners_are_in_sides_of_the_crop(
    corners: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    track = started(CountingMatcher(*corners), target_at(START)).track(target_at(START))
    assert track.box.xywh == pytest.approx(expected, abs=1e-3)
    assert track.state is TrackState.TRACKING
    assert track.confidence is None


@pytest.mark.parametrize(("every", "expected"), [(3, [0, 1, 2, 0, 1, 2, 0]), (0, list(range(7)))])
def test_the_state_goes_back_to_that_after_the_first_frame(every: int, expected: list[int]) -> None:
    matcher = CountingMatcher()
    tracker = started(matcher, target_at(START), reset_every=every)
    for _ in expected:
        tracker.track(target_at(START))
    assert matcher.counts == expected


def test_a_reset_that_is_set_lower_than_the_frames_since_the_last_comes_at_once() -> None:
    matcher = CountingMatcher()
    tracker = started(matcher, target_at(START), reset_every=0)
    for every in (0, 0, 0, 0, 2, 2, 2):
        tracker.set_parameters({"reset_every": every})
        tracker.track(target_at(START))
    assert matcher.counts == [0, 1, 2, 3, 0, 1, 0]


def test_a_box_that_leaves_the_image_is_lost_and_stays_where_it_was() -> None:
    matcher = CountingMatcher()
    tracker = started(matcher, target_at(START))
    tracker.init(target_at(START), Box(300, 160, 80, 80))
    matcher.corners = np.array([0.25, -0.25, 0.75, 0.25], dtype=np.float32)
    track = tracker.track(target_at(START))
    assert track.state is TrackState.LOST
    assert track.box.xywh == (300, 160, 80, 80)
    matcher.corners = np.array(STILL, dtype=np.float32)
    assert tracker.track(target_at(START)).state is TrackState.TRACKING


def test_a_box_turned_inside_out_keeps_the_smallest_sides() -> None:
    matcher = CountingMatcher(0.1, 0.1, -0.1, -0.1)
    box = started(matcher, target_at(START)).track(target_at(START)).box
    assert min(box.width, box.height) == 10
    assert box.center == pytest.approx((200, 200))
