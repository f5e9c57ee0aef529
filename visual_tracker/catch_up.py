"""Targets on their way from the frame of a late init to the present.

Each is tracked in one buffered frame a turn, so that live targets wait little. A backlog longer
than the steps allowed is thinned out evenly, so that catching up ends while frames keep coming.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from visual_tracker.frames import Frame, FrameBuffer
from visual_tracker.images import ImageError
from visual_tracker.targets import Target


@dataclass(slots=True)
class _Late:
    """A target, the last frame it was tracked in, and the steps it has left."""

    target: Target
    at: Frame
    steps_left: int


class CatchUp:
    """The targets that are behind, by their ids.

    Args:
        buffer: the frames kept; a target has caught up when none in it is newer than its own.
        steps: most frames tracked a target.
        on_problem: called with one line for every frame or target that failed.
    """

    def __init__(self, buffer: FrameBuffer, steps: int, on_problem: Callable[[str], None]) -> None:
        self._buffer = buffer
        self._steps = steps
        self._on_problem = on_problem
        self._late: dict[str, _Late] = {}

    def __len__(self) -> int:
        """Number of targets behind."""
        return len(self._late)

    def __contains__(self, target_id: object) -> bool:
        """Whether a target is behind."""
        return target_id in self._late

    def start(self, target: Target, frame: Frame) -> None:
        """Take up a target that was started on this frame; an earlier start of it is forgotten."""
        self.forget(target.id)
        if self._buffer.after(frame):
            self._late[target.id] = _Late(target, frame, self._steps)

    def forget(self, target_id: str) -> None:
        """Let go of a target, if it is behind."""
        self._late.pop(target_id, None)

    def clear(self) -> None:
        """Let go of all targets."""
        self._late.clear()

    def step(self) -> None:
        """Track every target that is behind in one frame; let go of those that have arrived."""
        for late in list(self._late.values()):
            if backlog := self._buffer.after(late.at):
                self._follow(late, backlog)
            if not self._buffer.after(late.at):
                self.forget(late.target.id)

    def _follow(self, late: _Late, backlog: list[Frame]) -> None:
        stride = math.ceil(len(backlog) / max(1, late.steps_left))
        late.at = backlog[stride - 1]
        late.steps_left -= 1
        try:
            problem = late.target.follow(late.at.decode())
        except ImageError as error:
            problem = f"a buffered image was not used: {error}"
        if problem:
            self._on_problem(problem)
