"""ROS parameters declared from parameter dataclasses, and checked against them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from visual_tracker.parameters import (
    Applies,
    ParameterError,
    Parameters,
    ParameterSpec,
    ParametersT,
    Value,
)

_TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}


def descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    """What ROS tools show of a parameter: type, range, description, when it applies."""
    described = ParameterDescriptor(
        name=spec.name,
        type=_TYPES[spec.type],
        description=spec.description,
        additional_constraints=_constraints(spec),
        read_only=spec.applies is Applies.AT_RESTART,
    )
    lowest = float("-inf") if spec.minimum is None else spec.minimum
    highest = float("inf") if spec.maximum is None else spec.maximum
    bounded = spec.minimum is not None or spec.maximum is not None
    if spec.type is float and bounded:
        described.floating_point_range = [
            FloatingPointRange(from_value=float(lowest), to_value=float(highest))
        ]
    elif spec.type is int and bounded:
        limits = max(lowest, -(2.0**62)), min(highest, 2.0**62)
        described.integer_range = [
            IntegerRange(from_value=int(limits[0]), to_value=int(limits[1]), step=1)
        ]
    return described


@dataclass
class _Group:
    prefix: str
    parameters: type[Parameters]


class ParameterServer:
    """Declares groups of parameters on a node and keeps what is set valid.

    A value given at start that is wrong does not end the node: the default is declared in its place
    and `problems` names it until a right value is set.

    Args:
        node: the node; read-only parameters cannot be set after their declaration.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._groups: list[_Group] = []
        self._problems: dict[str, str] = {}
        # rclpy has no public way to see what was given at start before it is declared
        self._given: dict[str, Parameter] = dict(getattr(node, "_parameter_overrides", {}))
        node.add_on_set_parameters_callback(self._check)

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with the values given at start and has not been set right."""
        return tuple(self._problems.values())

    def declare(self, parameters: type[Parameters], prefix: str = "") -> None:
        """Declare every parameter of a dataclass as `prefix` + its name."""
        group = _Group(prefix, parameters)
        self._groups.append(group)
        for spec in parameters.specs():
            name = prefix + spec.name
            value = spec.default
            if name in self._given:
                try:
                    value = spec.coerce(self._given[name].value)
                    self._check_together(group, {name: value})
                except ParameterError as error:
                    value = spec.default
                    self._problems[name] = f"{name}: {error}"
            self._node.declare_parameter(name, value, descriptor(spec), ignore_override=True)

    def values(self, parameters: type[ParametersT], prefix: str = "") -> ParametersT:
        """The present values of a declared group."""
        names = {spec.name: prefix + spec.name for spec in parameters.specs()}
        return parameters.from_mapping(
            {name: self._node.get_parameter(full).value for name, full in names.items()}
        )

    def unknown(self) -> list[str]:
        """One line for each parameter given at start that nobody declared (a typing error)."""
        known = [group.prefix + spec.name for group in self._groups for spec in _specs(group)]
        lines = []
        for name in sorted(set(self._given) - set(known) - {"use_sim_time"}):
            if name.startswith("qos_overrides.") or self._node.has_parameter(name):
                continue
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            lines.append(f"parameter '{name}' is not known and has no effect{hint}")
        return lines

    def changes_in(self, changed: Iterable[Parameter], prefix: str) -> dict[str, Value]:
        """Those of the changed parameters that belong to a group, by their name in it."""
        return {
            parameter.name[len(prefix) :]: parameter.value
            for parameter in changed
            if parameter.name.startswith(prefix)
        }

    def _check(self, changed: list[Parameter]) -> SetParametersResult:
        """Refuse what the dataclasses refuse, in their words, before anything is set."""
        # what is being declared was checked before
        values = {
            parameter.name: parameter.value
            for parameter in changed
            if self._node.has_parameter(parameter.name)
        }
        try:
            for group in self._groups:
                self._check_together(group, values)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        for name in values:
            self._problems.pop(name, None)
        return SetParametersResult(successful=True)

    def _check_together(self, group: _Group, changed: Mapping[str, Value]) -> None:
        """Refuse changes that the group's dataclass refuses beside what is declared of it so far.

        Raises:
            ParameterError: for a value out of range, or values that exclude each other.
        """
        full_names = {spec.name: group.prefix + spec.name for spec in _specs(group)}
        ours = {name: changed[full] for name, full in full_names.items() if full in changed}
        if not ours:
            return
        present = {
            name: self._node.get_parameter(full).value
            for name, full in full_names.items()
            if self._node.has_parameter(full)
        }
        group.parameters.from_mapping(present | ours)


def _specs(group: _Group) -> tuple[ParameterSpec, ...]:
    return group.parameters.specs()


def _constraints(spec: ParameterSpec) -> str:
    choices = f"one of: {spec.range_text()}; " if spec.choices else ""
    return f"{choices}a change applies {spec.applies.value}"
