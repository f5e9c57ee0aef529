"""Where what resembles the target went, so that it is not taken for the target.

The target's double has a place and a past of its own: what stood beside the target a frame ago and
is seen there now is not the target, however much it looks like it. So distractors are followed from
frame to frame, too, each by its overlap with what is seen next, and a candidate that is rather one
of them than the target counts for less. This is the idea of KeepTrack (Mayer et al., "Learning
Target Candidate Association to Keep Track of What Not to Track", ICCV 2021), by places alone
instead of a network. It holds for the search of a lost target as well: a double that is known is
not what was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.models.anchors import iou_with

FloatArray = NDArray[np.floating]

#: overlap with where a distractor was from which on a candidate is that distractor
_SAME = 0.3
#: overlap above which two candidates of a frame are one
_DOUBLE = 0.5
#: frames that a distractor which is not seen is remembered
_MEMORY = 8
#: factor by which one counts less with every frame in which it is not seen
_FADING = 0.95
#: a candidate that is by so much rather a distractor than the target is one
_IS_DISTRACTOR = 0.3


class Candidates(NamedTuple):
    """What a search found.

    Attributes:
        boxes: (4, n) centre x, centre y, width, height in pixels of the image.
        alike: (n,) whether each resembles the target.
        chosen: the one taken for the target.
        strangeness: of that one, see :meth:`DistractorTracks.strangeness`.
    """

    boxes: FloatArray
    alike: NDArray[np.bool_]
    chosen: int
    strangeness: float

    @property
    def is_distractor(self) -> bool:
        """Whether the one taken for the target is a distractor."""
        return self.strangeness > _IS_DISTRACTOR


class _Track(NamedTuple):
    """A distractor: its last box (4,), and for how many frames it was not seen."""

    box: FloatArray
    unseen: int


class DistractorTracks:
    """The distractors that are known, where each was seen last, and where the target was.

    Args:
        target: its first box.
    """

    def __init__(self, target: Box) -> None:
        self._target = np.array([*target.center, target.width, target.height])
        self._tracks: list[_Track] = []

    def __len__(self) -> int:
        """How many are known."""
        return len(self._tracks)

    def strangeness(self, boxes: FloatArray) -> FloatArray:
        """By how much each box overlaps rather with a distractor than with the target: (n,).

        Args:
            boxes: (4, n) centre x, centre y, width, height in pixels of the image.

        Returns:
            In [0, 1]; 0 for a box that is at least as much the target.
        """
        nearest = np.zeros(boxes.shape[1])
        for track in self._tracks:
            overlap = iou_with(boxes, _row(track.box)) * _FADING**track.unseen
            np.maximum(nearest, overlap, out=nearest)
        if not nearest.any():
            return nearest
        return np.maximum(nearest - iou_with(boxes, _row(self._target)), 0.0)

    def update(self, taken: Candidates, others: Sequence[Candidates], is_sure: bool) -> None:
        """Follow all distractors into the next frame.

        Args:
            taken: what the search found in which the target's box was chosen.
            others: what other searches of the frame found.
            is_sure: whether what was chosen is the target beyond doubt: then what else resembles
                it are distractors, known or new.
        """
        seen = _distractors(taken, others)
        followed, left = self._follow(seen)
        if not taken.is_distractor:
            self._target = taken.boxes[:, taken.chosen]
            if is_sure:
                followed = [track for track in followed if not self._covers(track)]
                followed += [_Track(box, 0) for box in left.T]
        self._tracks = followed

    def _covers(self, track: _Track) -> bool:
        """Whether the target is where a distractor, not seen now, would be."""
        return track.unseen > 0 and _overlap(track.box, self._target) >= _DOUBLE

    def _follow(self, seen: FloatArray) -> tuple[list[_Track], FloatArray]:
        """Known distractors where they are seen now, best overlap first; and what is none."""
        overlaps = np.array([iou_with(seen, _row(track.box)) for track in self._tracks])
        overlaps = overlaps.reshape(len(self._tracks), seen.shape[1])
        followed, unseen = [], dict(enumerate(self._tracks))
        is_known = np.zeros(seen.shape[1], bool)
        for _ in range(min(overlaps.shape)):
            known, place = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
            if overlaps[known, place] < _SAME:
                break
            followed.append(_Track(seen[:, place], 0))
            del unseen[int(known)]
            is_known[place] = True
            overlaps[known], overlaps[:, place] = -1.0, -1.0
        followed += [
            _Track(track.box, track.unseen + 1)
            for track in unseen.values()
            if track.unseen < _MEMORY
        ]
        return followed, seen[:, ~is_known]


def _distractors(taken: Candidates, others: Iterable[Candidates]) -> FloatArray:
    """Boxes (4, n) of a frame that resemble the target and are not it, each once."""
    target = None if taken.is_distractor else taken.boxes[:, taken.chosen]
    kept = np.zeros((4, 0))
    for found in (taken, *others):
        boxes = found.boxes[:, found.alike]
        if target is not None:
            boxes = boxes[:, iou_with(boxes, _row(target)) <= _SAME]
        # the boxes of one search do not double each other, they have been suppressed
        for other in kept.T:
            boxes = boxes[:, iou_with(boxes, _row(other)) <= _DOUBLE]
        kept = np.concatenate((kept, boxes), axis=1)
    return kept


def _overlap(box: FloatArray, other: FloatArray) -> float:
    return float(iou_with(box[:, None], _row(other))[0])


def _row(box: FloatArray) -> tuple[float, float, float, float]:
    x, y, width, height = box.tolist()
    return x, y, width, height
