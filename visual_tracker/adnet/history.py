"""The last actions of a target as the policy sees them (Yun et al., CVPR 2017, section 3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visual_tracker.adnet.actions import ACTIONS, IntArray

#: actions remembered
LENGTH = 10

#: numbers in an encoded history
SIZE = LENGTH * ACTIONS

#: in place of an action where there was none yet
NONE = -1


def empty_histories(count: int) -> IntArray:
    """Histories of `count` targets that have not moved yet, (count, 10)."""
    return np.full((count, LENGTH), NONE, dtype=np.int64)


def remember(histories: IntArray, actions: IntArray) -> IntArray:
    """Histories with one more action each, the latest first; the oldest is forgotten.

    Args:
        histories: (N, 10) indices of actions or NONE.
        actions: (N,).
    """
    return np.concatenate([np.asarray(actions)[:, None], histories[:, :-1]], axis=1)


def encode_histories(histories: IntArray) -> NDArray[np.float32]:
    """One-hot codes, (N, 10) to (N, 110); zeros where there was no action."""
    codes = np.asarray(histories)[..., None] == np.arange(ACTIONS)
    return codes.reshape(len(histories), SIZE).astype(np.float32)
