"""Parameters: types, ranges, choices, unknown names, and those of every tracker."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.parameters import (
    Applies,
    ParameterError,
    Parameters,
    ParameterSpec,
    parameter,
    with_default,
)
from visual_tracker.trackers import tracker_class, tracker_names


@dataclass(frozen=True)
class Sample(Parameters):
    rate: float = parameter(0.5, "A rate.", minimum=0.0, maximum=1.0)
    count: int = parameter(3, "A count.", minimum=1, applies=Applies.AT_RESTART)
    mode: str = parameter("fast", "A mode.", choices=("fast", "exact", ""))
    active: bool = parameter(True, "A switch.")
    path: str = parameter("", "A path.")


def test_the_defaults_are_those_declared() -> None:
    assert Sample() == Sample(0.5, 3, "fast", True, "")
    assert [spec.name for spec in Sample.specs()] == ["rate", "count", "mode", "active", "path"]
    assert Sample.spec("count").applies is Applies.AT_RESTART
    assert Sample.spec("count").type is int


def test_another_default_keeps_the_rest() -> None:
    @dataclass(frozen=True)
    class Careful(Sample):
        count: int = with_default(Sample, "count", 5)

    assert Careful() == Careful(0.5, 5, "fast", True, "")
    assert [spec.name for spec in Careful.specs()] == [spec.name for spec in Sample.specs()]
    assert Careful.spec("count") == dataclasses.replace(Sample.spec("count"), default=5)
    with pytest.raises(ParameterError, match="did you mean 'count'"):
        with_default(Sample, "counts", 5)


def test_an_integer_is_taken_for_a_float() -> None:
    rate = Sample(rate=1).rate
    assert type(rate) is float
    assert rate == 1.0


@pytest.mark.parametrize(
    ("name", "value", "expected_type"),
    [
        ("rate", "0.5", "float"),
        ("rate", True, "float"),
        ("count", 3.0, "int"),
        ("count", True, "int"),
        ("active", 1, "bool"),
        ("mode", None, "str"),
    ],
)
def test_another_type_is_refused(name: str, value: object, expected_type: str) -> None:
    with pytest.raises(ParameterError, match=rf"'{name}' must be {expected_type}, not {value!r}"):
        Sample.from_mapping({name: value})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("rate", -0.01, "0 .. 1"),
        ("rate", 1.01, "0 .. 1"),
        ("rate", math.nan, "0 .. 1"),
        ("rate", math.inf, "0 .. 1"),
        ("count", 0, "1 .. "),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(
    name: str, value: float, allowed: str
) -> None:
    with pytest.raises(ParameterError) as refused:
        Sample.from_mapping({name: value})
    assert str(refused.value) == f"parameter '{name}' is {value:g}; it must lie in {allowed}"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", ["rate", "count"])
def test_an_integer_too_large_for_a_float_is_out_of_range(name: str, sign: int) -> None:
    value = sign * 10**400
    with pytest.raises(ParameterError, match=rf"'{name}' is {'' if sign > 0 else '-'}inf; it must"):
        Sample.from_mapping({name: value})
    with pytest.raises(ParameterError, match=rf"'{name}' is {'' if sign > 0 else '-'}inf; it must"):
        Sample.spec(name).parse(str(value))


@given(st.floats())
def test_a_rate_is_accepted_exactly_where_its_range_says(value: float) -> None:
    if 0 <= value <= 1:
        assert Sample(rate=value).rate == value
    else:
        with pytest.raises(ParameterError):
            Sample(rate=value)


def test_a_string_that_is_not_among_the_choices_is_refused_with_them() -> None:
    assert Sample(mode="").mode == ""
    with pytest.raises(ParameterError, match="must be one of fast, exact, , not 'slow'"):
        Sample(mode="slow")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no parameter 'cuont'; did you mean 'count'"):
        Sample.from_mapping({"cuont": 3})
    with pytest.raises(ParameterError, match="known: rate, count, mode, active, path"):
        Sample.spec("zzz")
    with pytest.raises(ParameterError, match="no parameter 'rates'"):
        Sample().replaced(rates=0.1)


def test_from_mapping_lays_values_over_the_defaults() -> None:
    assert Sample.from_mapping({"count": 7, "path": "a"}) == Sample(count=7, path="a")


def test_replaced_changes_a_copy_only_and_checks_it() -> None:
    sample = Sample()
    assert sample.replaced(rate=0.25) == Sample(rate=0.25)
    assert sample == Sample()
    with pytest.raises(ParameterError, match="'rate' is 2"):
        sample.replaced(rate=2.0)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "0.25", 0.25),
        ("rate", "1", 1.0),
        ("count", "12", 12),
        ("active", "False", False),
        ("active", "true", True),
        ("mode", "exact", "exact"),
        ("path", "a b", "a b"),
    ],
)
def test_text_is_read_by_the_type_of_the_parameter(name: str, text: str, value: object) -> None:
    parsed = Sample.spec(name).parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("rate", "much"), ("rate", ""), ("count", "1.5"), ("active", "1"), ("active", "")],
)
def test_text_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(ParameterError, match=rf"'{name}' must be \w+, not '{text}'"):
        Sample.spec(name).parse(text)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [("rate", "2", "must lie in 0 .. 1"), ("rate", "nan", "0 .. 1"), ("mode", "x", "one of fast")],
)
def test_text_that_is_read_is_still_checked(name: str, text: str, why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        Sample.spec(name).parse(text)


def test_the_values_allowed_are_told_to_people() -> None:
    told = {spec.name: spec.range_text() for spec in Sample.specs()}
    assert told == {
        "rate": "0 .. 1",
        "count": "1 .. ",
        "mode": "fast | exact | ''",
        "active": "bool",
        "path": "str",
    }


ALL_SPECS = [
    pytest.param(spec, id=f"{name}.{spec.name}")
    for name in tracker_names()
    for spec in tracker_class(name).parameters_class.specs()
]


@pytest.mark.parametrize("spec", ALL_SPECS)
def test_every_parameter_of_every_tracker_is_declared_in_full(spec: ParameterSpec) -> None:
    assert spec.type in (bool, int, float, str)
    assert spec.description.endswith(".")
    assert spec.coerce(spec.default) == spec.default
    if spec.type in (int, float):
        assert spec.minimum is not None
        assert spec.maximum is not None
        assert spec.minimum < spec.maximum
