"""Long-term measures: precision, recall and F-score by confidence, and how losing and finding went.

Precision, recall and F-score are those of Lukezic et al., "Now you see me: evaluating performance
in long-term visual tracking" (2018), as the VOT long-term challenges use them:

- Pr(tau) = mean IoU over the frames reported with confidence >= tau; a frame in which the target
  cannot be seen counts as IoU 0. Where nothing is reported, Pr is 1 and Re is 0.
- Re(tau) = sum of the IoU of the frames reported / frames in which the target is visible.
- F = max over tau of 2 Pr Re / (Pr + Re). Over a dataset Pr and Re are averaged over the sequences
  at each tau first.

**A tracker without confidence** (None) is taken at its word: confidence 1 while TRACKING and 0
while LOST. The first frame is given, not found, and counts nowhere.

The lost/found statistics are our own; each field of :class:`LostFound` says what it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import BoxArray, overlaps
from visual_tracker.evaluation.metrics import BoolArray, FloatArray

#: thresholds of confidence on a curve, the two infinite ends among them (as in vot-toolkit)
RESOLUTION = 100
#: IoU above which a target that came back counts as found again
FOUND_IOU = 0.5
#: frames from the target's return within which it is found again soon
SOON = 10


@dataclass(frozen=True)
class Outcome:
    """One pass over one sequence, seen by the long-term measures, first frame left out.

    Attributes:
        ious: IoU a frame, shape (frames,), 0 where the target is not visible.
        scores: confidence a frame, shape (frames,), by the rule of this module.
        lost: True where the tracker said LOST, shape (frames,).
        visible: True where the target can be seen, shape (frames,).
    """

    ious: FloatArray
    scores: FloatArray
    lost: BoolArray
    visible: BoolArray


@dataclass(frozen=True)
class LongTermScore:
    """Precision, recall and F at the threshold where F is highest.

    Attributes:
        precision: Pr there.
        recall: Re there.
        f_score: the highest F.
        threshold: the confidence at which it is reached; may be infinite.
    """

    precision: float
    recall: float
    f_score: float
    threshold: float


@dataclass(frozen=True)
class LostFound:
    """How losing and finding the target went; a share or mean of nothing is None.

    Attributes:
        absences: runs of frames without the target after which it came back.
        found_again: how many of them the tracker recovered from: TRACKING with IoU > FOUND_IOU
            in some frame before the next absence.
        found_soon: how many of them within SOON frames of the target's first visible frame.
        resumptions: how often it said TRACKING after LOST.
        wrong_resumptions: how many of them on a box that does not touch the target (IoU 0), as on a
            look-alike or while the target was absent.
        frames_to_recovery: mean number of frames from the target's first visible frame to that
            one, 0 if it was found at once; over the absences recovered from.
        lost_while_absent: share of the frames without the target in which it said LOST.
        false_lost: share of the frames with the target in which it said LOST.
        false_tracking: share of the frames with the target in which it said TRACKING on a box
            that does not touch it (IoU 0).
    """

    absences: int
    found_again: int
    found_soon: int
    resumptions: int
    wrong_resumptions: int
    frames_to_recovery: float | None
    lost_while_absent: float | None
    false_lost: float | None
    false_tracking: float | None


def outcome(
    predicted: BoxArray,
    truth: BoxArray,
    visible: BoolArray,
    lost: BoolArray,
    confidence: Sequence[float | None],
) -> Outcome:
    """Bring one pass over a sequence into the form the measures take.

    Args:
        predicted: (frames, 4) boxes found.
        truth: (frames, 4) true boxes.
        visible: (frames,) True where the target can be seen and has a true box.
        lost: (frames,) True where the tracker said LOST.
        confidence: of each frame, None where the tracker gave none.
    """
    ious = np.where(visible, overlaps(predicted, truth), 0.0)
    said = [
        float(not gone) if score is None else score
        for score, gone in zip(confidence, lost, strict=True)
    ]
    return Outcome(ious[1:], np.array(said[1:], float), lost[1:], visible[1:])


def confidence_thresholds(scores: FloatArray, resolution: int = RESOLUTION) -> FloatArray:
    """Thresholds from +inf down to -inf that cut the sorted scores into bins of equal size.

    Args:
        scores: every confidence given, of all sequences, shape (n,).
        resolution: how many thresholds, the two infinite ones among them, where there are
            enough scores.
    """
    ordered = np.sort(scores)[::-1]
    inner = resolution - 2
    if ordered.size > inner:
        margin = ordered.size // inner
        places = np.linspace(margin, ordered.size - margin, num=inner)
        # rounded half to even, as numpy does, for the same thresholds as vot-toolkit
        ordered = ordered[np.minimum(np.round(places).astype(int), ordered.size - 1)]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall(result: Outcome, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pr and Re of one sequence at each threshold; Re is NaN if the target is never visible."""
    reported = result.scores >= thresholds[:, None]
    count = reported.sum(axis=1)
    total = (reported * result.ious).sum(axis=1)
    precision = np.divide(total, count, out=np.ones(len(thresholds)), where=count > 0)
    visible = result.visible.sum()
    return precision, total / visible if visible else np.full(len(thresholds), np.nan)


def long_term_score(results: Sequence[Outcome]) -> LongTermScore | None:
    """The F-score over a set of sequences; None if the target is visible in none of them.

    Args:
        results: one outcome a sequence; those in which the target is never visible are left out.
    """
    results = [result for result in results if result.visible.any()]
    if not results:
        return None
    thresholds = confidence_thresholds(np.concatenate([result.scores for result in results]))
    curves = [precision_recall(result, thresholds) for result in results]
    precision, recall = (
        np.mean([curve[0] for curve in curves], axis=0),
        np.mean([curve[1] for curve in curves], axis=0),
    )
    both = precision + recall
    f_score = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    best = int(f_score.argmax())
    return LongTermScore(
        float(precision[best]), float(recall[best]), float(f_score[best]), float(thresholds[best])
    )


def lost_found(result: Outcome, found_iou: float = FOUND_IOU) -> LostFound:
    """Count how losing and finding the target went in one sequence."""
    waits = [
        _frames_until_found(result, back, until, found_iou)
        for back, until in _returns(result.visible)
    ]
    found = [wait for wait in waits if wait is not None]
    resumed = np.append(False, result.lost[:-1]) & ~result.lost
    off_target = ~result.lost & (result.ious == 0)
    return LostFound(
        absences=len(waits),
        found_again=len(found),
        found_soon=sum(wait <= SOON for wait in found),
        resumptions=int(resumed.sum()),
        wrong_resumptions=int((resumed & (result.ious == 0)).sum()),
        frames_to_recovery=float(np.mean(found)) if found else None,
        lost_while_absent=_share(result.lost, ~result.visible),
        false_lost=_share(result.lost, result.visible),
        false_tracking=_share(off_target, result.visible),
    )


def _returns(visible: BoolArray) -> list[tuple[int, int]]:
    """The stretch of visible frames after each absence, as (first, end)."""
    # the frame before the first was the given one: the target was there
    steps = np.diff(np.concatenate([[True], visible, [False]]).astype(int))
    backs, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(int(back), int(ends[ends > back][0])) for back in backs]


def _frames_until_found(result: Outcome, back: int, until: int, found_iou: float) -> int | None:
    found = ~result.lost[back:until] & (result.ious[back:until] > found_iou)
    return int(found.argmax()) if found.any() else None


def _share(condition: BoolArray, among: BoolArray) -> float | None:
    return float(condition[among].mean()) if among.any() else None
