"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from visual_tracker.parameters import ParameterError, Value
from visual_tracker.trackers import Tracker, create_tracker, tracker_class

Function = TypeVar("Function", bound=Callable[..., Any])


def tracker_options(default: str) -> Callable[[Function], Function]:
    """Add --tracker, --device and --set to a command."""

    def decorate(function: Function) -> Function:
        for option in (
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="NAME=VALUE",
                help="Set a parameter of the tracker; repeat for more ('trackers -v' lists them).",
            ),
            click.option(
                "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
            ),
            click.option(
                "--tracker", default=default, show_default=True, help="Name of the tracker."
            ),
        ):
            function = option(function)
        return function

    return decorate


def parse_settings(tracker: str, settings: tuple[str, ...]) -> dict[str, Value]:
    """Read `--set NAME=VALUE` options by the types of the tracker's parameters.

    Raises:
        ParameterError: if a setting is malformed, unknown or out of range.
    """
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ParameterError(f"cannot read --set {setting!r}; write --set NAME=VALUE")
        values[name] = tracker_class(tracker).parameters_class.spec(name).parse(text)
    return values


def tracker_from_options(tracker: str, device: str, settings: tuple[str, ...]) -> Tracker:
    """Make the tracker that --tracker, --device and --set ask for."""
    return create_tracker(tracker, device, **parse_settings(tracker, settings))
