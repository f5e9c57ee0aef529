"""Calling the tracker node's services from another node."""

from __future__ import annotations

from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.task import Future

from visual_tracker.boxes import Box
from visual_tracker.ros.conversions import box_to_message
from visual_tracker_msgs.srv import InitTarget


class InitClient:
    """Asks a tracker node to follow a target.

    Args:
        node: the calling node.
        tracker_node: name of the tracker's node, relative to the caller's namespace.
    """

    def __init__(self, node: Node, tracker_node: str = "tracker_node") -> None:
        self._client = node.create_client(InitTarget, f"{tracker_node}/init_target")

    @property
    def ready(self) -> bool:
        """Whether the node is there to be asked."""
        return bool(self._client.service_is_ready())

    def init_target(
        self,
        box: Box,
        stamp: Time,
        on_answer: Callable[[InitTarget.Response], None],
        target_id: str = "",
        label: str = "",
    ) -> None:
        """Ask; returns at once.

        Args:
            box: the target in the image of `stamp`.
            stamp: the header stamp of that image.
            on_answer: called with the service's response.
            target_id: as in InitTarget.srv.
            label: as in InitTarget.srv.
        """
        request = InitTarget.Request(
            target_id=target_id, label=label, bbox=box_to_message(box), stamp=stamp
        )

        def answered(future: Future) -> None:
            on_answer(future.result())

        self._client.call_async(request).add_done_callback(answered)
