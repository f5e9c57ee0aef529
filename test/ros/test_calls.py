"""Calls of services whose node finds the caller late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from test.ros.harness import TIMEOUT
from visual_tracker.ros import calls
from visual_tracker.ros.calls import Caller
from visual_tracker.ros.spinning import spin_until


class Service:
    """A node with one service, which has not found its caller at first.

    Attributes:
        unheard: so many of its first answers are dropped, as DDS does.
        found: how often it was asked for parameters, which says that it has found the caller.
        asked: how often its service was asked.
    """

    def __init__(self) -> None:
        self.unheard = self.found = self.asked = 0
        self.node = Node("stand_in", start_parameter_services=False)
        parameters = self.node.create_service(
            GetParameters, "~/get_parameters", self._on_parameters
        )
        self._drop_unheard(parameters)
        self.begin()

    def begin(self) -> None:
        self._service = self.node.create_service(Trigger, "~/act", self._on_act)
        self._drop_unheard(self._service)

    def begin_when_spun(self) -> None:
        """Offer the service again once somebody waits for it."""

        def begin() -> None:
            self.node.destroy_timer(timer)
            self.begin()

        timer = self.node.create_timer(0.01, begin)

    def end(self) -> None:
        self.node.destroy_service(self._service)

    def _drop_unheard(self, service: Any) -> None:
        send = service.send_response

        def send_or_drop(response: Any, header: Any) -> None:
            self.unheard -= 1
            if self.unheard < 0:
                send(response, header)

        service.send_response = send_or_drop

    def _on_parameters(self, _: Any, response: Any) -> GetParameters.Response:
        self.found += 1
        return response

    def _on_act(self, _: Any, response: Trigger.Response) -> Trigger.Response:
        self.asked += 1
        response.success = True
        return response


class Asker:
    """A node with a Caller, spun together with the service that it asks."""

    def __init__(self, service: Service) -> None:
        self.node = Node("asker")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(service.node)
        self._caller = Caller(self.node, self.wait_for)

    def act(self) -> bool:
        return bool(self._caller.call(Trigger, "stand_in/act", Trigger.Request()).success)

    def sees_service(self) -> bool:
        return bool(self._caller._clients["stand_in/act"].service_is_ready())

    def wait_for(self, happened: Callable[[], Any], what: str) -> Any:
        return spin_until(self._executor, happened, what, TIMEOUT)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.node.destroy_node()


@pytest.fixture
def asker(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    monkeypatch.setattr(calls, "ASK_AGAIN", 0.02)
    asker = Asker(service)
    yield asker
    asker.close()


def test_answers_lost_at_first_cost_time_and_the_service_is_asked_once(
    service: Service, asker: Asker
) -> None:
    service.unheard = 3
    assert asker.act()
    assert service.found > 3
    assert service.asked == 1


def test_a_node_that_has_found_the_caller_is_not_asked_again(
    service: Service, asker: Asker
) -> None:
    assert asker.act()
    found = service.found
    assert asker.act()
    assert service.found == found
    assert service.asked == 2


def test_a_service_that_came_back_has_to_find_the_caller_anew(
    service: Service, asker: Asker
) -> None:
    assert asker.act()
    found = service.found
    service.end()
    asker.wait_for(lambda: not asker.sees_service(), "the end of the service")
    service.begin_when_spun()
    assert asker.act()
    assert service.found > found
