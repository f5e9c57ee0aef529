"""The measures of one pass over a sequence: success, precision, normalised precision, AO and SR.

Everything takes boxes as arrays of shape (frames, 4), rows x, y, width, height in pixels. The truth
of a frame may be NaN (no truth there); such a frame counts in no measure. Where no frame is left,
a measure is None.

Sources:

- success and precision: Wu, Lim, Yang, "Object Tracking Benchmark", TPAMI 2015 (OTB). One pass,
  and **the first frame counts**, with its box set to the truth.
- normalised precision: Mueller et al., "TrackingNet", ECCV 2018. First frame as in OTB.
- AO and SR: Huang, Zhao, Huang, "GOT-10k", TPAMI 2019. **The first frame does not count.**
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import BoxArray, center_offsets, overlaps

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: 21 IoU thresholds 0, .05 .. 1 of the success plot
SUCCESS_THRESHOLDS: FloatArray = np.linspace(0, 1, 21)
#: 51 centre errors 0, 1 .. 50 pixels of the precision plot
PRECISION_THRESHOLDS: FloatArray = np.arange(51, dtype=float)
#: the centre error in pixels at which precision is quoted
PRECISION_PIXELS = 20
#: 51 centre errors 0, .01 .. .5 of the target's size of the normalised precision plot
NORM_PRECISION_THRESHOLDS: FloatArray = np.arange(51) / 100.0


@dataclass(frozen=True)
class Curves:
    """The three plots of one sequence, or their mean over sequences.

    Attributes:
        success: share of frames with IoU > each of SUCCESS_THRESHOLDS, shape (21,).
        precision: share with a centre error <= each of PRECISION_THRESHOLDS, shape (51,).
        norm_precision: share with a centre error <= each of NORM_PRECISION_THRESHOLDS when
            x is measured in widths of the true box and y in its heights, shape (51,).
    """

    success: FloatArray
    precision: FloatArray
    norm_precision: FloatArray

    @property
    def success_auc(self) -> float:
        """Area under the success plot: the mean over its 21 thresholds."""
        return float(self.success.mean())

    @property
    def precision_20(self) -> float:
        """Share of frames with a centre error of at most 20 pixels."""
        return float(self.precision[PRECISION_PIXELS])

    @property
    def norm_precision_auc(self) -> float:
        """Area under the normalised precision plot: the mean over its 51 thresholds."""
        return float(self.norm_precision.mean())


@dataclass(frozen=True)
class AverageOverlap:
    """GOT-10k's measures of one sequence, or of several.

    Attributes:
        ao: mean IoU.
        sr_50: share of frames with IoU > .5.
        sr_75: share of frames with IoU > .75.
        frames: how many they are of.
    """

    ao: float
    sr_50: float
    sr_75: float
    frames: int


def with_first_frame_set(predicted: BoxArray, truth: BoxArray) -> BoxArray:
    """OTB's first-frame rule: a copy of the predictions whose first box is the truth."""
    predicted = np.array(predicted, float)
    predicted[:1] = truth[:1]
    return predicted


def success_curve(ious: FloatArray) -> FloatArray:
    """Share of frames with IoU **greater than** each of the 21 thresholds.

    Args:
        ious: IoU of each frame, shape (frames,), no NaN, at least one.
    """
    return np.asarray((ious[:, None] > SUCCESS_THRESHOLDS).mean(axis=0))


def precision_curve(
    errors: FloatArray, thresholds: FloatArray = PRECISION_THRESHOLDS
) -> FloatArray:
    """Share of frames whose centre error is **at most** each threshold.

    Args:
        errors: centre error of each frame, shape (frames,), no NaN, at least one.
        thresholds: in the unit of the errors.
    """
    return np.asarray((errors[:, None] <= thresholds).mean(axis=0))


def one_pass_curves(predicted: BoxArray, truth: BoxArray) -> Curves | None:
    """The plots of one pass over a sequence, by OTB's rules.

    None if no frame after the first has a truth: a first box that is given says nothing.

    Args:
        predicted: (frames, 4) boxes found; the first is replaced by the truth.
        truth: (frames, 4) true boxes, NaN rows where there is none.
    """
    known = has_box(truth)
    if not known[1:].any():
        return None
    predicted, truth = with_first_frame_set(predicted, truth)[known], truth[known]
    offsets = center_offsets(predicted, truth)
    return Curves(
        success_curve(overlaps(predicted, truth)),
        precision_curve(np.hypot(*offsets.T)),
        precision_curve(np.hypot(*(offsets / truth[:, 2:]).T), NORM_PRECISION_THRESHOLDS),
    )


def average_overlap(predicted: BoxArray, truth: BoxArray) -> AverageOverlap | None:
    """GOT-10k's AO, SR.5 and SR.75; None if no frame after the first has a truth.

    Args:
        predicted: (frames, 4) boxes found; the first is left out.
        truth: (frames, 4) true boxes, NaN rows where there is none.
    """
    ious = overlaps(predicted[1:], truth[1:])[has_box(truth)[1:]]
    if not ious.size:
        return None
    return AverageOverlap(
        float(ious.mean()), float((ious > 0.5).mean()), float((ious > 0.75).mean()), len(ious)
    )


def mean_overlap(parts: list[AverageOverlap]) -> AverageOverlap:
    """GOT-10k's measures over all frames of sequences together, as its toolkit takes them.

    Args:
        parts: of one sequence each, one at least.
    """
    frames = [part.frames for part in parts]

    def over_frames(values: list[float]) -> float:
        return float(np.average(values, weights=frames))

    return AverageOverlap(
        over_frames([part.ao for part in parts]),
        over_frames([part.sr_50 for part in parts]),
        over_frames([part.sr_75 for part in parts]),
        sum(frames),
    )


def mean_curves(curves: list[Curves]) -> Curves | None:
    """The unweighted mean over sequences, as OTB averages; None of none."""
    if not curves:
        return None
    return Curves(
        np.mean([curve.success for curve in curves], axis=0),
        np.mean([curve.precision for curve in curves], axis=0),
        np.mean([curve.norm_precision for curve in curves], axis=0),
    )


def has_box(boxes: BoxArray) -> BoolArray:
    """Which rows are boxes: finite and of positive size, shape (frames,)."""
    return np.asarray(np.isfinite(boxes).all(axis=-1) & (boxes[..., 2:] > 0).all(axis=-1))
