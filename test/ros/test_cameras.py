"""One process for several cameras: a node each, each with its own images and targets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np

from test.ros.harness import NodeProcess, Peer
from test.ros.scene import Scene
from visual_tracker.ros.conversions import box_from_message

SCENE = Scene()


def test_two_cameras_in_one_process_do_not_meet(start_node: Callable[..., NodeProcess]) -> None:
    process = start_node("tracker_node", "front", "rear", tracker="kcf")
    with closing(Peer("/front")) as front, closing(Peer("/rear")) as rear:
        front.connect()
        rear.connect()
        black = np.zeros_like(SCENE.image(0))
        rear.detections.clear()
        assert front.init(SCENE.box(0), SCENE.image(0), target_id="mine").success
        assert not rear.detections  # nor did the other camera's images come here
        (detection,) = front.send_bgr(SCENE.image(1)).detections
        assert box_from_message(detection.bbox).iou(SCENE.box(1)) > 0.5
        assert rear.send_bgr(black).detections == []
        assert process.alive


def test_a_namespace_that_is_none_is_refused_in_one_line(
    start_node: Callable[..., NodeProcess],
) -> None:
    process = start_node("tracker_node", "front", "re ar")
    assert process.wait() == 2
    (line,) = [line for line in process.log.splitlines() if line.startswith("error:")]
    assert "namespace" in line
