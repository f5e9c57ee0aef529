"""The demo's client: starts the target and records what comes back."""

from __future__ import annotations

import time
from collections import deque

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import QoSSubscriptionMatchedInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from visual_tracker import images
from visual_tracker.boxes import Box
from visual_tracker.drawing import LOST_COLOR, TRACKING_COLOR, draw_box, draw_text
from visual_tracker.recording import VideoRecorder
from visual_tracker.ros.client import InitClient
from visual_tracker.ros.conversions import RawFrame, box_from_message, stamp_to_nanoseconds
from visual_tracker.ros.demo_summary import Observations, SeenFrame
from visual_tracker.ros.qos import image_qos
from visual_tracker_msgs.srv import InitTarget

#: images and results that may wait for the client while it writes the video
QUEUE = 60


class DemoClient(Node):
    """Subscribes to the camera and to the detections.

    The target is started, late, on the first image for which detections come. This is the first
    image at all, unless the node was kept from its processor for longer than a frame: then the next
    image replaced the first in its queue, and an init that names the first would be refused.

    Args:
        box: the target in the first image.
        recorder: takes every image with its box drawn, in order.
        tracker_node: full name of the tracker's node.

    Attributes:
        observations: what was seen so far.
        image_publishers: that the subscription to the camera has matched.
        reports: the latest diagnostics of every node by its name.
        refusal: why the init was refused; empty if it was not.
        last_event: monotonic seconds of the latest image or result.
    """

    def __init__(self, box: Box, recorder: VideoRecorder, tracker_node: str) -> None:
        super().__init__("demo_client")
        self.observations = Observations()
        self.image_publishers = 0
        self.reports: dict[str, dict[str, str]] = {}
        self.refusal = ""
        self.last_event = time.monotonic()
        self.init_client = InitClient(self, tracker_node)
        self._box = box
        self._recorder = recorder
        self._by_stamp: dict[int, SeenFrame] = {}
        # an image's detections may be here before the image: it reaches the node first
        self._early: dict[int, Detection2DArray] = {}
        self._first: SeenFrame | None = None
        self._started = False
        self._newest_result = 0
        self._undrawn: deque[tuple[SeenFrame, images.Image]] = deque()
        self.create_subscription(
            Image,
            "image",
            self._on_image,
            image_qos("best_effort", QUEUE),
            event_callbacks=SubscriptionEventCallbacks(matched=self._on_matched),
        )
        self.create_subscription(
            Detection2DArray, f"{tracker_node}/detections", self._on_detections, QUEUE
        )
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QUEUE)

    def draw_all(self) -> None:
        """Write the images for which no result has come, too."""
        while self._undrawn:
            self._draw_next()

    def _on_matched(self, status: QoSSubscriptionMatchedInfo) -> None:
        self.image_publishers = status.current_count

    def _on_image(self, message: Image) -> None:
        frame = SeenFrame(stamp_to_nanoseconds(message.header.stamp))
        self.observations.frames.append(frame)
        self._by_stamp[frame.stamp] = frame
        self._undrawn.append((frame, RawFrame(message).decode()))
        self.last_event = time.monotonic()
        if frame.stamp in self._early:
            self._note(frame, self._early.pop(frame.stamp))

    def _on_answer(self, response: InitTarget.Response) -> None:
        self.get_logger().info(response.message)
        if not response.success:
            self.refusal = response.message
            return
        # the target's own image is published before the target is known; its box is the one given
        assert self._first is not None
        self._first.box = box_from_message(response.bbox)
        self._started = True
        self._draw_until(self._newest_result)

    def _on_detections(self, message: Detection2DArray) -> None:
        self.last_event = time.monotonic()
        stamp = stamp_to_nanoseconds(message.header.stamp)
        latency = self.get_clock().now().nanoseconds - stamp
        self.observations.latencies.append(latency / 1e6)
        self.observations.arrivals.append(self.last_event)
        if stamp in self._by_stamp:
            self._note(self._by_stamp[stamp], message)
        else:
            self._early[stamp] = message

    def _note(self, frame: SeenFrame, message: Detection2DArray) -> None:
        """What is said of a frame."""
        frame.answered = True
        if self._first is None:
            self._first = frame
            self.init_client.init_target(
                self._box, message.header.stamp, self._on_answer, label="target"
            )
        if message.detections:
            frame.box = box_from_message(message.detections[0].bbox)
        self._newest_result = max(self._newest_result, frame.stamp)
        if self._started:
            self._draw_until(self._newest_result)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            self.reports[status.name] = {**values, "message": status.message}

    def _draw_until(self, stamp: int) -> None:
        """Write the images up to this stamp: what is said of them is known."""
        while self._undrawn and self._undrawn[0][0].stamp <= stamp:
            self._draw_next()

    def _draw_next(self) -> None:
        frame, image = self._undrawn.popleft()
        image = image.copy()
        if frame.box is not None:
            draw_box(image, frame.box, TRACKING_COLOR)
        else:
            draw_text(image, "no target" if frame.answered else "skipped", 4, 4, LOST_COLOR)
        self._recorder.write(image)
