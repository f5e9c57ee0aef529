"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.parameters import ParameterError, Parameters, Value
from visual_tracker.trackers import Tracker, create_tracker, tracker_class, tracker_names

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


def parse_settings(parameters: type[Parameters], settings: tuple[str, ...]) -> dict[str, Value]:
    """Read `--set NAME=VALUE` options by the types of a dataclass's parameters.

    Raises:
        ParameterError: if a setting is malformed, unknown or out of range.
    """
    values = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ParameterError(f"cannot read --set {setting!r}; write --set NAME=VALUE")
        values[name] = parameters.spec(name).parse(text)
    return values


def read_settings_file(path: Path) -> tuple[str, ...]:
    """The settings of a file: NAME=VALUE, one a line; what follows a # is a comment.

    Raises:
        ParameterError: if the file is no text.
    """
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise ParameterError(f"{path} is not text; write NAME=VALUE, one a line") from None
    settings = (re.sub(r"\s*=\s*", "=", line.partition("#")[0].strip(), count=1) for line in lines)
    return tuple(setting for setting in settings if setting)


def tracker_from_options(tracker: str, device: str, settings: tuple[str, ...]) -> Tracker:
    """Make the tracker that --tracker, --device and --set ask for."""
    parameters = tracker_class(tracker).parameters_class
    return create_tracker(tracker, device, **parse_settings(parameters, settings))


def candidates_options(function: Function) -> Function:
    """Add --tracker, --set and --device for several trackers to a command."""
    for option in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="LABEL.NAME=VALUE",
            help="Set a parameter of one of the trackers; repeat for more.",
        ),
        click.option(
            "--device",
            "devices",
            multiple=True,
            metavar="[LABEL=]DEVICE",
            help="auto, cpu, cuda or cuda:N, for all trackers or for one.  [default: auto]",
        ),
        click.option(
            "--tracker",
            "trackers",
            multiple=True,
            metavar="[LABEL=]NAME",
            help="A tracker; repeat for more. A label tells variants apart.  [default: all usable]",
        ),
    ):
        function = option(function)
    return function


def candidates_from_options(
    trackers: tuple[str, ...], devices: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[tuple[Candidate, ...], list[str]]:
    """Read what --tracker, --device and --set of several trackers ask for.

    Returns:
        The candidates, and a line for each tracker that was not asked for by name and cannot run
        here.

    Raises:
        ParameterError: if a tracker, label or parameter is unknown or malformed.
        TrackerUnavailableError: if a tracker that was asked for by name cannot run here.
    """
    names = {}
    for text in trackers or tracker_names():
        label, _, name = text.rpartition("=")
        if (label or name) in names:
            raise ParameterError(f"two trackers are labelled {label or name}; write LABEL=NAME")
        names[label or name] = name
    by_label = _settings_by_label(names, settings)
    device_of = _devices_by_label(names, devices)
    candidates = [
        Candidate(
            label,
            name,
            parse_settings(tracker_class(name).parameters_class, by_label[label]),
            device_of[label],
        )
        for label, name in names.items()
    ]
    if not trackers:
        reasons = {entry.label: entry.unavailable_reason() for entry in candidates}
        usable = tuple(entry for entry in candidates if not reasons[entry.label])
        return usable, [f"{label}: {reason}" for label, reason in reasons.items() if reason]
    for entry in candidates:
        entry.check()
    return tuple(candidates), []


def _devices_by_label(names: dict[str, str], devices: tuple[str, ...]) -> dict[str, str]:
    """Split `LABEL=DEVICE`; without a label it is for all that are not named."""
    general = [device for device in devices if "=" not in device] or ["auto"]
    if len(general) > 1:
        raise ParameterError(f"one --device for all is enough, not {', '.join(general)}")
    found = dict.fromkeys(names, general[0])
    for text in devices:
        label, equals, device = text.partition("=")
        if equals and label not in found:
            raise ParameterError(f"--device {text}: no tracker is labelled {label}")
        if equals:
            found[label] = device
    return found


def _settings_by_label(
    names: dict[str, str], settings: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Split `LABEL.NAME=VALUE`; with a single tracker `NAME=VALUE` is enough."""
    found: dict[str, tuple[str, ...]] = {label: () for label in names}
    for setting in settings:
        label, dot, rest = setting.partition("=")[0].partition(".")
        if not dot and len(names) == 1:
            label, rest = next(iter(names)), setting
        elif label in names:
            rest = setting[len(label) + 1 :]
        else:
            raise ParameterError(
                f"cannot read --set {setting!r}; write --set LABEL.NAME=VALUE with LABEL one of "
                f"{', '.join(names)}"
            )
        found[label] += (rest,)
    return found
