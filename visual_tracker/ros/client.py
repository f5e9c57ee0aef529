"""Calling the services of the tracker's node and of the video publisher from another node."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future

from visual_tracker.boxes import Box
from visual_tracker.ros.calls import ASK_AGAIN, Caller, WaitFor
from visual_tracker.ros.conversions import box_to_message
from visual_tracker_msgs.srv import InitTarget

#: seconds after which an answer is no longer waited for: an init may wait for its image and then
#: learn for seconds, on a busy machine for many
ANSWER_TIMEOUT = 30.0


class InitClient:
    """Asks a tracker node to follow a target.

    A node drops its answer if it has not found the asker's reader yet (see ASK_AGAIN), and an init
    must not be asked for twice: that would start a second target, or the one of that id anew. So
    the node's state is asked for first, as often as it takes. DDS announces readers in the order in
    which they were made: a node that can answer the client made second can answer the first.

    Args:
        node: the calling node.
        tracker_node: name of the tracker's node, relative to the caller's namespace.
    """

    def __init__(self, node: Node, tracker_node: str = "tracker_node") -> None:
        self._node = node
        self._client = node.create_client(InitTarget, f"{tracker_node}/init_target")
        # after the other, see above
        self._state_client = node.create_client(GetState, f"{tracker_node}/get_state")

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
            on_answer: called once: with the service's response, or with a failure that says so if
                there is none within ANSWER_TIMEOUT.
            target_id: as in InitTarget.srv.
            label: as in InitTarget.srv.
        """
        request = InitTarget.Request(
            target_id=target_id, label=label, bbox=box_to_message(box), stamp=stamp
        )

        def ask() -> None:
            _Call(self._node, self._client, request, answered)

        def answered(response: InitTarget.Response | None) -> None:
            on_answer(response or _failure(_NO_ANSWER.format(ANSWER_TIMEOUT)))

        def heard(state: GetState.Response | None) -> None:
            if state is None:
                on_answer(_failure(_NO_STATE.format(ANSWER_TIMEOUT)))
            else:
                ask()

        if self._state_client.service_is_ready():
            _Call(self._node, self._state_client, GetState.Request(), heard, repeat=True)
        else:
            # who has init_target alone remapped goes without
            ask()


_NO_ANSWER = (
    "no answer within {:g} s: the target may be followed all the same; look at the node's "
    "target_states before you ask again"
)
_NO_STATE = "the tracker's node has not answered within {:g} s, and was not asked for the target"


def _failure(message: str) -> InitTarget.Response:
    return InitTarget.Response(success=False, message=message)


class _Call:
    """A request that comes to an end, with or without an answer.

    Args:
        node: the calling node.
        client: of the service.
        request: to it.
        on_end: called once: with the answer, or with None if none comes within ANSWER_TIMEOUT. An
            answer after that is dropped.
        repeat: send the request again every ASK_AGAIN seconds; it must do no harm.
    """

    def __init__(
        self,
        node: Node,
        client: Client,
        request: Any,
        on_end: Callable[[Any | None], None],
        repeat: bool = False,
    ) -> None:
        self._node, self._client, self._request = node, client, request
        self._on_end, self._repeat = on_end, repeat
        self._futures: list[Future] = []
        self._begin = time.monotonic()
        # the node's own clock may stand still (use_sim_time)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(ASK_AGAIN, self._on_time, clock=clock)
        self._send()

    def _send(self) -> None:
        future = self._client.call_async(self._request)
        self._futures.append(future)
        future.add_done_callback(self._on_answer)

    def _on_time(self) -> None:
        if time.monotonic() - self._begin > ANSWER_TIMEOUT:
            self._end(None)
        elif self._repeat:
            self._send()

    def _on_answer(self, future: Future) -> None:
        self._end(future.result())

    def _end(self, answer: Any | None) -> None:
        if not self._futures:
            return  # it has ended before
        for future in self._futures:
            self._client.remove_pending_request(future)
        self._futures = []
        self._node.destroy_timer(self._timer)
        self._on_end(answer)


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
        self._caller = Caller(node, wait_for)
        self._name = publisher_node

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
        request = SetParameters.Request(parameters=[parameter])
        self._caller.call(SetParameters, f"{self._name}/set_parameters", request)


def has_publisher(report: Mapping[str, str]) -> bool:
    """Whether the tracker's node has matched a publisher of images.

    Args:
        report: the values of its latest diagnostics; empty if there are none yet.
    """
    return int(report.get("publishers", 0)) > 0
