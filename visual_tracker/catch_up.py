"""Targets on their way from the frame of a late init to the present.

Each is tracked in one buffered frame a turn, so that live targets wait little. A backlog longer
than the steps allowed is thinned out evenly, so that catching up ends while frames keep coming.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from visual_tracker.frames import Frame, FrameBuffer
from visual_tracker.images import ImageError
from visual_tracker.targets import Target, TargetReport
from visual_tracker.trackers import TrackState


@dataclass(slots=True)
class _Late:
    """A target, the last frame it was tracked in, the steps it has left, and what it replaces."""

    target: Target
    at: Frame
    steps_left: int
    replaced: TargetReport | None


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

    def replaced(self, target_id: str) -> TargetReport | None:
        """The target of that id that was there before this start, LOST; None if there was none."""
        return self._late[target_id].replaced if target_id in self._late else None

    def count_frame(self) -> None:
        """A frame more in which the targets that were replaced are not seen."""
        for late in self._late.values():
            if late.replaced is not None:
                late.replaced = replace(
                    late.replaced, frames_since_seen=late.replaced.frames_since_seen + 1
                )

    def start(self, target: Target, frame: Frame, replaced: TargetReport | None = None) -> None:
        """Take up a target that was started on this frame; an earlier start of it is forgotten.

        Args:
            target: started on the frame.
            frame: of the present, or one that is kept.
            replaced: the latest of the target of this id that was there before.
        """
        self.forget(target.id)
        # a frame without a stamp is not kept, and always of the present
        if not frame.stamp or not self._buffer.after(frame):
            return
        if replaced is not None:
            track = replace(replaced.track, state=TrackState.LOST)
            replaced = replace(replaced, label=target.label, track=track)
        self._late[target.id] = _Late(target, frame, self._steps, replaced)

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
