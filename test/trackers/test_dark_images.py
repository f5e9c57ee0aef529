"""The Siamese trackers in the dark: their networks see crops with a gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from visual_tracker import Box, create_tracker
from visual_tracker.benchmarks.speed import Scene
from visual_tracker.boxes import BoxError
from visual_tracker.brightness import brightness
from visual_tracker.images import Image
from visual_tracker.models.weights import packaged_weights
from visual_tracker.trackers import Tracker

pytest.importorskip("torch")

SCENE = Scene(320, 240)
LIGHT = 0.1

pytestmark = pytest.mark.skipif(
    packaged_weights("siamrpn", "lite") is None, reason="needs packaged weights"
)


class Spy:
    """A matcher that remembers every crop that it is shown."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher
        self.crops: list[Image] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._matcher, name)
        return self._remembering(found) if callable(found) else found

    def _remembering(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def remembered(*arguments: Any) -> Any:
            for argument in arguments:
                many = argument if isinstance(argument, list) else [argument]
                self.crops += [crop for crop in many if getattr(crop, "dtype", None) == np.uint8]
            return call(*arguments)

        return remembered


def image(index: int, light: float = 1.0) -> Image:
    return np.rint(SCENE.image(index) * light).astype(np.uint8)


def spied(name: str, **parameters: Any) -> tuple[Tracker, Spy]:
    tracker: Any = create_tracker(name, engine="torch", **parameters)
    tracker.matcher = Spy(tracker.matcher)
    return tracker, tracker.matcher


@pytest.mark.parametrize("name", ["siamrpn", "dasiamrpn", "siamfc", "cfnet", "memtrack", "re3"])
def test_the_network_is_shown_bright_crops_of_dark_images(name: str) -> None:
    (box,) = SCENE.boxes(1)
    for least, bright in ((96, True), (0, False)):
        tracker, spy = spied(name, least_brightness=least)
        tracker.init(image(0, LIGHT), box)
        begun = len(spy.crops)
        tracker.track(image(1, LIGHT))
        assert 0 < begun < len(spy.crops)
        assert all((brightness(crop) > 70) is bright for crop in spy.crops)


def test_a_light_that_is_switched_on_or_off_changes_little_for_the_network() -> None:
    (box,) = SCENE.boxes(1)
    tracker, spy = spied("siamrpn")
    tracker.init(image(0, LIGHT), box)
    for index, light in enumerate((LIGHT, 1.0, LIGHT, 0.3), start=1):
        track = tracker.track(image(index, light))
        assert not track.is_lost
        assert brightness(spy.crops[-1]) >= 80


def test_a_start_that_is_refused_leaves_the_gain_of_the_target_before() -> None:
    (box,) = SCENE.boxes(1)
    tracker, spy = spied("siamrpn", lost_threshold=1.0, found_threshold=1.0)
    tracker.init(image(0, LIGHT), box)
    tracker.track(image(0, LIGHT))
    with pytest.raises(BoxError):
        tracker.init(image(0), Box(-100, -100, 20, 20))
    assert tracker.track(image(0, LIGHT)).is_lost
    assert 90 <= brightness(spy.crops[-1]) <= 110


def test_bright_images_are_shown_as_they_are() -> None:
    (box,) = SCENE.boxes(1)
    (gained, spy), (plain, other) = spied("siamrpn"), spied("siamrpn", least_brightness=0)
    for tracker in (gained, plain):
        tracker.init(image(0), box)
        tracker.track(image(1))
    for crop, same in zip(spy.crops, other.crops, strict=True):
        np.testing.assert_array_equal(crop, same)


def test_a_lost_target_is_looked_for_with_the_gain_it_was_held_with() -> None:
    (box,) = SCENE.boxes(1)
    tracker, spy = spied("siamrpn", lost_threshold=1.0, found_threshold=1.0)
    tracker.init(image(0, LIGHT), box)
    for _ in range(3):
        assert tracker.track(image(0, LIGHT)).is_lost
        assert 90 <= brightness(spy.crops[-1]) <= 110
