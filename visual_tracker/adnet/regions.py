"""The part of an image that is encoded around a box, at the scale that the policy learned at."""

from __future__ import annotations

import math

import numpy as np

from visual_tracker.boxes import BoxArray
from visual_tracker.crops import CropFrame

#: the network sees this many times the box, and a square box with its context has this many pixels
CONTEXT = 1.4
PATCH = 112


def region_around(box: BoxArray, size: int, scale: float = 1.0) -> CropFrame:
    """A square crop around a box in which the box with its context has PATCH pixels a mean side.

    Args:
        box: (4,) x, y, width, height in pixels of the image.
        size: side of the crop in its own pixels.
        scale: the crop shows this many times as much, in pixels as much larger.
    """
    side = CONTEXT * math.sqrt(float(box[2]) * float(box[3]))
    center = (float(box[0] + box[2] / 2), float(box[1] + box[3] / 2))
    return CropFrame.square(center, scale * side * size / PATCH, size)


def boxes_in(frame: CropFrame, boxes: BoxArray) -> BoxArray:
    """Boxes of the image in pixels of the crop, (..., 4)."""
    center = np.array([frame.center_x, frame.center_y])
    half = np.array([frame.width, frame.height]) / 2
    corners = (boxes[..., :2] - center) / frame.pixel + half
    return np.concatenate([corners, boxes[..., 2:] / frame.pixel], axis=-1)
