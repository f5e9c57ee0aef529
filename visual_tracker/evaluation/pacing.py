"""Which frames reach the tracker: all of them, or those that arrive while it is free."""

from __future__ import annotations

from typing import Protocol

#: slow frames that are forgiven after each start, as in the VOT real-time challenge
GRACE = 3


class Pace(Protocol):
    """Decides frame by frame; told how long each call took."""

    def is_free(self, frame: int) -> bool:
        """Whether the tracker is free when the frame arrives."""

    def worked(self, frame: int, seconds: float, is_start: bool = False) -> None:
        """Note that the tracker worked on the frame for some time."""


class EveryFrame:
    """The tracker waits for nothing and misses nothing."""

    def is_free(self, frame: int) -> bool:
        """Always."""
        return True

    def worked(self, frame: int, seconds: float, is_start: bool = False) -> None:
        """Nothing depends on it."""


class RealTime:
    """Frames arrive at a fixed rate; one that arrives while the tracker is busy is skipped.

    As in the VOT real-time challenge, up to GRACE calls after each start may be slow for free.

    Args:
        fps: frames that arrive a second, > 0.

    Raises:
        ValueError: if `fps` is not greater than zero.
    """

    def __init__(self, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"real time at {fps:g} frames a second; it must be greater than zero")
        self._fps = fps
        # in frames, not seconds: k intervals added up must not come out later than frame k
        self._busy_until = 0.0
        self._grace = GRACE

    def is_free(self, frame: int) -> bool:
        """Whether the work begun on an earlier frame is done when this one arrives."""
        return self._busy_until <= frame

    def worked(self, frame: int, seconds: float, is_start: bool = False) -> None:
        """Be busy from the frame's arrival on."""
        if is_start:
            self._grace = GRACE
        intervals = seconds * self._fps
        if intervals > 1 and self._grace > 0:
            self._grace -= 1
            intervals = 0.0
        self._busy_until = frame + intervals
