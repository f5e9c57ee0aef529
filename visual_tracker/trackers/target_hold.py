"""Whether a long-term tracker holds its target, doubts it or has lost it, frame by frame.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018, section 3.4:
the target is lost below one threshold of confidence and found again above another. Ours: a target
that is hard to recognise is not always gone, so that the box follows the best proposal on, and
after some frames of it the growing region is searched besides; a candidate found must look like the
target, and where it was held last less confidence does. Less confidence does also where it lasts:
the evidence of frames in a row in which the box follows one thing adds up (the sequential
probability ratio test of Wald, 1945), so that a target which is never seen well is found, too. Nor
does a frame that is a little below the threshold make a loss, or one a little above it end a doubt:
both take evidence that adds up to `hysteresis`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from visual_tracker.boxes import Box
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.confidence import Thresholds, logit
from visual_tracker.trackers.likeness import Likeness


class HoldRules(NamedTuple):
    """How losing and finding go; each is described with the parameters of `dasiamrpn`.

    Attributes:
        thresholds: of confidence and likeness.
        hysteresis: evidence in logits that it takes to doubt a target, and to end a doubt.
        long_term: a target that stays in doubt is lost; else the best proposal is followed on.
        patience: frames in doubt after which one more is a loss.
        reidentify: a candidate must look like the target.
        confirm_frames: frames in a row in which a candidate is found.
    """

    thresholds: Thresholds
    hysteresis: float
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
    """What was held last, since when it is not held, and what speaks for what is shown instead.

    Args:
        box: of the target in its first frame.
    """

    def __init__(self, box: Box) -> None:
        self._against = 0.0
        self._frames_lost = 0
        self._take(box)

    @property
    def is_lost(self) -> bool:
        """Whether it has been given up: neither held nor in doubt."""
        return self._frames_lost > 0

    @property
    def search_steps(self) -> int:
        """How often the region searched for a lost target has grown."""
        return self._frames_lost

    @property
    def held_box(self) -> Box:
        """The box held last, around which that region grows."""
        return self._held_box

    def update(self, seen: Sighting, rules: HoldRules) -> TrackState:
        """Judge what a frame shows; its box is the one to show, held or not."""
        if self._is_target(seen, rules):
            self._take(seen.box)
            return TrackState.TRACKING
        self._against = 0.0
        self._gathered = max(0.0, self._evidence(seen, rules.thresholds.lost))
        self._shown_box = seen.box
        self._frames_doubted += 1
        is_given_up = rules.long_term and self._frames_doubted > rules.patience
        self._frames_lost = self._frames_lost + 1 if is_given_up else 0
        return TrackState.LOST

    def correct(self, box: Box) -> None:
        """Hold another box than the one seen in this frame: the same target, framed better."""
        self._held_box = self._shown_box = box

    def is_found(self, seen: Sighting, rules: HoldRules) -> bool:
        """Whether this is the lost target."""
        lost, enough, least = rules.thresholds
        if seen.confidence < lost:
            return False
        if rules.reidentify and seen.box.iou(self._held_box) > 0:
            # where it was lost, the target is more likely than elsewhere
            enough = (lost + enough) / 2
        # what was before never speaks against it, so enough confidence does alone
        if self._evidence(seen, lost) < logit(enough) - logit(lost):
            return False
        return not rules.reidentify or min(seen.likeness()) >= least

    def prefers(self, wide: Sighting, near: Sighting, rules: HoldRules) -> bool:
        """Whether what was seen elsewhere is to be shown instead of the best proposal nearby.

        It is if it is the lost target, and also if it would be held were it not lost, and is
        likelier to be the target than what is near.
        """
        likelier = wide.confidence > max(near.confidence, rules.thresholds.lost)
        return likelier or self.is_found(wide, rules)

    def _evidence(self, seen: Sighting, lost: float) -> float:
        """What this frame and those before it in which the same was shown say, in logits.

        A frame counts by how far its confidence is above the threshold of a loss.
        """
        before = self._gathered if seen.box.iou(self._shown_box) > 0 else 0.0
        return before + _surplus(seen, lost)

    def _take(self, box: Box) -> None:
        self._held_box = self._shown_box = box
        self._gathered = 0.0
        self._frames_doubted = self._frames_confirmed = self._frames_lost = 0

    def _is_target(self, seen: Sighting, rules: HoldRules) -> bool:
        """Whether the proposal is the target: held so far, or found again."""
        if self.is_lost:
            return self._is_confirmed(seen, rules)
        lost = rules.thresholds.lost
        if self._frames_doubted:
            return seen.confidence >= lost and self._evidence(seen, lost) >= rules.hysteresis
        self._against = max(0.0, self._against - _surplus(seen, lost))
        return self._against <= rules.hysteresis

    def _is_confirmed(self, seen: Sighting, rules: HoldRules) -> bool:
        """Whether the lost target is found in this frame and in enough before it."""
        if not self.is_found(seen, rules):
            self._frames_confirmed = 0
            return False
        self._frames_confirmed += 1
        return self._frames_confirmed >= rules.confirm_frames


def _surplus(seen: Sighting, lost: float) -> float:
    """By how much the confidence is above the threshold of a loss, in logits."""
    return logit(seen.confidence) - logit(lost)
