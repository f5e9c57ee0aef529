"""Trackers by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visual_tracker.parameters import ParameterError, Value

if TYPE_CHECKING:
    from visual_tracker.trackers.base import Tracker

_TRACKERS: dict[str, type[Tracker]] = {}


@dataclass(frozen=True, slots=True)
class TrackerInfo:
    """One line of the list of trackers.

    Attributes:
        name: the key for `create_tracker`.
        summary: one line on what it is.
        unavailable_reason: why it cannot run here with its defaults, None if it can.
    """

    name: str
    summary: str
    unavailable_reason: str | None

    @property
    def usable(self) -> bool:
        """True if the tracker can run here."""
        return self.unavailable_reason is None


def register(tracker: type[Tracker]) -> None:
    """Add a tracker class under its `name` (called by the base class for every subclass)."""
    if tracker.name in _TRACKERS:
        raise ValueError(f"two trackers are named '{tracker.name}'")
    _TRACKERS[tracker.name] = tracker


def tracker_names() -> tuple[str, ...]:
    """The names of all trackers, usable here or not."""
    return tuple(sorted(_TRACKERS))


def tracker_class(name: str) -> type[Tracker]:
    """The class registered under `name`.

    Raises:
        ParameterError: if there is none; the message suggests the nearest.
    """
    # what is no text may not even be hashed, nor compared for likeness
    if not isinstance(name, str) or name not in _TRACKERS:
        near = difflib.get_close_matches(str(name), _TRACKERS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(tracker_names())}"
        raise ParameterError(f"there is no tracker '{name}'; {hint}")
    return _TRACKERS[name]


def available_trackers() -> tuple[TrackerInfo, ...]:
    """All trackers by name, each with the reason where this machine cannot run it."""
    return tuple(
        TrackerInfo(name, cls.summary, cls.unavailable_reason())
        for name, cls in sorted(_TRACKERS.items())
    )


def create_tracker(name: str, device: str = "auto", **parameters: Value) -> Tracker:
    """Make a tracker by name.

    Args:
        name: of one of :func:`available_trackers`.
        device: "auto" (a GPU where the tracker can use one and there is one), "cpu", "cuda[:N]".
        **parameters: the tracker's own parameters, laid over its defaults.

    Raises:
        ParameterError: if there is no such tracker or parameter, or a value is out of range.
        TrackerUnavailableError: if this machine cannot run it.
    """
    cls = tracker_class(name)
    return cls(cls.parameters_class.from_mapping(parameters), device)
