"""What DaSiamRPN sees in a crop, and which of it is taken for the target."""

from __future__ import annotations

from typing import NamedTuple

from visual_tracker.models.matchers import FloatArray
from visual_tracker.trackers.distractor_tracks import Candidates
from visual_tracker.trackers.siamrpn import Ranked


class Filtered(NamedTuple):
    """What the target model says of a crop.

    Attributes:
        features: projected, (channels, H, W).
        answer: its map, (rows, columns).
        values: its answer at each proposal's centre, (N,).
    """

    features: FloatArray
    answer: FloatArray
    values: FloatArray


class Choice(NamedTuple):
    """The target's proposal among those of a crop.

    Attributes:
        ranked: all proposals.
        chosen: index of the target's.
        distractors: indices of those that resemble it.
        filtered: what the target model says, None without one.
        candidates: the proposals between which it was chosen; None where distractors are of no
            concern.
    """

    ranked: Ranked
    chosen: int
    distractors: list[int]
    filtered: Filtered | None
    candidates: Candidates | None
