"""The size of a lost target: what it was before the doubts that ended in the loss.

A target that goes behind something shrinks to what is left of it, and what is then taken for it has
any size. Wide searches at a scale of that box look for something else from then on: a car whose box
had shrunk to two thirds of its length, and then lay on something of a quarter of it, was not found
again while it drove through the middle of the image (docs/experiments.md, 34). So as with lessons
(:mod:`visual_tracker.trackers.delayed_lessons`) the sizes of the last frames before a loss do not
count, nor those of frames that were not sure. But a target that is seldom sure changes its size,
too: so it is looked for in both, by turns.
"""

from __future__ import annotations

import math

from visual_tracker.boxes import Box
from visual_tracker.trackers.delayed_lessons import DelayedLessons

#: sizes that differ by no more than this factor: a search for one finds the other, too
_ALIKE = 1.25


class SureSize:
    """The size that the target had when it was last held surely.

    Args:
        box: of the target in its first frame.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._waiting = DelayedLessons[Box]()

    def note(self, box: Box, is_sure: bool, delay: int) -> None:
        """Note a frame in which the target is held.

        Args:
            box: of the target.
            is_sure: whether there is no question that it is the target.
            delay: frames for which it must be held after this one for its size to count.
        """
        for ready in self._waiting.hold(box if is_sure else None, delay):
            self._box = ready

    def drop(self) -> None:
        """Forget what waits: the target is not held."""
        self._waiting.drop()

    def sought(self, held: Box, steps: int) -> tuple[Box, int]:
        """What to look for in a step of the wide search, around the box held last.

        Args:
            held: the box held last.
            steps: number of the step, from 1.

        Returns:
            A box at the place of `held`, of the sure size or of the one held last, by turns; and
            the number of the step among those that look for such a size.
        """
        ratio = math.sqrt(self._box.area / held.area)
        turn = steps if 1 / _ALIKE <= ratio <= _ALIKE else (steps + 1) // 2
        if steps % 2:
            return Box.from_center(*held.center, self._box.width, self._box.height), turn
        return held, turn
