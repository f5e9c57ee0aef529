"""What MemTrack does otherwise than SiamFC: what its memory is asked, and what it is given."""

from __future__ import annotations

import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork
from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.models.geometry import LITE
from visual_tracker.models.matchers import FloatArray, Memory
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.memtrack import MemTrackParameters, MemTrackTracker

START = Box(170, 160, 60, 80)


def grey(level: int) -> Image:
    return np.full((400, 400, 3), level, dtype=np.uint8)


class RememberedMatcher:
    """Remembers grey levels; finds the target where it was, at the scale `peak`."""

    geometry = LITE

    def __init__(self) -> None:
        self.logit, self.peak = 4.0, 1
        self.seen: list[float] = []
        self.writes: list[float] = []
        self.widths: list[list[int]] = []

    def learn(self, image: Image) -> Memory:
        assert image.shape == (129, 129, 3)
        level = np.full((1, 1, 1, 1), image.mean(), dtype=np.float32)
        return Memory(level, *(np.ones((1, 1), np.float32) for _ in range(5)))

    def recall(
        self, memory: Memory, seen: FloatArray, images: list[Image]
    ) -> tuple[FloatArray, Memory]:
        self.seen.append(float(seen.mean()))
        self.writes.append(float(memory.write.mean()))
        # a white strip is the wider the less of the image a crop shows
        self.widths.append([int(image[128, :, 0].sum()) for image in images])
        logits = np.full((len(images), 27, 27), -8.0, dtype=np.float32)
        order = np.argsort(self.widths[-1]) if len(set(self.widths[-1])) > 1 else range(len(images))
        logits[list(order)[::-1][self.peak], 13, 13] = self.logit
        return logits, memory._replace(write=np.ones((1, 1), np.float32))


def started(matcher: RememberedMatcher, image: Image) -> MemTrackTracker:
    class Known(KnownNetwork, MemTrackTracker):
        network = matcher

    # grey levels stand for what is remembered: no gain on them
    tracker = Known(MemTrackParameters(window_influence=0.0, least_brightness=0), "cpu")
    tracker.init(image, START)
    return tracker


def test_each_frame_gives_the_memory_what_was_found_in_the_one_before() -> None:
    matcher = RememberedMatcher()
    tracker = started(matcher, grey(10))
    for level in (20, 30, 40):
        assert tracker.track(grey(level)).state is TrackState.TRACKING
    assert matcher.seen == pytest.approx([10, 20, 30], abs=0.5)
    assert matcher.writes == [1, 1, 1]


def test_nothing_is_written_of_a_frame_in_which_it_is_lost() -> None:
    matcher = RememberedMatcher()
    tracker = started(matcher, grey(10))
    tracker.track(grey(20))
    matcher.logit = -4.0
    assert tracker.track(grey(30)).state is TrackState.LOST
    matcher.logit = 4.0
    assert tracker.track(grey(40)).state is TrackState.TRACKING
    tracker.track(grey(50))
    # after the loss the memory keeps what it has; then the frame after it is written
    assert matcher.writes == [1, 1, 0, 1]
    assert matcher.seen[3] == pytest.approx(40, abs=0.5)


@pytest.mark.parametrize(("peak", "growth"), [(0, 1 / 1.05), (1, 1.0), (2, 1.05)])
def test_the_memory_looks_at_the_middle_scale_and_the_box_follows_the_best(
    peak: int, growth: float
) -> None:
    image = grey(0)
    image[:, 180:220] = 255
    matcher = RememberedMatcher()
    matcher.peak = peak
    tracker = started(matcher, image)
    box = tracker.track(image).box
    first, *others = matcher.widths[0]
    assert min(others) < first < max(others)
    assert box.width == pytest.approx(60 * (1 + 0.6 * (growth - 1)))


def test_a_new_init_forgets() -> None:
    matcher = RememberedMatcher()
    tracker = started(matcher, grey(10))
    tracker.track(grey(20))
    tracker.init(grey(60), START)
    tracker.track(grey(70))
    assert matcher.seen[-1] == pytest.approx(60, abs=0.5)
