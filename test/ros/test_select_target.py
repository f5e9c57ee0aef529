"""The selector with a person who draws by test: the images and the service are real."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
import rclpy

from test.ros.harness import NodeProcess, Peer, only_box
from test.ros.scene import Scene
from visual_tracker import display
from visual_tracker.images import Image
from visual_tracker.ros.select_target import SelectTarget, show_and_select

SCENE = Scene()


class Person:
    """Presses the keys given, one an image, and draws a box on the image frozen."""

    def __init__(self, keys: list[int | None], before_key: Callable[[], None]) -> None:
        self.keys = keys
        self.before_key = before_key
        self.shown: list[Image] = []

    def show_and_wait(self, title: str, image: Image) -> int | None:
        self.shown.append(image)
        self.before_key()
        return self.keys.pop(0)

    def select_box(self, image: Image):
        # the target's box on the very image that is shown
        index = next(i for i in range(200) if (SCENE.image(i) == image).all())
        return SCENE.box(index)


def test_box_drawn_is_tracked_from_its_image(
    shared_node: NodeProcess, camera: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    def send_next() -> None:
        nonlocal sent
        camera.send_bgr(SCENE.image(sent))
        sent += 1

    person = Person([None, display.SPACE] + [None] * 10 + [display.QUIT_KEYS[0]], send_next)
    monkeypatch.setattr(display, "show_and_wait", person.show_and_wait)
    monkeypatch.setattr(display, "select_box", person.select_box)
    selector = SelectTarget()
    camera.wait_for(lambda: selector._init_client.ready, "the selector's service client")

    def sees_an_image() -> bool:
        send_next()
        rclpy.spin_once(selector, timeout_sec=0.1)
        return selector.newest() is not None

    camera.wait_for(sees_an_image, "the selector's first image")
    show_and_select(selector)
    selector.destroy_node()

    index, detections = camera.send_until_tracked(SCENE.image, sent)
    assert only_box(detections).iou(SCENE.box(index)) > 0.7
    assert len(person.shown) == 13


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_before_the_first_image_ends_it_well(
    start_node: Callable[..., NodeProcess], peer: Peer, by: signal.Signals
) -> None:
    process = start_node("select_target")
    peer.wait_for(lambda: "no image yet" in process.log, "the selector to be waiting")
    process.interrupt(by)
    assert process.wait() == 0
    assert "Traceback" not in process.log
