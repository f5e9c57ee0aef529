"""Random boxes around a target: where to look, and what to learn from.

Nam and Han, "Learning Multi-Domain Convolutional Neural Networks for Visual Tracking", CVPR 2016,
sections 3.3 and 4.1: candidates and positives are drawn from a normal distribution around the
target, negatives evenly around it or over the whole image. Every draw depends on its random
generator alone; boxes are rows x, y, width, height in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box, BoxArray, overlaps

#: normal deviations are cut off here, in standard deviations, as in the authors' code
_CUT = 2.0

#: the smallest side in pixels of a drawn box
MIN_SIDE = 2.0

Draw = Callable[[int], BoxArray]


@dataclass(frozen=True, slots=True)
class Spread:
    """How far samples lie from their box.

    Attributes:
        translation: of the centre, in mean sides (w + h) / 2 of the box; the standard deviation of
            normal draws, the farthest of even ones.
        scale: of the size, as a power of `scale_step`, likewise.
        aspect: of width against height, as a power of `scale_step`, likewise.
        scale_step: base of the powers.
    """

    translation: float
    scale: float
    aspect: float = 0.0
    scale_step: float = 1.05

    def widened(self, factor: float) -> Spread:
        """The same with a translation `factor` times as far."""
        return Spread(self.translation * factor, self.scale, self.aspect, self.scale_step)


def gaussian_boxes(
    rng: np.random.Generator, box: Box, count: int, image_size: tuple[int, int], spread: Spread
) -> BoxArray:
    """Boxes normally distributed around a box.

    Args:
        rng: all the randomness there is.
        box: the middle of the distribution.
        count: how many.
        image_size: width and height; centres stay inside, sides are no longer.
        spread: standard deviations; draws beyond two of them are moved there.

    Returns:
        (count, 4).
    """
    deviations = np.clip(rng.standard_normal((count, 4)), -_CUT, _CUT)
    return _moved(box, deviations, image_size, spread)


def uniform_boxes(
    rng: np.random.Generator, box: Box, count: int, image_size: tuple[int, int], spread: Spread
) -> BoxArray:
    """Boxes evenly distributed around a box; arguments and result as :func:`gaussian_boxes`."""
    return _moved(box, rng.uniform(-1.0, 1.0, (count, 4)), image_size, spread)


def whole_image_boxes(
    rng: np.random.Generator, box: Box, count: int, image_size: tuple[int, int], spread: Spread
) -> BoxArray:
    """Boxes with the box's size, varied evenly, and centres evenly over the whole image.

    Arguments and result as :func:`gaussian_boxes`; the translation of `spread` is not used.
    """
    deviations = rng.uniform(-1.0, 1.0, (count, 4))
    deviations[:, :2] = 0.0
    boxes = _moved(box, deviations, image_size, spread)
    centers = rng.uniform(0.0, 1.0, (count, 2)) * image_size
    boxes[:, :2] = centers - boxes[:, 2:] / 2
    return boxes


def draw_overlapping(
    draw: Draw, box: Box, count: int, lowest: float, highest: float, rounds: int = 10
) -> BoxArray:
    """Draw until `count` boxes overlap a box by an IoU in [lowest, highest].

    Args:
        draw: makes any number of boxes, like ``lambda n: gaussian_boxes(rng, box, n, ...)``.
        box: what they are compared with.
        count: how many are wanted.
        lowest: IoU, included.
        highest: IoU, included.
        rounds: draws of `count` before the wish is given up.

    Returns:
        (n, 4), n <= count: fewer if so few turned up.
    """
    kept: list[BoxArray] = []
    found = 0
    for _ in range(rounds):
        if found >= count:
            break
        boxes = draw(count)
        iou = overlaps(boxes, np.array(box.xywh))
        accepted = boxes[(iou >= lowest) & (iou <= highest)]
        kept.append(accepted)
        found += len(accepted)
    return np.concatenate([np.empty((0, 4)), *kept])[:count]


def _moved(
    box: Box, deviations: NDArray[np.float64], image_size: tuple[int, int], spread: Spread
) -> BoxArray:
    """The box once for each row of deviations: x, y, scale, aspect in units of the spread."""
    mean_side = (box.width + box.height) / 2
    limit = np.asarray(image_size, float)
    centers = np.array(box.center) + deviations[:, :2] * spread.translation * mean_side
    powers = deviations[:, 2:] * (spread.scale, spread.aspect / 2)
    factors = spread.scale_step ** (powers[:, :1] + powers[:, 1:] * [1.0, -1.0])
    sizes = np.clip(np.array([box.width, box.height]) * factors, MIN_SIDE, limit)
    return np.concatenate([np.clip(centers, 0.0, limit) - sizes / 2, sizes], axis=1)
