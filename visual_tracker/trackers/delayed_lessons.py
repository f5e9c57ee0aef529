"""Lessons that are learned only if the target is still held some frames later.

A target that goes behind something is covered bit by bit: the frames just before a loss are still
confident, show half of what hides it, and would teach that this is the target. So a lesson waits,
and is dropped with a loss. ECO (Danelljan et al., CVPR 2017, section 3.3) learns seldom for the
same reason; what is dropped here is what is known to be doubtful.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Lesson = TypeVar("Lesson")


class DelayedLessons(Generic[Lesson]):
    """The lessons of the last frames, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[Lesson | None] = deque()

    def hold(self, lesson: Lesson | None, delay: int) -> list[Lesson]:
        """Note a frame in which the target is held; get what may be learned now, oldest first.

        Args:
            lesson: of the frame, None if it teaches nothing.
            delay: frames for which the target must be held after that of a lesson.
        """
        self._waiting.append(lesson)
        ready = [self._waiting.popleft() for _ in range(len(self._waiting) - delay)]
        return [lesson for lesson in ready if lesson is not None]

    def drop(self) -> None:
        """Forget what waits: the target is not held."""
        self._waiting.clear()
