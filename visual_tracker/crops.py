"""Square crops around a target, and the exact way between crop and image coordinates.

Training, evaluation and tracking share this geometry. Coordinates are continuous: pixel ``i``
covers ``[i, i + 1)`` and its centre is at ``i + 0.5``, in the image as in the crop, which is what
:class:`visual_tracker.boxes.Box` means too.

The context side is that of Bertinetto et al., "Fully-Convolutional Siamese Networks for Object
Tracking", 2016, section 3.1: the template shows the target with half of its mean side on each side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

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

#: OpenCV warps no image that has this many pixels a side, or more
_TOO_LARGE_TO_WARP = 32767

#: up to this odd factor, the means of all blocks, of which few are kept, cost less than INTER_AREA
_LARGEST_BLUR = 5


def context_side(width: float, height: float, context: float = CONTEXT) -> float:
    """Side in image pixels of the square that a target with its context takes.

    Args:
        width: the target's width in pixels.
        height: the target's height in pixels.
        context: the margin, as a share of ``width + height``.
    """
    return math.sqrt(context_area(width, height, context))


def context_area(width: Any, height: Any, context: float = CONTEXT) -> Any:
    """Area of that square, of numbers, arrays or tensors; see :func:`context_side`."""
    margin = context * (width + height)
    return (width + margin) * (height + margin)


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

    def box_to_crop(self, box: Box) -> Box:
        """A box in image coordinates, in crop coordinates."""
        x, y = self.to_crop(box.x, box.y)
        return Box(x, y, box.width / self.pixel, box.height / self.pixel)

    def centered_to_image(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes (4, N) of centre x, centre y, width and height, in image coordinates.

        Args:
            boxes: the same in crop pixels, their centres from that of the crop.
        """
        scaled = np.multiply(boxes, self.pixel, dtype=np.float64)
        scaled[0] += self.center_x
        scaled[1] += self.center_y
        return scaled

    def warp(self) -> NDArray[np.float64]:
        """Matrix (2, 3) from whole pixels of the crop to whole pixels of the image, for OpenCV."""
        step = self.pixel
        return np.array(
            [
                [step, 0.0, self.center_x + (0.5 - self.width / 2) * step - 0.5],
                [0.0, step, self.center_y + (0.5 - self.height / 2) * step - 0.5],
            ]
        )

    def in_part(self, left: int, top: int, factor: int) -> CropFrame:
        """The same frame in a part of the image that begins at a pixel and is shrunk."""
        return CropFrame(
            (self.center_x - left) / factor,
            (self.center_y - top) / factor,
            self.pixel / factor,
            self.width,
            self.height,
        )


@dataclass(frozen=True, slots=True)
class AffineFrame:
    """A crop that is also turned, sheared or stretched.

    Attributes:
        center_x: image x of the crop's centre.
        center_y: image y of the crop's centre.
        steps: the image offset (x, y) of one crop pixel to the right, and of one down.
        width: width of the crop in crop pixels.
        height: height of the crop in crop pixels.
    """

    center_x: float
    center_y: float
    steps: tuple[tuple[float, float], tuple[float, float]]
    width: int
    height: int

    @classmethod
    def changed(cls, frame: CropFrame, change: NDArray[np.float64]) -> AffineFrame:
        """A frame whose content is changed about the crop's centre by a matrix (2, 2)."""
        inverse = _inverse(change) * frame.pixel
        right, down = inverse[:, 0].tolist(), inverse[:, 1].tolist()
        steps = ((right[0], right[1]), (down[0], down[1]))
        return cls(frame.center_x, frame.center_y, steps, frame.width, frame.height)

    @classmethod
    def stretched(cls, box: Box, size: int) -> AffineFrame:
        """A square crop in whose middle a box takes half of each side, whatever the box's shape."""
        steps = ((2 * box.width / size, 0.0), (0.0, 2 * box.height / size))
        return cls(*box.center, steps, size, size)

    def shifted(self, x: float, y: float) -> AffineFrame:
        """The frame moved by so many crop pixels, along the crop's axes."""
        dx, dy = self._linear @ (x, y)
        return replace(self, center_x=self.center_x + dx, center_y=self.center_y + dy)

    @property
    def _linear(self) -> NDArray[np.float64]:
        return np.array(self.steps).T

    @property
    def pixel(self) -> float:
        """Side of a square as large as a crop pixel, in image pixels."""
        (a, b), (c, d) = self.steps
        return math.sqrt(abs(a * d - b * c))

    @property
    def region(self) -> Box:
        """Bounds of the part of the image that the crop shows."""
        half = np.abs(self._linear) @ (self.width, self.height)
        return Box.from_center(self.center_x, self.center_y, float(half[0]), float(half[1]))

    def points_to_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Crop coordinates (..., 2) of image points (..., 2)."""
        offsets = points - (self.center_x, self.center_y)
        return offsets @ _inverse(self._linear).T + (self.width / 2, self.height / 2)

    def points_to_image(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Image coordinates (..., 2) of crop points (..., 2)."""
        offsets = points - (self.width / 2, self.height / 2)
        return offsets @ self._linear.T + (self.center_x, self.center_y)

    def box_to_crop(self, box: Box) -> Box:
        """Bounds in the crop of the ellipse that a box of the image encloses.

        A target seldom fills the corners of its box, so the turned corners' bounds would be too
        large; the ellipse's are exact where nothing is turned.
        """
        inverse = _inverse(self._linear)
        width, height = np.hypot(*(inverse * (box.width, box.height)).T).tolist()
        x, y = self.points_to_crop(np.array(box.center)).tolist()
        return Box.from_center(x, y, width, height)

    def warp(self) -> NDArray[np.float64]:
        """Matrix (2, 3) from whole pixels of the crop to whole pixels of the image, for OpenCV."""
        linear = self._linear
        x, y = linear @ (0.5 - self.width / 2, 0.5 - self.height / 2)
        return np.column_stack([linear, (self.center_x + x - 0.5, self.center_y + y - 0.5)])

    def in_part(self, left: int, top: int, factor: int) -> AffineFrame:
        """The same frame in a part of the image that begins at a pixel and is shrunk."""
        (a, b), (c, d) = self.steps
        return AffineFrame(
            (self.center_x - left) / factor,
            (self.center_y - top) / factor,
            ((a / factor, b / factor), (c / factor, d / factor)),
            self.width,
            self.height,
        )


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of a matrix (2, 2); a third of the time of NumPy's."""
    (a, b), (c, d) = matrix.tolist()
    return np.array([[d, -b], [-c, a]]) / (a * d - b * c)


