"""The eleven actions of ADNet and what each does to a box (Yun et al., CVPR 2017, section 3.1).

Boxes are rows x, y, width, height in pixels (:data:`visual_tracker.boxes.BoxArray`). A move shifts
by `STEP` of the box's side, one pixel at least; a doubled move by twice that. The scale actions
change both sides by one factor, so that the aspect is kept: the shorter side by `STEP` of it, one
pixel at least. Every action undoes its inverse exactly, at every size, because a shrink is defined
as what undoes a growth.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import BoxArray

IntArray = NDArray[np.int64]

#: share of a side that one step covers, and its least extent in pixels
STEP = 0.03
MIN_STEP = 1.0

#: a shorter side of this many pixels does not shrink
SMALLEST_SIDE = 3.0


class Action(IntEnum):
    """What the policy can do to a box; the value is the index of its output."""

    LEFT = 0
    RIGHT = 1
    UP = 2
    DOWN = 3
    FAR_LEFT = 4
    FAR_RIGHT = 5
    FAR_UP = 6
    FAR_DOWN = 7
    GROW = 8
    SHRINK = 9
    STOP = 10


ACTIONS = len(Action)

#: steps along x and y of each action
_STEPS = np.array(
    [(-1, 0), (1, 0), (0, -1), (0, 1), (-2, 0), (2, 0), (0, -2), (0, 2), (0, 0), (0, 0), (0, 0)],
    float,
)

#: the action that undoes each action, by index; STOP undoes itself
INVERSE: IntArray = np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 10])


def apply_actions(boxes: BoxArray, actions: IntArray) -> BoxArray:
    """The boxes after one action each.

    Args:
        boxes: (..., 4).
        actions: indices of :class:`Action`, broadcast against the boxes' (...).

    Returns:
        (..., 4).
    """
    boxes, actions = np.asarray(boxes, float), np.asarray(actions)
    sides = boxes[..., 2:]
    centers = boxes[..., :2] + sides / 2 + _STEPS[actions] * np.maximum(STEP * sides, MIN_STEP)
    if ((actions == Action.GROW) | (actions == Action.SHRINK)).any():
        sides = sides * _factors(sides.min(axis=-1), actions)[..., None]
    sides = np.broadcast_to(sides, centers.shape)
    return np.concatenate([centers - sides / 2, sides], axis=-1)


def undo_actions(boxes: BoxArray, actions: IntArray) -> BoxArray:
    """The boxes from which the actions lead to `boxes`: the backward action (section 4.1).

    Args:
        boxes: (..., 4).
        actions: indices of :class:`Action`, broadcast against the boxes' (...).
    """
    return apply_actions(boxes, INVERSE[np.asarray(actions)])


def after_each_action(boxes: BoxArray) -> BoxArray:
    """The boxes after every action, (..., 4) to (..., 11, 4)."""
    return apply_actions(np.asarray(boxes, float)[..., None, :], np.arange(ACTIONS))


def _factors(shorter: NDArray[np.float64], actions: IntArray) -> NDArray[np.float64]:
    """By what each action multiplies both sides, given the shorter one."""
    grown = shorter + np.maximum(STEP * shorter, MIN_STEP)
    # The inverse of `grown` as a function of `shorter`: linear in both of its parts.
    shrunk = np.where(
        shorter * STEP < MIN_STEP * (1 + STEP), shorter - MIN_STEP, shorter / (1 + STEP)
    )
    shrunk = np.where(shrunk < SMALLEST_SIDE, shorter, shrunk)
    new = np.where(
        actions == Action.GROW, grown, np.where(actions == Action.SHRINK, shrunk, shorter)
    )
    return np.asarray(new / shorter)
