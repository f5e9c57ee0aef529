"""Targets: init, late init, re-init, removal, several at once, and what is refused."""

from __future__ import annotations

import math

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D

from test.ros.harness import Peer, nanoseconds, only_box
from test.ros.scene import Scene
from visual_tracker.boxes import Box
from visual_tracker.ros.conversions import box_from_message, box_to_message, image_message
from visual_tracker_msgs.msg import TargetState

SCENE = Scene()


def track(camera: Peer, first: int, last: int) -> Box:
    """Send the scene's frames and give the box in the last one."""
    for index in range(first, last + 1):
        detections = camera.send_bgr(SCENE.image(index))
    return only_box(detections)


def test_init_on_the_next_image_and_tracking(camera: Peer) -> None:
    response = camera.init(SCENE.box(0), SCENE.image(0), label="square")
    assert response.success, response.message
    assert response.target_id == "target_1"
    assert box_from_message(response.bbox) == SCENE.box(0)
    assert track(camera, 1, 20).iou(SCENE.box(20)) > 0.7


def test_detection_carries_header_id_label_and_state(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0), target_id="mine", label="square")
    detections = camera.send_bgr(SCENE.image(1))
    (detection,) = detections.detections
    assert detections.header.frame_id == "test_camera"
    assert detection.header == detections.header
    assert detection.id == "mine"
    (result,) = detection.results
    assert result.hypothesis.class_id == "square"
    # KCF has no honest confidence
    assert math.isnan(result.hypothesis.score)
    states = camera.states_of(detections)
    assert states.header == detections.header
    assert states.tracker == "kcf"
    (state,) = states.targets
    assert (state.id, state.label, state.state) == ("mine", "square", TargetState.TRACKING)
    assert state.frames_since_seen == 0
    assert state.bbox == detection.bbox


def test_empty_array_for_every_image_without_target(camera: Peer) -> None:
    assert camera.send_bgr(SCENE.image(0)).detections == []


def test_late_init_starts_on_its_own_image_and_catches_up(camera: Peer) -> None:
    headers = [camera.send_bgr(SCENE.image(index)).header for index in range(40)]
    # by now the target is 120 px away: a start on the newest image could not find it
    assert SCENE.box(2).iou(SCENE.box(39)) == 0
    response = camera.init_at(SCENE.box(2), headers[2].stamp)
    assert response.success, response.message

    # the first detection at all is of an image after the catch-up, and in the right place
    index, detections = camera.send_until_tracked(SCENE.image, 40)
    assert only_box(detections).iou(SCENE.box(index)) > 0.7
    early = [d for d in camera.detections if nanoseconds(d.header) <= nanoseconds(headers[-1])]
    assert len(early) >= 40
    assert not any(d.detections for d in early)


def test_stamp_outside_the_buffer_is_refused_with_its_span(camera: Peer) -> None:
    header = camera.send_bgr(SCENE.image(0)).header
    for stamp in (Time(sec=1), Time(sec=header.stamp.sec + 1000)):
        response = camera.init_at(SCENE.box(0), stamp)
        assert not response.success
        assert "span" in response.message
        newest = f"{header.stamp.sec}.{header.stamp.nanosec:09d}"
        assert newest in response.message


def test_stamp_just_ahead_of_the_newest_image_is_waited_for(camera: Peer) -> None:
    from visual_tracker_msgs.srv import InitTarget

    camera.send_bgr(SCENE.image(0))
    message = image_message(SCENE.image(1), camera.header())
    request = camera.init_request(SCENE.box(1), stamp=message.header.stamp)
    future = camera.begin(InitTarget, "/tracker_node/init_target", request)
    camera.spin(0.2)
    assert not future.done()
    camera._publisher(Image, "reliable").publish(message)
    assert camera.finish(future).success


def test_init_again_moves_the_target(camera: Peer) -> None:
    camera.init(Box(5, 150, 40, 40), SCENE.image(0), target_id="mine")
    response = camera.init(SCENE.box(0), SCENE.image(0), target_id="mine")
    assert response.success, response.message
    assert response.target_id == "mine"
    assert track(camera, 1, 10).iou(SCENE.box(10)) > 0.7


def test_removed_target_is_gone(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0), target_id="mine")
    assert camera.remove("mine").success
    detections = camera.send_bgr(SCENE.image(1))
    assert detections.detections == []
    assert camera.states_of(detections).targets == []


def test_removing_an_unknown_target_is_refused_by_name(camera: Peer) -> None:
    response = camera.remove("nobody")
    assert not response.success
    assert "nobody" in response.message


