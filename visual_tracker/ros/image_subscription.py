"""The subscription to images, taken by a thread of its own that waits for nothing else.

rclpy's executor builds its wait set of all services, timers and events anew for every callback,
twice: 2 ms of Python an image, in which the tracker's thread has to wait for the interpreter
(docs/performance.md). This thread keeps one wait set of one subscription.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import (
    EventHandler,
    QoSMessageLostInfo,
    QoSSubscriptionMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile

from visual_tracker.ros.delivery import Delivery
from visual_tracker.ros.frame_times import Arrival

#: of the subscription in the wait set
_IMAGES = 0
_FOREVER = -1
_SECONDS_AFTER_ERROR = 0.1


class ImageSubscription:
    """Takes every image that comes and hands it over, until it is closed.

    Args:
        node: subscribes, and has an executor, which runs `on_matched` and `on_mismatch`.
        kind: sensor_msgs Image or CompressedImage.
        topic: name.
        qos: of the subscription.
        delivery: counts what is never handed over; it may have counted before.
        on_image: called on the subscription's thread with the message and its Arrival.
        on_matched: called when publishers have come or gone; `publishers` says how many there are.
        on_mismatch: called when a publisher's QoS or type does not fit.
        on_problem: called on the subscription's thread with what went wrong there; it goes on.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        qos: QoSProfile,
        delivery: Delivery,
        on_image: Callable[[Any, Arrival], None],
        on_matched: Callable[[], None],
        on_mismatch: Callable[[object], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._node = node
        self._delivery = delivery
        self._on_image = on_image
        self._on_matched = on_matched
        self._on_mismatch = on_mismatch
        self._on_problem = on_problem
        delivery.on_publishers(0)
        self._subscription = node.create_subscription(
            kind,
            topic,
            _unused,
            qos,
            callback_group=_OfNoExecutor(),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._mismatched,
                incompatible_type=self._mismatched,
                matched=self._matched,
                message_lost=self._lost,
            ),
        )
        self._guard = GuardCondition(callback=None, callback_group=None, context=node.context)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    @property
    def publishers(self) -> int:
        """How many are matched now."""
        return self._delivery.publishers

    def close(self) -> None:
        """Take no more images; none is handed over after this."""
        self._closing.set()
        self._guard.trigger()
        self._thread.join()
        self._guard.destroy()
        self._node.destroy_subscription(self._subscription)

    # -- the thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        context = self._node.context
        events: list[EventHandler] = list(self._subscription.event_handlers)
        with ExitStack() as in_use:
            for used in (self._subscription.handle, self._guard.handle, *events, context.handle):
                in_use.enter_context(used)
            # one subscription, one guard condition, no timers, clients or services
            wait_set = _rclpy.WaitSet(1, 1, 0, 0, 0, len(events), context.handle)
            while not self._closing.is_set():
                try:
                    self._take_turn(wait_set, events)
                except Exception:
                    # after an interruption ROS is invalid before the node closes this
                    if not context.ok():
                        return
                    self._on_problem(f"internal error: {traceback.format_exc()}")
                    # what fails each time must not take the processor
                    self._closing.wait(_SECONDS_AFTER_ERROR)

    def _take_turn(self, wait_set: Any, events: list[EventHandler]) -> None:
        """Wait for one image or event and handle it."""
        wait_set.clear_entities()
        wait_set.add_subscription(self._subscription.handle)
        wait_set.add_guard_condition(self._guard.handle)
        for event in events:
            event.add_to_wait_set(wait_set)
        wait_set.wait(_FOREVER)
        # events first: what was lost before an image, and whose numbers it carries
        for event in events:
            if event.is_ready(wait_set):
                event.callback(event.take_data())
        if not self._closing.is_set() and wait_set.is_ready("subscription", _IMAGES):
            self._take_image()

    def _take_image(self) -> None:
        taken = self._subscription.handle.take_message(self._subscription.msg_type, False)
        if taken is None:
            return
        message, info = taken
        now = time.time_ns()
        self._delivery.on_image(info["publication_sequence_number"])
        self._on_image(message, Arrival.of(info, now))

    def _lost(self, info: QoSMessageLostInfo) -> None:
        self._delivery.on_lost(info.total_count_change)

    def _matched(self, info: QoSSubscriptionMatchedInfo) -> None:
        self._delivery.on_publishers(info.current_count)
        # without the number: of tasks that wait together an executor does the newest first
        self._in_executor(self._on_matched)

    def _mismatched(self, info: object) -> None:
        self._in_executor(self._on_mismatch, info)

    def _in_executor(self, callback: Callable[..., None], *arguments: object) -> None:
        executor = self._node.executor
        if executor is not None:
            executor.create_task(callback, *arguments)


class _OfNoExecutor(CallbackGroup):
    """What is in it no executor waits for."""

    def can_execute(self, entity: object) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: object) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: object) -> None:
        """Nothing was begun."""


def _unused(_message: object) -> None:
    """Stand in for the callback that an executor would call."""
