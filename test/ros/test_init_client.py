"""The client of init_target against a node whose answers get lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from test.ros.harness import TIMEOUT
from visual_tracker.boxes import Box
from visual_tracker.ros import client
from visual_tracker.ros.client import InitClient
from visual_tracker.ros.spinning import spin_until
from visual_tracker_msgs.srv import InitTarget


class StandIn:
    """In place of the tracker's node; what it answers may be kept back.

    Attributes:
        states: how often its state was asked for.
        asked: the ids of the targets asked for.
        kept_states: answers to keep back.
        kept_inits: likewise.
        late: sends, when called, what was kept back.
    """

    def __init__(self, has_state: bool = True) -> None:
        self.node = Node("stand_in")
        self.states = 0
        self.asked: list[str] = []
        self.kept_states = self.kept_inits = 0
        self.late: list[Callable[[], None]] = []
        inits = self.node.create_service(InitTarget, "~/init_target", self._on_init)
        self._keep_back(inits, "kept_inits")
        if has_state:
            states = self.node.create_service(GetState, "~/get_state", self._on_state)
            self._keep_back(states, "kept_states")

    def _keep_back(self, service: Any, counter: str) -> None:
        send = service.send_response

        def send_or_keep(response: Any, header: Any) -> None:
            if getattr(self, counter):
                setattr(self, counter, getattr(self, counter) - 1)
                self.late.append(lambda: send(response, header))
            else:
                send(response, header)

        service.send_response = send_or_keep

    def _on_state(self, _: Any, response: GetState.Response) -> GetState.Response:
        self.states += 1
        return response

    def _on_init(self, request: Any, response: InitTarget.Response) -> InitTarget.Response:
        self.asked.append(request.target_id)
        response.success, response.target_id = True, request.target_id
        return response


class Asker:
    """A node with an InitClient, and the stand-in that it asks."""

    def __init__(self, has_state: bool = True) -> None:
        self.stand_in = StandIn(has_state)
        self.node = Node("asker")
        self.answers: list[InitTarget.Response] = []
        self._client = InitClient(self.node, "stand_in")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(self.stand_in.node)
        self.wait_for(lambda: self._client.ready, "init_target")
        if has_state:
            self.wait_for(self._client._state_client.service_is_ready, "get_state")

    def ask(self, target_id: str) -> None:
        self._client.init_target(Box(1, 2, 30, 40), Time(), self.answers.append, target_id)

    def wait_for(self, happened: Callable[[], Any], what: str) -> None:
        spin_until(self._executor, happened, what, TIMEOUT)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.stand_in.node.destroy_node()


@pytest.fixture
def make_asker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Asker]]:
    monkeypatch.setattr(client, "ASK_AGAIN", 0.02)
    made: list[Asker] = []

    def make(**options: bool) -> Asker:
        made.append(Asker(**options))
        return made[-1]

    yield make
    for asker in made:
        asker.close()


def test_a_lost_answer_costs_time_and_starts_no_second_target(
    make_asker: Callable[..., Asker],
) -> None:
    asker = make_asker()
    asker.stand_in.kept_states = 2
    asker.ask("mine")
    asker.wait_for(lambda: asker.answers, "the answer")
    assert asker.answers[0].success
    assert asker.stand_in.states >= 3
    assert asker.stand_in.asked == ["mine"]


def test_an_init_without_an_answer_fails_once_and_is_not_repeated(
    make_asker: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = make_asker()
    asker.stand_in.kept_inits = 1
    asker.ask("first")
    asker.wait_for(lambda: asker.stand_in.late, "the request")
    monkeypatch.setattr(client, "ANSWER_TIMEOUT", 0.0)
    asker.wait_for(lambda: asker.answers, "the failure")
    assert not asker.answers[0].success
    assert "may be followed all the same" in asker.answers[0].message
    assert "target_states" in asker.answers[0].message

    # what comes late is dropped, and disturbs no later request
    monkeypatch.undo()
    asker.stand_in.late[0]()
    asker.ask("second")
    asker.wait_for(lambda: len(asker.answers) > 1, "the second answer")
    assert [answer.target_id for answer in asker.answers] == ["", "second"]
    assert asker.stand_in.asked == ["first", "second"]


def test_a_node_that_never_answers_is_asked_for_no_target(
    make_asker: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = make_asker()
    asker.stand_in.kept_states = 10**6
    asker.ask("mine")
    asker.wait_for(lambda: asker.stand_in.states > 1, "the state asked for again")
    monkeypatch.setattr(client, "ANSWER_TIMEOUT", 0.0)
    asker.wait_for(lambda: asker.answers, "the failure")
    assert not asker.answers[0].success
    assert "was not asked for the target" in asker.answers[0].message
    assert asker.stand_in.asked == []


def test_a_node_without_a_state_is_asked_at_once(make_asker: Callable[..., Asker]) -> None:
    asker = make_asker(has_state=False)
    asker.ask("mine")
    asker.wait_for(lambda: asker.answers, "the answer")
    assert asker.answers[0].success
