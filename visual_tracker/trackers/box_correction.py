"""What the network's boxes get wrong on this target, learned in the first frame.

A network boxes what its training data boxed: whole objects. The user may have marked a part (a
face), or with a margin. The first frame tells: there the network's boxes are compared with the
given one, and the systematic difference is taken off later boxes. It is a small relative of the
bounding-box regression that MDNet (Nam and Han, CVPR 2016, section 3.4) learns in the first frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from visual_tracker.models.anchors import iou_with
from visual_tracker.trackers.score_map import Proposals, change_penalty

FloatArray = NDArray[np.floating]

#: a proposal that overlaps less with the given box is of something else
_LEAST_OVERLAP = 0.3
#: strength of the penalty that keeps proposals of another size out
_PENALTY = 0.15
#: largest shift in box sides, and logarithm of the largest change of a side
_LARGEST = 0.5


def measure_correction(views: Iterable[tuple[Proposals, FloatArray]]) -> FloatArray:
    """Median difference between the given box and the network's, over views of the first frame.

    Args:
        views: proposals of each view, and the given box in it, (4,) of centre x, centre y, width,
            height.

    Returns:
        (4,): shift in sides of the network's box, and logarithm of the growth; zero where the
        network does not see the target at all.
    """
    differences = [difference for view in views if (difference := _difference(*view)) is not None]
    if not differences:
        return np.zeros(4)
    return np.clip(np.median(differences, axis=0), -_LARGEST, _LARGEST)


def corrected(boxes: FloatArray, correction: FloatArray) -> FloatArray:
    """Boxes (4, N) with the correction applied, in their own precision (whole numbers: double)."""
    precision = boxes.dtype if np.issubdtype(boxes.dtype, np.floating) else np.float64
    correction = correction.astype(precision)[:, None]
    result = np.empty(boxes.shape, precision)
    result[:2] = boxes[:2] + correction[:2] * boxes[2:]
    result[2:] = boxes[2:] * np.exp(correction[2:])
    return result


def _difference(proposals: Proposals, box: FloatArray) -> FloatArray | None:
    """Between the given box and the network's best one on it."""
    x, y, width, height = (float(value) for value in box)
    ranks = proposals.scores * change_penalty(proposals.boxes, width, height, _PENALTY)
    overlap = iou_with(proposals.boxes, (x, y, width, height))
    if not (overlap > _LEAST_OVERLAP).any():
        return None
    best = proposals.boxes[:, int(np.where(overlap > _LEAST_OVERLAP, ranks, -1.0).argmax())]
    shift = (box[:2] - best[:2]) / best[2:]
    return np.concatenate([shift, np.log(box[2:] / best[2:])])
