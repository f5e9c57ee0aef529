"""Calling the services of the tracker's node and of the video publisher from another node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from builtin_interfaces.msg import Time
from rcl_interfaces.srv import SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future

from visual_tracker.boxes import Box
from visual_tracker.ros.conversions import box_to_message
from visual_tracker_msgs.srv import InitTarget

#: seconds after which a request that may be repeated is: a service drops its answer if it has not
#: matched the client's reader within .1 s (ros2/rmw_fastrtps#842)
ASK_AGAIN = 2.0

#: spins the calling node until the callable gives something true; the text says what is waited for.
#: It raises if that does not come.
WaitFor = Callable[[Callable[[], Any], str], Any]


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


class PublisherHold:
    """Lets a `video_publisher` go that was started with `hold`, and holds it back.

    A publisher counts a subscription as soon as it has matched it, which says nothing about whether
    the subscription has matched the publisher: until then it drops what comes, however long that
    takes. So who needs the first image starts the publisher with `hold`, and lets it go when the
    readers say that they have matched it. The publisher's own `wait_for_subscribers` is for the
    other direction.

    Args:
        node: the calling node.
        wait_for: spins `node`.
        publisher_node: name of the publisher's node, relative to the caller's namespace.
    """

    def __init__(
        self, node: Node, wait_for: WaitFor, publisher_node: str = "video_publisher"
    ) -> None:
        self._wait_for = wait_for
        self._name = publisher_node
        self._client = node.create_client(SetParameters, f"{publisher_node}/set_parameters")

    def release(self, matched: Callable[[], bool]) -> None:
        """Wait until every subscription that must get the first image can, then let it come.

        Args:
            matched: whether they have matched the publisher, from the readers' side: of the
                tracker's node see :func:`has_publisher`.
        """
        self._wait_for(matched, f"a subscription to {self._name}")
        self.set(False)

    def set(self, hold: bool) -> None:
        """Set the parameter; when this returns, it holds."""
        parameter = Parameter("hold", value=hold).to_parameter_msg()
        self._wait_for(self._client.service_is_ready, f"the parameters of {self._name}")
        answers: list[Future] = []
        asked = 0.0

        def answered() -> bool:
            nonlocal asked
            if not answers or time.monotonic() - asked > ASK_AGAIN:
                asked = time.monotonic()
                answers.append(
                    self._client.call_async(SetParameters.Request(parameters=[parameter]))
                )
            return any(answer.done() for answer in answers)

        self._wait_for(answered, f"{self._name} to take the parameter hold")


def has_publisher(report: Mapping[str, str]) -> bool:
    """Whether the tracker's node has matched a publisher of images.

    Args:
        report: the values of its latest diagnostics; empty if there are none yet.
    """
    return int(report.get("publishers", 0)) > 0
