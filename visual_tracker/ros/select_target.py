"""Shows the camera's images, lets a person draw a box and has the tracker's node follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from visual_tracker import display
from visual_tracker.images import Image, ImageError
from visual_tracker.parameters import Applies, ParameterError, Parameters, parameter
from visual_tracker.ros.client import InitClient
from visual_tracker.ros.conversions import CompressedFrame, RawFrame
from visual_tracker.ros.parameters import ParameterServer
from visual_tracker.ros.qos import image_qos
from visual_tracker.ros.spinning import spin_once
from visual_tracker.ros.topics import image_topic
from visual_tracker_msgs.srv import InitTarget

TITLE = "Space: draw a box on this image   q: quit"


@dataclass(frozen=True)
class SelectParameters(Parameters):
    """What `select_target` takes."""

    tracker_node: str = parameter(
        "tracker_node", "Name of the tracker's node.", applies=Applies.AT_RESTART
    )
    image_transport: str = parameter(
        "raw",
        "raw subscribes to `image`, compressed to `image/compressed`.",
        choices=("raw", "compressed"),
        applies=Applies.AT_RESTART,
    )
    target_id: str = parameter("", "Id of the target; empty: the tracker's node names it.")
    label: str = parameter("", "What the target is.")


class SelectTarget(Node):
    """Keeps the newest image for showing, and asks for a target on the image it was drawn on.

    Raises:
        ParameterError: if a parameter given at start is wrong.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("select_target", **kwargs)
        self._server = ParameterServer(self)
        self._server.declare(SelectParameters)
        if self._server.problems:
            raise ParameterError("; ".join(self._server.problems))
        options = self._server.values(SelectParameters)
        self._newest: RawFrame | CompressedFrame | None = None
        self._init_client = InitClient(self, options.tracker_node)
        qos, topic = image_qos("best_effort"), image_topic(self, options.image_transport)
        if options.image_transport == "raw":
            self.create_subscription(ImageMessage, topic, self._on_raw, qos)
        else:
            self.create_subscription(CompressedImage, topic, self._on_compressed, qos)

    def newest(self) -> tuple[Image, Time] | None:
        """The newest image and its stamp, None before the first; a bad one is skipped."""
        if self._newest is None:
            return None
        try:
            return self._newest.decode(), self._newest.message.header.stamp
        except ImageError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            return None

    def select(self, image: Image, stamp: Time) -> None:
        """Let the person draw a box on this image and ask for it to be tracked.

        Raises:
            DisplayError: if no window can be opened or no box is drawn.
        """
        box = display.select_box(image)
        if not self._init_client.ready:
            self.get_logger().error("the tracker's node is not there; is it running?")
            return
        if not (stamp.sec or stamp.nanosec):
            self.get_logger().warning(
                "the camera does not stamp its images: the box is taken to be of the next one"
            )
        options = self._server.values(SelectParameters)
        self._init_client.init_target(
            box, stamp, self._on_answer, target_id=options.target_id, label=options.label
        )

    def _on_raw(self, message: ImageMessage) -> None:
        self._newest = RawFrame(message)

    def _on_compressed(self, message: CompressedImage) -> None:
        self._newest = CompressedFrame(message)

    def _on_answer(self, response: InitTarget.Response) -> None:
        log = self.get_logger().info if response.success else self.get_logger().error
        log(response.message)


def show_and_select(node: SelectTarget) -> None:
    """Show images until the person quits; space freezes one to draw on.

    Raises:
        KeyboardInterrupt: at a Ctrl-C or a SIGTERM.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _show_and_select(node, executor)
    finally:
        executor.remove_node(node)
        executor.shutdown()


def _show_and_select(node: SelectTarget, executor: Executor) -> None:
    while rclpy.ok():
        spin_once(executor, 0.03)
        newest = node.newest()
        if newest is None:
            node.get_logger().warning("no image yet", throttle_duration_sec=5.0)
            continue
        key = display.show_and_wait(TITLE, newest[0])
        if key in display.QUIT_KEYS:
            return
        if key == display.SPACE:
            try:
                node.select(*newest)
            except display.NoBoxError as error:
                node.get_logger().warning(str(error))


def main(args: list[str] | None = None) -> None:
    """Entry point of `ros2 run visual_tracker select_target`."""
    rclpy.init(args=args)
    try:
        show_and_select(SelectTarget())
    except KeyboardInterrupt:
        pass
    except (ParameterError, display.DisplayError) as error:
        raise SystemExit(f"error: {error}") from None
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
