"""States from which the truth is some actions away, made by backward actions.

Yun et al., CVPR 2017, section 4.1: a training patch is the true box moved by the inverse of an
action, and the action that undoes it is its label. Chains of backward actions reach states that are
several actions away; their forward actions are the history that a tracker would have there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from visual_tracker.adnet.actions import ACTIONS, Action, IntArray, undo_actions
from visual_tracker.adnet.history import LENGTH, empty_histories
from visual_tracker.boxes import BoxArray

#: chance that a chain's next action is the one before it: targets move on, boxes approach them
_PERSISTENCE = 0.6


class States(NamedTuple):
    """N states of the policy.

    Attributes:
        boxes: (N, 4) rows x, y, width, height.
        histories: (N, 10), see :mod:`visual_tracker.adnet.history`.
    """

    boxes: BoxArray
    histories: IntArray


def backward_states(truth: BoxArray, count: int, longest: int, rng: np.random.Generator) -> States:
    """States 0 to `longest` actions away from the truth.

    Args:
        truth: (4,).
        count: how many.
        longest: most actions between a state and the truth.
        rng: of all choices.
    """
    chains = _chains(count, longest + LENGTH, rng)
    lengths = rng.integers(0, longest + 1, count)
    boxes = np.repeat(np.asarray(truth, float)[None], count, axis=0)
    for index in range(longest):
        boxes = np.where((index < lengths)[:, None], undo_actions(boxes, chains[:, index]), boxes)
    # The forward actions before the state are those further down the chain, the nearest latest.
    columns = lengths[:, None] + np.arange(LENGTH)
    histories = np.take_along_axis(chains, columns, axis=1)
    known = np.arange(LENGTH) < rng.integers(0, LENGTH + 1, count)[:, None]
    return States(boxes, np.where(known, histories, empty_histories(count)))


def _chains(count: int, length: int, rng: np.random.Generator) -> IntArray:
    """Random actions other than STOP, (count, length), each likely the one before it."""
    drawn = rng.integers(0, ACTIONS - 1, (count, length))  # STOP is the last
    assert Action.STOP == ACTIONS - 1
    repeats = rng.random((count, length)) < _PERSISTENCE
    for index in range(1, length):
        drawn[:, index] = np.where(repeats[:, index], drawn[:, index - 1], drawn[:, index])
    return drawn
