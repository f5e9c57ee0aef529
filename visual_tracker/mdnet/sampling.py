"""Which boxes MDNet learns from: positives and negatives of the first frame and of later ones.

MDNet, section 3.3; the spreads are those of the authors' later code.
"""

from __future__ import annotations

import numpy as np

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.online.samplers import (
    Spread,
    draw_overlapping,
    gaussian_boxes,
    uniform_boxes,
    whole_image_boxes,
)

#: IoU with the target from which on a box shows it
POSITIVE_IOU = 0.7
#: IoU up to which a box of the first frame, and one of a later frame, shows background
FIRST_NEGATIVE_IOU = 0.5
LATER_NEGATIVE_IOU = 0.3
#: IoU from which on a box can tell where the target is
REGRESSION_IOU = 0.6

_POSITIVE = Spread(translation=0.05, scale=0.5, scale_step=1.2)
_NEGATIVE = Spread(translation=1.0, scale=1.0, scale_step=1.5)
_REGRESSION = Spread(translation=0.3, scale=1.0, aspect=1.0, scale_step=1.3)


class TrainingBoxes:
    """Draws boxes to learn from.

    Args:
        rng: all the randomness there is.
        image_size: width and height.
    """

    def __init__(self, rng: np.random.Generator, image_size: tuple[int, int]) -> None:
        self._rng = rng
        self._image_size = image_size

    def positives(self, target: Box, count: int) -> BoxArray:
        """Boxes that show the target, (n, 4), n <= count."""
        return draw_overlapping(
            lambda n: gaussian_boxes(self._rng, target, n, self._image_size, _POSITIVE),
            target, count, POSITIVE_IOU, 1.0,
        )  # fmt: skip

    def negatives(self, target: Box, count: int, highest: float) -> BoxArray:
        """Boxes around the target with an IoU of `highest` at most, (n, 4), n <= count."""
        return draw_overlapping(
            lambda n: uniform_boxes(self._rng, target, n, self._image_size, _NEGATIVE),
            target, count, 0.0, highest,
        )  # fmt: skip

    def elsewhere(self, target: Box, count: int) -> BoxArray:
        """Boxes of about the target's size anywhere in the image, (n, 4), n <= count."""
        return draw_overlapping(
            lambda n: whole_image_boxes(self._rng, target, n, self._image_size, _NEGATIVE),
            target, count, 0.0, FIRST_NEGATIVE_IOU,
        )  # fmt: skip

    def regression(self, target: Box, count: int) -> BoxArray:
        """Boxes near the target, (n, 4), n <= count."""
        return draw_overlapping(
            lambda n: uniform_boxes(self._rng, target, n, self._image_size, _REGRESSION),
            target, count, REGRESSION_IOU, 1.0,
        )  # fmt: skip
