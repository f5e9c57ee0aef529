"""How much a candidate looks like the target: in its first frame, and lately.

The first template is certain but grows old; the recent ones are up to date but may have drifted.
A candidate found after a loss is asked about both (re-identification). Similarity is the cosine
of the network's embeddings, as in :mod:`visual_tracker.trackers.distractors`.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from visual_tracker.trackers.distractors import unit

FloatArray = NDArray[np.floating]

#: recent templates kept
_RECENT = 5


class Gallery:
    """The first template and the recent confident ones.

    Args:
        first: phi(z) of the first frame, (C, h, w).
    """

    def __init__(self, first: FloatArray) -> None:
        self.shape = first.shape
        self._first = unit(first)
        self._recent: deque[FloatArray] = deque(maxlen=_RECENT)

    def remember(self, embedding: FloatArray) -> None:
        """Add a recent template, (C, h, w)."""
        self._recent.append(unit(embedding))

    def similarity(self, embedding: FloatArray) -> tuple[float, float]:
        """Similarity to the first template, and to the nearest recent one, in [-1, 1].

        Before there is a recent one, the first stands for it.
        """
        vector = unit(embedding)
        first = float(self._first @ vector)
        recent = max((float(other @ vector) for other in self._recent), default=first)
        return first, recent
