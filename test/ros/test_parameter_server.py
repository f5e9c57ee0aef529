"""Groups of parameters on a node: what two values that exclude each other lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from visual_tracker.parameters import ParameterError, Parameters, parameter
from visual_tracker.ros.parameters import ParameterServer


@dataclass(frozen=True)
class Meal(Parameters):
    """Nobody takes both."""

    coffee: bool = parameter(False, "Black.")
    tea: bool = parameter(False, "Green.")
    cups: int = parameter(1, "How many.", minimum=0, maximum=9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coffee and self.tea:
            raise ParameterError("coffee and tea exclude each other; set one of them to false")


@pytest.fixture
def node() -> Iterator[Node]:
    node = rclpy.create_node("waiter", parameter_overrides=[Parameter("second.coffee", value=True)])
    yield node
    node.destroy_node()


@pytest.fixture
def server(node: Node) -> ParameterServer:
    server = ParameterServer(node)
    for prefix in ("first.", "second."):
        server.declare(Meal, prefix)
    return server


def test_value_that_another_excludes_is_refused_with_the_reason(
    node: Node, server: ParameterServer
) -> None:
    (result,) = node.set_parameters([Parameter("second.tea", value=True)])
    assert not result.successful
    assert "coffee and tea exclude each other" in result.reason
    assert server.values(Meal, "second.") == Meal(coffee=True)
    # the other group has no coffee
    (result,) = node.set_parameters([Parameter("first.tea", value=True)])
    assert result.successful


def test_values_set_together_are_checked_together(node: Node, server: ParameterServer) -> None:
    swap = [Parameter("second.coffee", value=False), Parameter("second.tea", value=True)]
    assert node.set_parameters_atomically(swap).successful
    assert server.values(Meal, "second.") == Meal(tea=True)
    both = [Parameter("first.coffee", value=True), Parameter("first.tea", value=True)]
    assert not node.set_parameters_atomically(both).successful
    assert server.values(Meal, "first.") == Meal()


def test_values_given_at_start_that_exclude_each_other_can_be_set_right() -> None:
    given = [Parameter("coffee", value=True), Parameter("tea", value=True)]
    node = rclpy.create_node("waiter", parameter_overrides=given)
    server = ParameterServer(node)
    server.declare(Meal)
    # the first one stands
    assert server.values(Meal) == Meal(coffee=True)
    (problem,) = server.problems
    assert problem.startswith("tea: coffee and tea exclude each other")
    (result,) = node.set_parameters([Parameter("tea", value=False)])
    assert result.successful
    assert not server.problems
    node.destroy_node()
