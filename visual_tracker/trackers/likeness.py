"""How much a candidate looks like the target: in its first frame, and lately.

The first template is certain but grows old; the recent ones are up to date but may have drifted.
A candidate found after a loss is asked about both (re-identification). Similarity is the cosine
of the network's embeddings, as in :mod:`visual_tracker.trackers.distractors`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.trackers.distractors import unit

FloatArray = NDArray[np.floating]

#: recent templates kept
_RECENT = 5


class Likeness(NamedTuple):
    """Similarities of a candidate, in [-1, 1].

    Attributes:
        first: to the first template.
        recent: to the nearest recent one; before there is one, the first stands for it.
    """

    first: float
    recent: float


class Gallery:
    """The first template and the recent confident ones.

    Args:
        first: phi(z) of the first frame, (C, h, w).
    """

    def __init__(self, first: FloatArray) -> None:
        self.shape = first.shape
        # the first row is the first template's, the others a ring of recent ones
        self._rows = np.zeros((1 + _RECENT, first.size), np.float32)
        self._rows[0] = unit(first)
        self._count = 0

    def remember(self, embedding: FloatArray) -> None:
        """Add a recent template, (C, h, w)."""
        self._rows[1 + self._count % _RECENT] = unit(embedding)
        self._count += 1

    def likeness(self, embedding: FloatArray) -> Likeness:
        """How much a candidate (C, h, w) looks like the target."""
        kept = min(self._count, _RECENT)
        values = self._rows[: 1 + kept] @ unit(embedding).astype(np.float32)
        return Likeness(float(values[0]), float(values[1 if kept else 0 :].max()))
