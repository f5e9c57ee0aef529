"""One process for several cameras: a node each, each with its own images and targets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np

from test.ros.harness import NodeProcess, Peer, nanoseconds
from test.ros.scene import Scene
from visual_tracker.ros.conversions import box_from_message

SCENE = Scene()


def test_two_cameras_in_one_process_do_not_meet(start_node: Callable[..., NodeProcess]) -> None:
    process = start_node("tracker_node", "front", "rear", tracker="kcf")
    with closing(Peer("/front")) as front, closing(Peer("/rear")) as rear:
        front.connect()
        rear.connect()
        black = np.zeros_like(SCENE.image(0))
        assert front.init(SCENE.box(0), SCENE.image(0), target_id="mine").success
        (detection,) = front.send_bgr(SCENE.image(1)).detections
        assert box_from_message(detection.bbox).iou(SCENE.box(1)) > 0.5
        # what came before it has come by then
        assert rear.send_bgr(black).detections == []
        fronts = {nanoseconds(detections.header) for detections in front.detections}
        assert not fronts & {nanoseconds(detections.header) for detections in rear.detections}
        assert process.alive


def test_a_namespace_that_is_none_is_refused_in_one_line(
    start_node: Callable[..., NodeProcess],
) -> None:
    process = start_node("tracker_node", "front", "re ar")
    assert process.wait() == 2
    (line,) = [line for line in process.log.splitlines() if line.startswith("error:")]
    assert "namespace" in line
    assert "re ar" in line


def test_cameras_that_a_remapping_gives_one_name_are_refused_in_one_line(
    start_node: Callable[..., NodeProcess],
) -> None:
    remapping = ["--ros-args", "-r", "__ns:=/robot", "--"]
    process = start_node("tracker_node", "front", "rear", *remapping)
    assert process.wait() == 2
    (line,) = [line for line in process.log.splitlines() if line.startswith("error:")]
    assert "2 nodes of this process would be /robot/tracker_node" in line
    assert "__ns" in line