def channel_mean(image: Image) -> NDArray[np.float64]:
    """Mean of each channel (B, G, R), which pads crops beyond the image's border."""
    return np.asarray(cv2.mean(image)[:3])


@timed(CROP)
def take_crop(image: Image, frame: CropFrame | AffineFrame, padding: NDArray[np.float64]) -> Image:
    """Cut a crop out of an image with sub-pixel accuracy.

    Args:
        image: BGR uint8 (height, width, 3).
        frame: what to cut.
        padding: the colour (B, G, R) beyond the image's border.

    Returns:
        BGR uint8 (frame.height, frame.width, 3).
    """
    image, frame = _warpable(image, frame)
    return cv2.warpAffine(
        image,
        frame.warp(),
        (frame.width, frame.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(float(value) for value in padding),
    )


def source_part(image: Image, frame: CropFrame) -> tuple[Image, CropFrame]:
    """What a crop is made of, for those who cut it elsewhere than `take_crop`.

    Args:
        image: BGR uint8 (height, width, 3).
        frame: of the crop.

    Returns:
        A part of the image, shrunk where `take_crop` would average, and the same frame in it. A
        bilinear sample beyond the part lies beyond the image.
    """
    shrinks = frame.pixel >= _AVERAGING_FACTOR
    part, inside = _part(*(_averaged(image, frame) if shrinks else (image, frame)))
    assert isinstance(inside, CropFrame)  # as the one given
    return part, inside


def draw_crop(image: Image, frame: CropFrame | AffineFrame, ground: Image) -> None:
    """Cut a crop out of an image and lay it over `ground`, in place, as far as the image reaches.

    Args:
        image: BGR uint8 (height, width, 3).
        frame: what to cut.
        ground: BGR uint8 (frame.height, frame.width, 3).
    """
    image, frame = _warpable(image, frame)
    cv2.warpAffine(
        image,
        frame.warp(),
        (frame.width, frame.height),
        dst=ground,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def _warpable(
    image: Image, frame: CropFrame | AffineFrame
) -> tuple[Image, CropFrame | AffineFrame]:
    """What a crop is warped from, the image itself where that will do, and the frame in it."""
    if frame.pixel >= _AVERAGING_FACTOR:
        return _averaged(image, frame)
    if max(image.shape[:2]) >= _TOO_LARGE_TO_WARP:
        return _part(image, frame)
    return image, frame


def _part(image: Image, frame: CropFrame | AffineFrame) -> tuple[Image, CropFrame | AffineFrame]:
    """The frame's surroundings, no pixel more than bilinear samples need, and the frame in them."""
    height, width = image.shape[:2]
    region = frame.region
    left = min(max(0, math.floor(region.x) - 1), width - 1)
    top = min(max(0, math.floor(region.y) - 1), height - 1)
    right = max(left + 1, min(width, math.ceil(region.x + region.width) + 1))
    bottom = max(top + 1, min(height, math.ceil(region.y + region.height) + 1))
    return image[top:bottom, left:right], frame.in_part(left, top, 1)


def _averaged(
    image: Image, frame: CropFrame | AffineFrame
) -> tuple[Image, CropFrame | AffineFrame]:
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
    part = image[top : top + rows * factor, left : left + columns * factor]
    missing_x, missing_y = columns * factor - part.shape[1], rows * factor - part.shape[0]
    if missing_x or missing_y:  # at the image's border; elsewhere it would be a copy for nothing
        part = cv2.copyMakeBorder(part, 0, missing_y, 0, missing_x, cv2.BORDER_REPLICATE)
    return shrink(part, factor), frame.in_part(left, top, factor)


def shrink(image: Image, factor: int) -> Image:
    """Means of blocks of `factor` x `factor` pixels, which the sides are multiples of.

    They differ by at most a grey level a halving from those of OpenCV's INTER_AREA, which is fast
    by 2 alone.
    """
    while factor % 2 == 0:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        factor //= 2
    if factor == 1:
        return image
    if factor <= _LARGEST_BLUR:
        means = cv2.blur(image, (factor, factor), anchor=(0, 0))
        return np.ascontiguousarray(means[::factor, ::factor])
    size = image.shape[1] // factor, image.shape[0] // factor
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
