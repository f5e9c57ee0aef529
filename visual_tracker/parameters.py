"""Parameters as dataclasses: the one source of defaults.

A parameter is declared once, as a dataclass field made by :func:`parameter`, with its default,
range and description. The library validates against it, the command line builds its options from
it and the ROS node declares its parameters from it.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

Value = bool | int | float | str
ParametersT = TypeVar("ParametersT", bound="Parameters")


class ParameterError(ValueError):
    """A parameter that does not exist or a value it cannot take; the message says which and why."""


class Applies(Enum):
    """When a changed parameter takes effect."""

    AT_ONCE = "at once"
    AT_NEXT_INIT = "at the target's next init"
    AT_RESTART = "after a restart"


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """What is known of one parameter.

    Attributes:
        name: the field's name.
        type: bool, int, float or str.
        default: the default value.
        description: one sentence; units in it.
        minimum: smallest value allowed (numbers only).
        maximum: largest value allowed (numbers only).
        choices: the only strings allowed (strings only).
        applies: when a change takes effect.
    """

    name: str
    type: type
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    applies: Applies = Applies.AT_ONCE

    def coerce(self, value: object) -> Value:
        """Return `value` in the parameter's type, or raise ParameterError saying why not.

        An integer is taken for a float; nothing else is converted.
        """
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = _as_float(value)
        if type(value) is not self.type:
            raise ParameterError(
                f"parameter '{self.name}' must be {self.type.__name__}, not {value!r}"
            )
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_range(value)
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter '{self.name}' must be one of {', '.join(self.choices)}, not {value!r}"
            )
        return typing.cast(Value, value)

    def parse(self, text: str) -> Value:
        """Read the value from the command line's text, or raise ParameterError."""
        try:
            if self.type is bool:
                return {"true": True, "false": False}[text.lower()]
            return self.coerce(self.type(text))
        except (ValueError, KeyError) as error:
            if isinstance(error, ParameterError):
                raise
            raise ParameterError(
                f"parameter '{self.name}' must be {self.type.__name__}, not {text!r}"
            ) from None

    def range_text(self) -> str:
        """The values allowed, for a person: ``0.0 .. 1.0``, ``a | b`` or the type's name."""
        if self.choices:
            return " | ".join(choice or "''" for choice in self.choices)
        if self.minimum is None and self.maximum is None:
            return self.type.__name__
        lowest = "" if self.minimum is None else f"{self.minimum:g}"
        highest = "" if self.maximum is None else f"{self.maximum:g}"
        return f"{lowest} .. {highest}"

    def _check_range(self, value: float) -> None:
        value = _as_float(value)
        too_low = self.minimum is not None and value < self.minimum
        too_high = self.maximum is not None and value > self.maximum
        if too_low or too_high or not math.isfinite(value):
            raise ParameterError(
                f"parameter '{self.name}' is {value:g}; it must lie in {self.range_text()}"
            )


def parameter(
    default: Value,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    applies: Applies = Applies.AT_ONCE,
) -> Any:
    """Declare one parameter of a :class:`Parameters` dataclass (a ``dataclasses.field``)."""
    metadata = {
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "applies": applies,
    }
    return field(default=default, metadata=metadata)


def with_default(base: type[Parameters], name: str, default: Value) -> Any:
    """Declare a parameter of a base class again, with another default and all else the same.

    Raises:
        ParameterError: if there is none of that name.
    """
    spec = base.spec(name)
    return parameter(
        default,
        spec.description,
        minimum=spec.minimum,
        maximum=spec.maximum,
        choices=spec.choices,
        applies=spec.applies,
    )


@dataclass(frozen=True)
class Parameters:
    """Base of every parameter dataclass; an instance is always valid.

    Raises:
        ParameterError: at construction, if a value has the wrong type or is out of range.
    """

    def __post_init__(self) -> None:
        """Check every field and bring integers given for floats to float."""
        for spec in self.specs():
            object.__setattr__(self, spec.name, spec.coerce(getattr(self, spec.name)))

    @classmethod
    @functools.cache
    def specs(cls) -> tuple[ParameterSpec, ...]:
        """All parameters in their order of declaration."""
        types = typing.get_type_hints(cls)
        return tuple(
            ParameterSpec(
                entry.name, types[entry.name], typing.cast(Value, entry.default), **entry.metadata
            )
            for entry in dataclasses.fields(cls)
        )

    @classmethod
    def spec(cls, name: str) -> ParameterSpec:
        """One parameter by name.

        Raises:
            ParameterError: if there is none of that name; the message suggests the nearest.
        """
        specs = {spec.name: spec for spec in cls.specs()}
        if name not in specs:
            raise ParameterError(_unknown(name, list(specs)))
        return specs[name]

    @classmethod
    def from_mapping(cls: type[ParametersT], values: Mapping[str, object]) -> ParametersT:
        """Make an instance of defaults with `values` laid over them.

        Raises:
            ParameterError: for an unknown name, a wrong type or a value out of range.
        """
        for name in values:
            cls.spec(name)
        return cls(**typing.cast("dict[str, Any]", dict(values)))

    def replaced(self: ParametersT, **changes: Value) -> ParametersT:
        """Return a copy with some values changed.

        Raises:
            ParameterError: as :meth:`from_mapping`.
        """
        for name in changes:
            self.spec(name)
        return dataclasses.replace(self, **changes)


def _as_float(value: float) -> float:
    """The number as a float; infinite if it is an integer too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known) or 'none'}"
    return f"there is no parameter '{name}'{hint}"
