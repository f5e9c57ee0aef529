"""The demo's client, given its messages by hand, in the orders in which they can come."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray

from visual_tracker.boxes import Box
from visual_tracker.ros.conversions import box_to_message, image_message
from visual_tracker.ros.demo_client import DemoClient
from visual_tracker_msgs.srv import InitTarget

BOX = Box(10, 10, 20, 20)
MOVED = Box(12, 10, 20, 20)


class Played:
    """The client, with what it asked for and what it drew."""

    def __init__(self) -> None:
        self.drawn: list[np.ndarray] = []
        self.asked: list[int] = []
        recorder = SimpleNamespace(write=self.drawn.append)
        self.client = DemoClient(BOX, recorder, "/tracker_node")
        self.client.init_client = SimpleNamespace(init_target=self._ask)

    def image(self, stamp: int) -> None:
        picture = np.zeros((48, 64, 3), np.uint8)
        self.client._on_image(image_message(picture, _header(stamp)))

    def detections(self, stamp: int, *boxes: Box) -> None:
        detections = [Detection2D(bbox=box_to_message(box)) for box in boxes]
        self.client._on_detections(Detection2DArray(header=_header(stamp), detections=detections))

    def grant(self) -> None:
        self.client._on_answer(InitTarget.Response(success=True, bbox=box_to_message(BOX)))

    def boxes(self) -> list[Box | None]:
        return [frame.box for frame in self.client.observations.frames]

    def _ask(self, box: Box, stamp, on_answer, label: str) -> None:
        self.asked.append(stamp.nanosec)


def _header(stamp: int) -> Header:
    return Header(stamp=Time(nanosec=stamp))


@pytest.fixture
def played() -> Iterator[Played]:
    played = Played()
    yield played
    played.client.destroy_node()


def test_target_is_asked_for_once_on_the_first_image_answered(played: Played) -> None:
    played.image(1)
    assert played.asked == []
    played.image(2)
    # the node did not take the first image in time
    played.detections(2)
    played.image(3)
    played.detections(3)
    assert played.asked == [2]
    played.grant()
    played.image(4)
    played.detections(4, MOVED)
    assert played.boxes() == [None, BOX, None, MOVED]
    assert len(played.drawn) == 4


def test_detections_before_their_image_are_noted(played: Played) -> None:
    played.detections(1)
    assert played.asked == []
    played.image(1)
    assert played.asked == [1]
    played.grant()
    played.detections(2, MOVED)
    played.image(2)
    frames = played.client.observations.frames
    assert [frame.answered for frame in frames] == [True, True]
    assert played.boxes() == [BOX, MOVED]
    assert len(played.drawn) == 2
