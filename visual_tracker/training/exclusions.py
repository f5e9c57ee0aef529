"""Finding evaluation images among training images, whatever their size and compression."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from visual_tracker.images import Image

_SIDE = 16

#: of 256 bits, those in which two pictures of one scene may differ
MAX_DIFFERENCE = 24


def fingerprint(image: Image) -> int:
    """Difference hash: 256 bits, each whether a cell of a 16x17 grid is darker than the next.

    Args:
        image: BGR uint8 (height, width, 3).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """Index pairs of fingerprints that differ in MAX_DIFFERENCE bits at most."""
    return [
        (i, j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if (one ^ other).bit_count() <= MAX_DIFFERENCE
    ]
