"""Service calls whose answers cannot get lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

#: seconds after which a request that may be repeated is: a service drops its answer if it has not
#: matched the client's reader within .1 s (ros2/rmw_fastrtps#842)
ASK_AGAIN = 2.0

#: spins the calling node until the callable gives something true; the text says what is waited for.
#: It raises if that does not come.
WaitFor = Callable[[Callable[[], Any], str], Any]


class Caller:
    """Calls services of nodes from another node, and waits for the answers.

    A service that is there to be asked may not have found the asker's reader yet, and drops its
    answer then (see ASK_AGAIN). Most requests must not be sent twice. So before the first one to a
    service, its node is asked for no parameters, as often as it takes. DDS announces readers in the
    order in which they were made: a node that can answer the client made second can answer the
    first.

    Args:
        node: the calling node.
        wait_for: spins `node`.
    """

    def __init__(self, node: Node, wait_for: WaitFor) -> None:
        self._node = node
        self._wait_for = wait_for
        self._clients: dict[str, Client] = {}

    def call(self, kind: type, service: str, request: Any) -> Any:
        """Ask, and wait for the answer.

        Args:
            kind: of the service.
            service: its name, below that of its node.
            request: to it.
        """
        answer = self.begin(kind, service, request)
        self._wait_for(answer.done, f"the answer of {service}")
        return answer.result()

    def begin(self, kind: type, service: str, request: Any) -> Future:
        """Ask, as soon as the service can answer; arguments as of :meth:`call`."""
        client = self._clients.get(service)
        # one that is no longer there may come back as another, which has to find the reader again
        if client is None or not client.service_is_ready():
            client = client or self._node.create_client(kind, service)
            self._clients[service] = client
            self._wait_for(client.service_is_ready, service)
            # of the name that remapping gave it
            self._wait_until_found(client.service_name.rpartition("/")[0])
        return client.call_async(request)

    def _wait_until_found(self, node: str) -> None:
        """Wait until a node can answer every client made so far."""
        client = self._node.create_client(GetParameters, f"{node}/get_parameters")
        self._wait_for(client.service_is_ready, f"the parameters of {node}")
        answers: list[Future] = []
        asked = 0.0

        def answered() -> bool:
            nonlocal asked
            if not answers or time.monotonic() - asked > ASK_AGAIN:
                asked = time.monotonic()
                answers.append(client.call_async(GetParameters.Request()))
            return any(answer.done() for answer in answers)

        try:
            self._wait_for(answered, f"an answer of {node}")
        finally:
            self._node.destroy_client(client)