def test_clear_removes_all_and_says_how_many(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0))
    camera.init(Box(5, 150, 40, 40), SCENE.image(0))
    response = camera.clear()
    assert response.success
    assert response.message.startswith("2 ")
    assert camera.send_bgr(SCENE.image(1)).detections == []


def test_two_targets_at_once_and_no_third(camera: Peer) -> None:
    # the node's max_targets is 2
    still = Box(5, 150, 40, 40)
    first = camera.init(SCENE.box(0), SCENE.image(0), label="moving")
    second = camera.init(still, SCENE.image(0), label="still")
    assert first.target_id != second.target_id
    third = camera.init(Box(200, 20, 40, 40), SCENE.image(0))
    assert not third.success
    assert "max_targets" in third.message
    for index in range(1, 15):
        detections = camera.send_bgr(SCENE.image(index))
    boxes = {d.id: box_from_message(d.bbox) for d in detections.detections}
    assert boxes[first.target_id].iou(SCENE.box(14)) > 0.7
    assert boxes[second.target_id].iou(still) > 0.7


def _bbox(x: float, y: float, width: float, height: float, theta: float = 0.0) -> BoundingBox2D:
    message = BoundingBox2D(size_x=width, size_y=height)
    message.center.theta = theta
    message.center.position.x, message.center.position.y = x, y
    return message


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        (_bbox(math.nan, 100.0, 40.0, 40.0), "box x is nan"),
        (_bbox(100.0, math.inf, 40.0, 40.0), "box y is inf"),
        (_bbox(100.0, 100.0, -40.0, 40.0), "box width is -40"),
        (_bbox(100.0, 100.0, 40.0, 0.0), "box height is 0"),
        (_bbox(100.0, 100.0, 40.0, 40.0, math.inf), "box theta is inf"),
        (_bbox(100.0, 100.0, 40.0, 40.0, math.nan), "box theta is nan"),
        (_bbox(1000.0, 100.0, 40.0, 40.0), "outside the 320x240 image"),
        (_bbox(-100.0, 100.0, 40.0, 40.0), "outside the 320x240 image"),
        (_bbox(100.0, 100.0, 2.0, 40.0), "smallest side allowed"),
        (_bbox(-19.0, 100.0, 40.0, 40.0), "smallest side allowed"),
    ],
)
def test_bad_box_is_refused_with_its_reason_and_others_are_untouched(
    camera: Peer, bbox: BoundingBox2D, reason: str
) -> None:
    camera.init(SCENE.box(0), SCENE.image(0), target_id="good")
    for target_id in ("bad", "good"):
        response = camera.init(bbox, SCENE.image(0), target_id=target_id)
        assert not response.success
        assert reason in response.message
    assert track(camera, 1, 8).iou(SCENE.box(8)) > 0.7
    assert camera.states[-1].targets[0].id == "good"


def test_box_reaching_over_the_border_is_clipped(camera: Peer) -> None:
    response = camera.init(Box(-10, -20, 60, 70), SCENE.image(0))
    assert response.success, response.message
    assert box_from_message(response.bbox) == Box(0, 0, 50, 50)


def test_rotated_box_becomes_the_upright_one_around_it(camera: Peer) -> None:
    rotated = box_to_message(Box(100, 80, 60, 20))
    rotated.center.theta = math.pi / 2
    response = camera.init(rotated, SCENE.image(0))
    assert response.success, response.message
    upright = box_from_message(response.bbox)
    assert upright.xywh == pytest.approx((120, 60, 20, 60), abs=1e-6)


def test_init_without_images_is_refused_after_the_timeout(camera: Peer) -> None:
    from visual_tracker_msgs.srv import InitTarget

    request = camera.init_request(SCENE.box(0))
    response = camera.call(InitTarget, "/tracker_node/init_target", request)
    assert not response.success
    assert "no usable image" in response.message


def test_debug_image_is_drawn_for_a_subscriber(camera: Peer) -> None:
    camera.init(SCENE.box(0), SCENE.image(0))
    drawn: list[Image] = []
    subscription = camera.node.create_subscription(
        Image, "/tracker_node/debug_image", drawn.append, 1
    )
    index = 0

    def drawn_one() -> bool:
        nonlocal index
        index += 1
        camera.send_bgr(SCENE.image(index))
        camera.spin(0.05)
        return bool(drawn)

    camera.wait_for(drawn_one, "a debug image")
    camera.node.destroy_subscription(subscription)
    assert (drawn[0].width, drawn[0].height, drawn[0].encoding) == (320, 240, "bgr8")
    assert drawn[0].header.frame_id == "test_camera"
    plain = {bytes(image_message(SCENE.image(i), Header()).data) for i in range(index + 1)}
    assert bytes(drawn[0].data) not in plain
