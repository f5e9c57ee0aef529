"""A video, an image folder or a camera as a ROS camera, with rate, loop and a stamp a frame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import cv2
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from visual_tracker import images
from visual_tracker.parameters import Applies, ParameterError, Parameters, parameter
from visual_tracker.ros.conversions import image_message
from visual_tracker.ros.parameters import ParameterServer
from visual_tracker.ros.qos import image_qos
from visual_tracker.ros.spinning import run
from visual_tracker.ros.topics import image_topic
from visual_tracker.sources import FrameSource, SourceError, open_source


@dataclass(frozen=True)
class PublisherParameters(Parameters):
    """What `video_publisher` takes."""

    source: str = parameter(
        "",
        "Video file, image folder, sequence folder, camera index or stream address.",
        applies=Applies.AT_RESTART,
    )
    rate: float = parameter(
        0.0,
        "Frames a second; 0 takes the source's own rate.",
        minimum=0.0,
        maximum=1000.0,
        applies=Applies.AT_RESTART,
    )
    loop: bool = parameter(False, "Start again at the end.")
    frames: int = parameter(
        0,
        "End after so many frames; 0 for no such end.",
        minimum=0,
        maximum=2**31 - 1,
        applies=Applies.AT_RESTART,
    )
    transport: str = parameter(
        "raw",
        "raw publishes `image` (bgr8), compressed `image/compressed` (JPEG).",
        choices=("raw", "compressed"),
        applies=Applies.AT_RESTART,
    )
    jpeg_quality: int = parameter(90, "Quality of compressed images.", minimum=1, maximum=100)
    reliability: str = parameter(
        "best_effort",
        "QoS reliability offered, as camera drivers differ in it.",
        choices=("best_effort", "reliable"),
        applies=Applies.AT_RESTART,
    )
    frame_id: str = parameter("camera", "frame_id of the images' headers.")
    wait_for_subscribers: int = parameter(
        0,
        "Hold the first frame back until so many subscribe to the images. One counted here need "
        "not have found this publisher yet, and then misses the first frames; see hold.",
        minimum=0,
        maximum=100,
        applies=Applies.AT_RESTART,
    )
    hold: bool = parameter(
        False,
        "Publish nothing as long as this is true, so that subscribers can say when they are ready.",
    )


class VideoPublisher(Node):
    """Publishes one frame a timer tick, stamped with the time of publication.

    `/diagnostics` carries the number of frames published, and whether the node is "held",
    "publishing", or, at the end of the source, "finished".

    Raises:
        ParameterError: if a parameter given at start is wrong.
        SourceError: if the source cannot be opened.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("video_publisher", **kwargs)
        self._server = ParameterServer(self)
        self._server.declare(PublisherParameters)
        if self._server.problems:
            raise ParameterError("; ".join(self._server.problems))
        self._options = self._server.values(PublisherParameters)
        source = self._open()
        self._frames = iter(source)
        self._published = 0
        self._began = self._ended = time.monotonic()
        self._finished = False
        self._publisher = self.create_publisher(
            CompressedImage if self._options.transport == "compressed" else Image,
            image_topic(self, self._options.transport),
            image_qos(self._options.reliability),
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        rate = self._options.rate or source.fps
        self._timer = self.create_timer(1 / rate, self._tick)
        # by a clock that always runs: with use_sim_time the node's own waits for /clock
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._report_timer = self.create_timer(1.0, self._report, clock=steady)
        self.get_logger().info(f"{source.name} at {rate:g} Hz on {self._publisher.topic_name}")

    def _open(self) -> FrameSource:
        if not self._options.source:
            raise SourceError("set the parameter 'source' to a video, a folder or a camera")
        return open_source(self._options.source)

    def _tick(self) -> None:
        if self._held or (self._published == 0 and not self._is_awaited()):
            return
        if self._published == 0:
            self._began = time.monotonic()
        try:
            image = self._next()
        except SourceError as error:
            self.get_logger().error(str(error))
            image = None
        if image is None:
            self._finish()
            return
        header = Header(stamp=self.get_clock().now().to_msg())
        header.frame_id = self._server.values(PublisherParameters).frame_id
        self._publisher.publish(self._message(image, header))
        self._published += 1
        self._ended = time.monotonic()

    @property
    def _held(self) -> bool:
        return self._server.values(PublisherParameters).hold

    def _is_awaited(self) -> bool:
        """Whether enough subscribe; whether they have found this publisher only they know."""
        wanted = self._options.wait_for_subscribers
        return wanted == 0 or self._publisher.get_subscription_count() >= wanted

    def _next(self) -> images.Image | None:
        if self._options.frames and self._published >= self._options.frames:
            return None
        image = next(self._frames, None)
        if image is None and self._server.values(PublisherParameters).loop:
            self._frames = iter(self._open())
            image = next(self._frames, None)
        return image

    def _message(self, image: images.Image, header: Header) -> Image | CompressedImage:
        if self._options.transport == "raw":
            return image_message(image, header)
        quality = self._server.values(PublisherParameters).jpeg_quality
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return CompressedImage(header=header, format="bgr8; jpeg", data=jpeg.tobytes())

    def _rate(self) -> float:
        """Frames a second since the first."""
        elapsed = self._ended - self._began
        return (self._published - 1) / elapsed if elapsed > 0 else 0.0

    def _finish(self) -> None:
        self._timer.cancel()
        self._finished = True
        self.get_logger().info(f"finished after {self._published} frames")
        self._report()

    def _state(self) -> str:
        if self._finished:
            return "finished"
        return "held" if self._held else "publishing"

    def _report(self) -> None:
        state = self._state()
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK,
            name=self.get_fully_qualified_name(),
            message=state,
            values=[
                KeyValue(key="state", value=state),
                KeyValue(key="frames_published", value=str(self._published)),
                KeyValue(key="rate_hz", value=f"{self._rate():.2f}"),
            ],
        )
        report = DiagnosticArray(status=[status])
        report.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(report)


def main(args: list[str] | None = None) -> None:
    """Entry point of `ros2 run visual_tracker video_publisher SOURCE`."""
    arguments = rclpy.utilities.remove_ros_args(args)[1:]
    rclpy.init(args=args)
    overrides = []
    if arguments:
        overrides.append(rclpy.parameter.Parameter("source", value=arguments[0]))
    run(lambda: VideoPublisher(parameter_overrides=overrides))


if __name__ == "__main__":
    main()
