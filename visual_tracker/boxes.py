"""The one box type of the project, and every conversion from and to other conventions.

A :class:`Box` is axis-aligned and in **0-based pixels of the full image**: ``x, y`` is the top-left
corner and the box covers ``[x, x + width) x [y, y + height)``. A box around the whole of a 640x480
image is therefore ``Box(0, 0, 640, 480)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

#: boxes as rows x, y, width, height of one array (0-based, NaN where there is none)
BoxArray = NDArray[np.float64]

_T = TypeVar("_T")


class BoxError(ValueError):
    """A box that cannot be used; the message says which number is wrong and why."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in 0-based pixels, always finite and of positive size.

    Attributes:
        x: left edge.
        y: top edge.
        width: extent to the right, > 0.
        height: extent downwards, > 0.

    Raises:
        BoxError: if one of them is no finite number, a side is zero or negative, or the box is so
            small or large that its area or edges cannot be computed.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        """Refuse what is no box, at the earliest point."""
        for name in ("x", "y", "width", "height"):
            value = getattr(self, name)
            if not _of_number(math.isfinite, name, value):
                raise BoxError(f"box {name} is {value}; it must be a finite number of pixels")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value <= 0:
                raise BoxError(f"box {name} is {value:g}; it must be greater than zero")
        self._check_extent()

    def _check_extent(self) -> None:
        """Refuse what `iou` could not be computed of: it adds two areas and divides by one."""
        x, y, width, height = map(float, self.xywh)  # sums of integers would not become infinite
        if width * height == 0:
            raise BoxError(f"box {self} is too small: its area is rounded to zero")
        if not all(map(math.isfinite, (2 * width * height, x + width, y + height))):
            raise BoxError(f"box {self} is too large: its area or an edge is beyond all floats")

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float) -> Box:
        """Make a box of a 0-based top-left corner and a size."""
        return cls(*_of_each(float, x=x, y=y, width=width, height=height))

    @classmethod
    def from_xywh_one_based(cls, x: float, y: float, width: float, height: float) -> Box:
        """Make a box of a 1-based top-left corner and a size (OTB, LaSOT, MATLAB)."""
        _of_each(math.isfinite, x=x, y=y)  # what is none is named before it breaks the sum
        return cls.from_xywh(x - 1, y - 1, width, height)

    @classmethod
    def from_xyxy(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """Make a box of its left, top, right and bottom edges (0-based, right/bottom exclusive)."""
        _of_each(math.isfinite, left=left, top=top, right=right, bottom=bottom)
        return cls.from_xywh(left, top, right - left, bottom - top)

    @classmethod
    def from_center(cls, center_x: float, center_y: float, width: float, height: float) -> Box:
        """Make a box of its centre and size, as ``vision_msgs/BoundingBox2D`` carries it."""
        given = {"center_x": center_x, "center_y": center_y, "width": width, "height": height}
        _of_each(math.isfinite, **given)
        return cls.from_xywh(center_x - width / 2, center_y - height / 2, width, height)

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        """``(x, y, width, height)``, 0-based."""
        return (self.x, self.y, self.width, self.height)

    @property
    def xywh_one_based(self) -> tuple[float, float, float, float]:
        """``(x, y, width, height)``, 1-based."""
        return (self.x + 1, self.y + 1, self.width, self.height)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """``(left, top, right, bottom)``, 0-based, right and bottom exclusive."""
        return (self.x, self.y, self.x + self.width, self.y + self.height)

    @property
    def center(self) -> tuple[float, float]:
        """``(center_x, center_y)``."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    def intersection_area(self, other: Box) -> float:
        """Area in square pixels that both boxes cover."""
        left, top, right, bottom = self.xyxy
        other_left, other_top, other_right, other_bottom = other.xyxy
        width = min(right, other_right) - max(left, other_left)
        height = min(bottom, other_bottom) - max(top, other_top)
        return max(0.0, width) * max(0.0, height)

    def iou(self, other: Box) -> float:
        """Intersection over union with another box, in [0, 1]."""
        intersection = self.intersection_area(other)
        return intersection / (self.area + other.area - intersection)

    def visible_fraction(self, image_width: int, image_height: int) -> float:
        """Share of the box's area that lies inside the image, in [0, 1]."""
        return self.intersection_area(Box(0, 0, image_width, image_height)) / self.area

    def clipped(self, image_width: int, image_height: int, min_side: float = 0.0) -> Box:
        """Return the part of the box that lies inside the image.

        Args:
            image_width: width of the image in pixels.
            image_height: height of the image in pixels.
            min_side: the smallest side in pixels that the clipped box may have.

        Raises:
            BoxError: if no part lies inside the image, or what is left is smaller than `min_side`.
        """
        x, width = _clipped_side(self.x, self.width, image_width)
        y, height = _clipped_side(self.y, self.height, image_height)
        if width <= 0 or height <= 0:
            raise BoxError(f"box {self} lies outside the {image_width}x{image_height} image")
        clipped = Box.from_xywh(x, y, width, height)
        if min(clipped.width, clipped.height) < min_side:
            raise BoxError(
                f"box {self} leaves {clipped.width:g}x{clipped.height:g} pixels inside the "
                f"{image_width}x{image_height} image; the smallest side allowed is {min_side:g}"
            )
        return clipped

    def __str__(self) -> str:
        """Short form for messages: ``(x, y, width, height)``."""
        return f"({self.x:g}, {self.y:g}, {self.width:g}, {self.height:g})"


def _of_number(function: Callable[[float], _T], name: str, value: float) -> _T:
    """A function of a box's number; raises BoxError if that is none, or beyond all floats."""
    try:
        return function(value)
    except (TypeError, ValueError):
        found = f"{value!r:.60}"
    except OverflowError:
        found = "beyond all floats"
    raise BoxError(f"box {name} is {found}; it must be a finite number of pixels")


def _of_each(function: Callable[[float], _T], **numbers: float) -> list[_T]:
    """A function of each number; raises BoxError with the name of the first that is none."""
    return [_of_number(function, name, value) for name, value in numbers.items()]


def _clipped_side(begin: float, extent: float, limit: int) -> tuple[float, float]:
    """Begin and extent of what lies in [0, limit]; an extent that is not positive if nothing does.

    What is not cut keeps its extent: `begin + extent - begin` can be less, by rounding.
    """
    low, high = max(0.0, begin), min(float(limit), begin + extent)
    is_whole = low < high and (low, high) == (begin, begin + extent)
    return low, extent if is_whole else high - low


def parse_xywh(text: str) -> Box:
    """Read ``"x,y,w,h"`` (0-based pixels; commas, spaces or both) as the command line takes it.

    Raises:
        BoxError: if the text is not four numbers or they are no box.
    """
    parts = text.replace(",", " ").split()
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise BoxError(
            f"cannot read a box from {text!r}; write x,y,w,h in pixels, like 73,36,50,61"
        )
    return Box.from_xywh(*numbers)


def overlaps(first: BoxArray, second: BoxArray) -> NDArray[np.float64]:
    """Intersection over union of boxes pair by pair; :meth:`Box.iou` for arrays.

    Args:
        first: (..., 4) rows x, y, width, height; broadcast against `second`.
        second: (..., 4) likewise.

    Returns:
        IoU in [0, 1], shape (...); NaN where either row holds a NaN, 0 where both areas are zero.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    intersection = np.clip(high - low, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union != 0)


def center_offsets(first: BoxArray, second: BoxArray) -> NDArray[np.float64]:
    """How far the centres of `first` lie from those of `second`, pair by pair.

    Args:
        first: (..., 4) rows x, y, width, height; broadcast against `second`.
        second: (..., 4) likewise.

    Returns:
        (..., 2) offsets x, y in pixels.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    return first[..., :2] + first[..., 2:] / 2 - second[..., :2] - second[..., 2:] / 2


def clip_boxes(boxes: BoxArray, image_width: float, image_height: float) -> BoxArray:
    """The parts of boxes that lie inside the image; a box outside gets a zero side.

    Args:
        boxes: (..., 4) rows x, y, width, height.
        image_width: width of the image in pixels.
        image_height: height of the image in pixels.
    """
    size = np.array([image_width, image_height], float)
    low = np.clip(boxes[..., :2], 0, size)
    high = np.clip(boxes[..., :2] + boxes[..., 2:], 0, size)
    return np.concatenate([low, high - low], axis=-1)
