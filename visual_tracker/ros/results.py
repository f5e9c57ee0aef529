"""What goes out for a frame: detections, states, times and, if somebody looks, the debug image."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import RCLError
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from visual_tracker.drawing import draw_targets
from visual_tracker.ros import conversions, frame_times
from visual_tracker.ros.diagnostics import Durations
from visual_tracker.ros.frame_times import Arrival, FrameTimes
from visual_tracker.session import FrameResult
from visual_tracker_msgs.msg import TargetStateArray


class ResultPublisher:
    """Publishes on ~/detections, ~/target_states, ~/debug_image and ~/timing.

    It is called on the worker's thread, where an interruption makes ROS invalid at any moment.

    Args:
        node: whose topics these are; what is published while it is not active goes nowhere.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._detections = node.create_lifecycle_publisher(Detection2DArray, "~/detections", 10)
        self._states = node.create_lifecycle_publisher(TargetStateArray, "~/target_states", 10)
        self._debug_image = node.create_lifecycle_publisher(Image, "~/debug_image", 1)
        self._timing = node.create_lifecycle_publisher(DiagnosticArray, "~/timing", 10)

    def wants_image(self) -> bool:
        """Whether somebody looks at the debug image."""
        with self._unless_interrupted():
            return self._debug_image.get_subscription_count() > 0
        return False

    def publish(self, result: FrameResult, tracker: str) -> Durations | None:
        """Publish all that one frame gives.

        Args:
            result: of a frame that came as a message.
            tracker: name of the tracker.

        Returns:
            What it took; None if ROS was shut down meanwhile.
        """
        with self._unless_interrupted():
            return self._publish_all(result, tracker)
        return None

    def _publish_all(self, result: FrameResult, tracker: str) -> Durations:
        assert isinstance(result.frame, conversions.MessageFrame)
        header = result.frame.message.header
        self._detections.publish(conversions.detections_message(result, header))
        times = _times(result, result.frame.arrival)
        latency = self._latency(result.frame.stamp)
        self._states.publish(conversions.states_message(result, header, tracker))
        if self._timing.get_subscription_count() > 0:
            name = self._node.get_fully_qualified_name()
            self._timing.publish(frame_times.to_message(times, header, name))
        if result.image is not None and self.wants_image():
            drawn = draw_targets(result.image, result.targets)
            self._debug_image.publish(conversions.image_message(drawn, header))
        return Durations(latency, times.tracker_seconds, times.own_seconds)

    def _latency(self, stamp: int) -> float:
        """Seconds since a stamp in nanoseconds; NaN where they cannot be told."""
        # by the node's clock, which may be a simulation's, as the stamp is
        now = self._node.get_clock().now().nanoseconds
        # a camera that does not stamp, a simulation that has not begun
        return (now - stamp) / 1e9 if now and stamp else math.nan

    @contextmanager
    def _unless_interrupted(self) -> Iterator[None]:
        try:
            yield
        except RCLError:
            if self._node.context.ok():
                raise


def _times(result: FrameResult, arrival: Arrival) -> FrameTimes:
    """Times of a frame whose detections have just been published."""
    return FrameTimes(
        sent=arrival.sent,
        arrived=arrival.arrived,
        taken=arrival.taken,
        tracking_began=result.tracking_began,
        tracking_ended=result.tracking_ended,
        published=time.time_ns(),
    )
