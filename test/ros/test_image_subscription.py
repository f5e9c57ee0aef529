"""The thread that takes images: without an executor, through errors, and until it is closed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from test.ros.harness import TIMEOUT
from visual_tracker.ros.conversions import image_message
from visual_tracker.ros.delivery import Delivery
from visual_tracker.ros.frame_times import Arrival
from visual_tracker.ros.image_subscription import ImageSubscription
from visual_tracker.ros.qos import image_qos

BLACK = np.zeros((16, 16, 3), np.uint8)


class Setting:
    """A publisher and a subscription of one node, and what comes of them."""

    def __init__(self, on_image: Callable[[Any, Arrival], None] | None = None) -> None:
        self.node = Node("subscribed")
        self.images: queue.Queue[tuple[Image, Arrival]] = queue.Queue()
        self.problems: list[str] = []
        self.matched: list[tuple[int, str]] = []
        self.publisher = self.node.create_publisher(Image, "seen", image_qos("reliable"))
        self.subscription = ImageSubscription(
            self.node,
            Image,
            "seen",
            image_qos("best_effort"),
            Delivery(),
            on_image=on_image or (lambda message, arrival: self.images.put((message, arrival))),
            on_matched=self._on_matched,
            on_mismatch=lambda event: None,
            on_problem=self.problems.append,
        )

    def _on_matched(self) -> None:
        self.matched.append((self.subscription.publishers, threading.current_thread().name))

    def publish_until(self, happened: Callable[[], Any]) -> None:
        deadline = time.monotonic() + TIMEOUT
        pause = threading.Event()
        while not happened():
            assert time.monotonic() < deadline
            self.publisher.publish(image_message(BLACK, Header(frame_id="here")))
            pause.wait(0.02)


@pytest.fixture
def make_setting() -> Iterator[Callable[..., Setting]]:
    made: list[Setting] = []

    def make(**arguments: Any) -> Setting:
        made.append(Setting(**arguments))
        return made[-1]

    yield make
    for setting in made:
        setting.node.destroy_node()


def test_images_come_while_no_executor_spins(make_setting: Callable[..., Setting]) -> None:
    setting = make_setting()
    setting.publish_until(lambda: not setting.images.empty())
    message, arrival = setting.images.get()
    assert (message.width, message.header.frame_id) == (16, "here")
    assert 0 < arrival.sent <= arrival.arrived <= arrival.taken
    setting.subscription.close()


def test_an_image_that_fails_is_reported_and_the_next_one_comes(
    make_setting: Callable[..., Setting],
) -> None:
    calls: list[Image] = []

    def fail_once(message: Image, arrival: Arrival) -> None:
        calls.append(message)
        if len(calls) == 1:
            raise ValueError("no good")

    setting = make_setting(on_image=fail_once)
    setting.publish_until(lambda: len(calls) > 1)
    (problem,) = setting.problems
    assert "no good" in problem
    setting.subscription.close()


def test_publishers_are_told_on_the_executors_thread(
    make_setting: Callable[..., Setting],
) -> None:
    setting = make_setting()
    executor = SingleThreadedExecutor()
    executor.add_node(setting.node)
    deadline = time.monotonic() + TIMEOUT
    other = setting.node.create_publisher(Image, "seen", 1)
    while not any(count == 2 for count, _ in setting.matched):
        assert time.monotonic() < deadline
        executor.spin_once(timeout_sec=0.05)
    assert {thread for _, thread in setting.matched} == {threading.current_thread().name}
    setting.node.destroy_publisher(other)
    setting.subscription.close()
    executor.shutdown()


def test_the_last_told_of_publishers_is_the_newest_even_if_the_executor_was_busy(
    make_setting: Callable[..., Setting],
) -> None:
    setting = make_setting()
    executor = SingleThreadedExecutor()
    executor.add_node(setting.node)
    others = [setting.node.create_publisher(Image, "seen", 1) for _ in range(2)]
    deadline = time.monotonic() + TIMEOUT
    pause = threading.Event()
    # all that is told of them waits for an executor that does the newest task first
    while setting.subscription.publishers < 3:
        assert time.monotonic() < deadline
        pause.wait(0.01)
    while not setting.matched:
        assert time.monotonic() < deadline
        executor.spin_once(timeout_sec=0.05)
    for _ in range(5):
        executor.spin_once(timeout_sec=0.0)
    assert {count for count, _ in setting.matched} == {3}
    for other in others:
        setting.node.destroy_publisher(other)
    setting.subscription.close()
    executor.shutdown()


def test_nothing_comes_after_it_is_closed(make_setting: Callable[..., Setting]) -> None:
    setting = make_setting()
    setting.publish_until(lambda: not setting.images.empty())
    setting.subscription.close()
    assert "images" not in [thread.name for thread in threading.enumerate()]
    taken = setting.images.qsize()
    # a subscription of the same topic hears what this one must not
    heard: list[Image] = []
    setting.node.create_subscription(Image, "seen", heard.append, 1)
    executor = SingleThreadedExecutor()
    executor.add_node(setting.node)

    def other_hears() -> bool:
        executor.spin_once(timeout_sec=0.0)
        return bool(heard)

    setting.publish_until(other_hears)
    assert setting.images.qsize() == taken
    executor.shutdown()
