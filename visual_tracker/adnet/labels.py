"""What the policy should do with a box, given the truth (Yun et al., CVPR 2017, section 4.1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.adnet.actions import Action, IntArray, after_each_action
from visual_tracker.boxes import BoxArray, overlaps

#: a box that overlaps the truth more needs no further action
STOP_IOU = 0.93

#: a box that overlaps the truth more shows the target
TARGET_IOU = 0.7


class Labels(NamedTuple):
    """Labels of N boxes.

    Attributes:
        actions: (N,) indices of :class:`Action`.
        classes: (N,), 1 where the box shows the target and 0 elsewhere.
        ious: (N,) overlap with the truth.
    """

    actions: IntArray
    classes: IntArray
    ious: NDArray[np.float64]


def label_boxes(boxes: BoxArray, truth: BoxArray, target_iou: float = TARGET_IOU) -> Labels:
    """The best action and the class of each box.

    The best action is the one after which the overlap with the truth is largest; STOP is one of
    them and wins too where the overlap is above `STOP_IOU`. A box that no action brings nearer
    stops.

    Args:
        boxes: (N, 4) rows x, y, width, height.
        truth: (4,) or (N, 4).
        target_iou: a box that overlaps more is of class 1.
    """
    after = overlaps(after_each_action(boxes), np.asarray(truth, float)[..., None, :])
    ious = after[:, Action.STOP]
    best = after.argmax(axis=1)
    gains = after[np.arange(len(after)), best] > ious
    actions = np.where(gains & (ious <= STOP_IOU), best, Action.STOP)
    return Labels(actions, (ious > target_iou).astype(np.int64), ious)
