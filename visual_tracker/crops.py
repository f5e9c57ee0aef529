"""Square crops around a target, and the exact way between crop and image coordinates.

Training, evaluation and tracking share this geometry. Coordinates are continuous: pixel ``i``
covers ``[i, i + 1)`` and its centre is at ``i + 0.5``, in the image as in the crop, which is what
:class:`visual_tracker.boxes.Box` means too.

The context side is that of Bertinetto et al., "Fully-Convolutional Siamese Networks for Object
Tracking", 2016, section 3.1: the template shows the target with half of its mean side on each side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.timing import CROP, timed

#: share of the mean side that is added to each side of the target (SiamFC, section 3.1)
CONTEXT = 0.5

#: a crop that shrinks the image by this factor or more is averaged first, or it would alias
_AVERAGING_FACTOR = 2.0


def context_side(width: float, height: float, context: float = CONTEXT) -> float:
    """Side in image pixels of the square that a template crop shows.

    Args:
        width: the target's width in pixels.
        height: the target's height in pixels.
        context: the margin, as a share of ``width + height``.
    """
    margin = context * (width + height)
    return math.sqrt((width + margin) * (height + margin))


@dataclass(frozen=True, slots=True)
class CropFrame:
    """Where a crop lies in its image, and how large its pixels are.

    Attributes:
        center_x: image x of the crop's centre.
        center_y: image y of the crop's centre.
        pixel: side of a crop pixel in image pixels (the inverse of the magnification).
        width: width of the crop in crop pixels.
        height: height of the crop in crop pixels.
    """

    center_x: float
    center_y: float
    pixel: float
    width: int
    height: int

    @classmethod
    def square(cls, center: tuple[float, float], side: float, size: int) -> CropFrame:
        """Frame of a square of `side` image pixels shown in `size` x `size` crop pixels."""
        return cls(center[0], center[1], side / size, size, size)

    @property
    def region(self) -> Box:
        """The part of the image that the crop shows; it may reach beyond the image."""
        return Box.from_center(
            self.center_x, self.center_y, self.width * self.pixel, self.height * self.pixel
        )

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Image coordinates of a point of the crop."""
        return (
            self.center_x + (x - self.width / 2) * self.pixel,
            self.center_y + (y - self.height / 2) * self.pixel,
        )

    def to_crop(self, x: float, y: float) -> tuple[float, float]:
        """Crop coordinates of a point of the image."""
        return (
            (x - self.center_x) / self.pixel + self.width / 2,
            (y - self.center_y) / self.pixel + self.height / 2,
        )

    def box_to_image(self, box: Box) -> Box:
        """A box in crop coordinates, in image coordinates."""
        x, y = self.to_image(box.x, box.y)
        return Box(x, y, box.width * self.pixel, box.height * self.pixel)

    def box_to_crop(self, box: Box) -> Box:
        """A box in image coordinates, in crop coordinates."""
        x, y = self.to_crop(box.x, box.y)
        return Box(x, y, box.width / self.pixel, box.height / self.pixel)


def channel_mean(image: Image) -> NDArray[np.float64]:
    """Mean of each channel (B, G, R), which pads crops beyond the image's border."""
    return np.asarray(cv2.mean(image)[:3])


@timed(CROP)
def take_crop(image: Image, frame: CropFrame, padding: NDArray[np.float64]) -> Image:
    """Cut a crop out of an image with sub-pixel accuracy.

    Args:
        image: BGR uint8 (height, width, 3).
        frame: what to cut.
        padding: the colour (B, G, R) beyond the image's border.

    Returns:
        BGR uint8 (frame.height, frame.width, 3).
    """
    if frame.pixel >= _AVERAGING_FACTOR:
        image, frame = _averaged(image, frame)
    step = frame.pixel
    matrix = np.array(
        [
            [step, 0.0, frame.center_x + (0.5 - frame.width / 2) * step - 0.5],
            [0.0, step, frame.center_y + (0.5 - frame.height / 2) * step - 0.5],
        ]
    )
    return cv2.warpAffine(
        image,
        matrix,
        (frame.width, frame.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(float(value) for value in padding),
    )


def _averaged(image: Image, frame: CropFrame) -> tuple[Image, CropFrame]:
    """The frame's surroundings shrunk by a whole factor, and the same frame in them."""
    factor = int(frame.pixel)
    height, width = image.shape[:2]
    region = frame.region
    # The first pixel is a multiple of nothing in particular; only the size must divide evenly.
    left = min(max(0, math.floor(region.x) - factor), width - 1)
    top = min(max(0, math.floor(region.y) - factor), height - 1)
    right = max(left + 1, min(width, math.ceil(region.x + region.width) + factor))
    bottom = max(top + 1, min(height, math.ceil(region.y + region.height) + factor))
    columns, rows = math.ceil((right - left) / factor), math.ceil((bottom - top) / factor)
    part = image[top:bottom, left:right]
    missing_x, missing_y = columns * factor - part.shape[1], rows * factor - part.shape[0]
    part = cv2.copyMakeBorder(part, 0, missing_y, 0, missing_x, cv2.BORDER_REPLICATE)
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    moved = CropFrame(
        (frame.center_x - left) / factor,
        (frame.center_y - top) / factor,
        frame.pixel / factor,
        frame.width,
        frame.height,
    )
    return small, moved
