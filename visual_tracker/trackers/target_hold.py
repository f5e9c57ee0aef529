"""Whether a long-term tracker holds its target, doubts it or has lost it, frame by frame.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018, section 3.4:
the target is lost below one threshold of confidence and found again above another. Ours: a target
that is hard to recognise for some frames is not gone, so that the box follows the best proposal for
a while; a candidate found must look like the target, and where it was lost less confidence does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from visual_tracker.boxes import Box
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.confidence import Thresholds
from visual_tracker.trackers.likeness import Likeness


class HoldRules(NamedTuple):
    """How losing and finding go; each is described with the parameters of `dasiamrpn`.

    Attributes:
        thresholds: of confidence and likeness.
        long_term: a target that stays in doubt is lost; else the best proposal is followed on.
        patience: frames in doubt before a loss.
        reidentify: a candidate must look like the target.
        confirm_frames: frames in a row in which a candidate is found.
    """

    thresholds: Thresholds
    long_term: bool
    patience: int
    reidentify: bool
    confirm_frames: int


class Sighting(NamedTuple):
    """What a frame shows.

    Attributes:
        box: of the best proposal, in pixels of the image.
        confidence: that it is the target.
        likeness: of what is there to the target; asked only of a confident one after a loss.
    """

    box: Box
    confidence: float
    likeness: Callable[[], Likeness]


class TargetHold:
    """What was held last, what may be it again, and since when it is not held.

    Args:
        box: of the target in its first frame.

    """

    def __init__(self, box: Box) -> None:
        self._take(box)

    @property
    def is_lost(self) -> bool:
        """Whether it has been given up: neither held nor in doubt."""
        return self._frames_lost > 0

    @property
    def search_steps(self) -> int:
        """How often the search region has grown: 0 where the target is expected nearby."""
        return 0 if self._candidate is not None else self._frames_lost

    def origin(self, last: Box) -> Box:
        """The box that the next search starts from, and whose size is compared with.

        Args:
            last: the box shown last.
        """
        if self._candidate is not None:
            return self._candidate
        return self._held_box if self.is_lost else last

    def update(self, seen: Sighting, rules: HoldRules) -> tuple[TrackState, Box]:
        """Judge what a frame shows.

        Returns:
            The state, and the box to show.
        """
        if self._is_target(seen, rules):
            self._take(seen.box)
            return TrackState.TRACKING, seen.box
        return TrackState.LOST, self._box_in_doubt(seen, rules)

    def _take(self, box: Box) -> None:
        self._held_box = box
        self._candidate: Box | None = None
        self._frames_doubted = self._frames_confirmed = self._frames_lost = 0

    def _is_target(self, seen: Sighting, rules: HoldRules) -> bool:
        """Whether the proposal is the target: held so far, or found again."""
        if not self.is_lost:
            return seen.confidence >= rules.thresholds.lost
        if not self._is_found(seen, rules):
            self._candidate, self._frames_confirmed = None, 0
            return False
        self._candidate = seen.box
        self._frames_confirmed += 1
        return self._frames_confirmed >= rules.confirm_frames

    def _is_found(self, seen: Sighting, rules: HoldRules) -> bool:
        """Whether this frame shows the lost target."""
        lost, enough, least = rules.thresholds
        if not rules.reidentify:
            return seen.confidence >= enough
        if seen.box.iou(self._held_box) > 0:
            # where it was lost, the target is more likely than elsewhere
            enough = (lost + enough) / 2
        return seen.confidence >= enough and min(seen.likeness()) >= least

    def _box_in_doubt(self, seen: Sighting, rules: HoldRules) -> Box:
        """The box of a frame that is reported lost.

        For a while the best proposal, then the last one held; but where the target would be held
        if it were not lost, it is shown.
        """
        self._frames_doubted += 1
        if not rules.long_term or self._frames_doubted <= rules.patience:
            return seen.box
        self._frames_lost += 1
        return seen.box if seen.confidence >= rules.thresholds.lost else self._held_box
