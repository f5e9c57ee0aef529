"""How bright an image is around a target, and the same image as more light would have shown it.

A network that learned from well-lit images loses targets in the dark, though what it needs is still
in the grey levels (docs/experiments.md, 44). A camera whose exposure is at its end cannot help; a
gain on its images can.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image, size_of

#: the darkest images are noise; more would bring nothing but that
LARGEST_GAIN = 16.0

#: side of the region that is looked at, in larger sides of the box
_REGION = 4.0
#: at most so many rows and columns of it
_SAMPLES = 32
#: of them darker than what counts as the brightness: a lamp alone must not pass for daylight
_DARKER = 0.99


def brightness(image: Image, box: Box | None = None) -> int:
    """The grey level below which 99 % of the pixels' brightest channels lie.

    Args:
        image: BGR uint8 (height, width, 3).
        box: of the target, which is looked at with its surroundings; None for the whole image.
    """
    part = image if box is None else _around(image, box)
    rows, columns = (-(-side // _SAMPLES) for side in part.shape[:2])
    brightest = part[::rows, ::columns].max(axis=2).ravel()
    rank = int(_DARKER * (brightest.size - 1))
    return int(np.partition(brightest, rank)[rank])


class _Light(NamedTuple):
    """What an image was given.

    Attributes:
        factor: of its gain, 1.0 or more.
        overall: brightness of the whole image without it; 0 where there was no gain.
    """

    factor: float = 1.0
    overall: int = 0


class Gain:
    """The gain on the images in which one target is followed."""

    def __init__(self) -> None:
        self._latest = self._held = _Light()

    def start(self, image: Image, least: float, box: Box) -> Image:
        """The first image, with the target in `box`, as `applied`."""
        self._latest = self._held = _lacking(image, least, box)
        return _lit(image, self._held.factor)

    def applied(self, image: Image, least: float, near: Box | None) -> Image:
        """The next image, or a copy with a gain if it is darker than `least` around the target.

        A lost target may be anywhere. The gain of the last image in which it was held stays, so
        that it looks as it was learned, and falls as the image as a whole gets brighter, as by a
        lamp that is switched on.

        Args:
            image: BGR uint8 (height, width, 3).
            least: `brightness` that is brought about, by a factor up to LARGEST_GAIN; 0: no gain.
            near: where the target was held in the last image; None if it was lost there.
        """
        if near is None:
            return _lit(image, self._while_lost(image) if least > 0 else 1.0)
        # what the last image was given is known to have been right only now
        self._held = self._latest
        self._latest = _lacking(image, least, near)
        return _lit(image, self._latest.factor)

    def _while_lost(self, image: Image) -> float:
        factor, overall = self._held
        if factor == 1.0:
            return factor
        return max(1.0, factor * min(1.0, overall / max(brightness(image), 1)))


def _lacking(image: Image, least: float, near: Box) -> _Light:
    """The gain that an image needs around a box."""
    factor = min(least / max(brightness(image, near), 1), LARGEST_GAIN) if least > 0 else 1.0
    return _Light(factor, brightness(image)) if factor > 1.0 else _Light()


def _lit(image: Image, factor: float) -> Image:
    return image if factor == 1.0 else cv2.convertScaleAbs(image, alpha=factor)


def _around(image: Image, box: Box) -> Image:
    """The region around a box as far as the image has it; the whole image if it has none of it."""
    half = _REGION / 2 * max(box.width, box.height)
    (left, right), (top, bottom) = (
        (round(max(middle - half, 0)), round(min(middle + half, limit)))
        for middle, limit in zip(box.center, size_of(image), strict=True)
    )
    part = image[top:bottom, left:right]
    return part if part.size else image
