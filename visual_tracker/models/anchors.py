"""Anchors of the region proposal head, and the deltas that move them onto a target.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018,
section 3.2. Plain NumPy, shared by training (targets) and tracking (decoding). Everything is in
pixels of the search crop relative to its centre; arrays are coordinate-major: centre x, centre y,
width, height come first.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visual_tracker.models.geometry import Geometry

FloatArray = NDArray[np.float32]


def anchor_sizes(geometry: Geometry) -> FloatArray:
    """Width and height of each anchor in crop pixels, shape (A, 2).

    The released networks truncate both sides to whole strides: at stride 8 these are 104x32, 88x40,
    64x64, 40x80 and 32x96, and so they are here.
    """
    sizes = []
    for ratio in geometry.anchor_ratios:
        width = int(np.sqrt(geometry.stride**2 / ratio))
        height = int(width * ratio)
        sizes.append((width * geometry.anchor_scale, height * geometry.anchor_scale))
    return np.asarray(sizes, dtype=np.float32)


@lru_cache(maxsize=64)
def anchor_grid(rows: int, columns: int, geometry: Geometry) -> FloatArray:
    """All anchors of a response map.

    The grid is centred: the middle cell lies on the crop's centre. (Taking half of an odd size by
    true division would shift it by half a stride.)

    Returns:
        Array (4, A, rows, columns) of centre x, centre y, width, height; read-only.
    """
    sizes, stride = anchor_sizes(geometry), geometry.stride
    grid = np.empty((4, len(sizes), rows, columns), dtype=np.float32)
    grid[0] = (np.arange(columns) - (columns - 1) / 2)[None, None, :] * stride
    grid[1] = (np.arange(rows) - (rows - 1) / 2)[None, :, None] * stride
    grid[2:] = sizes.T[:, :, None, None]
    grid.setflags(write=False)
    return grid


def encode(anchors: FloatArray, box: tuple[float, float, float, float]) -> FloatArray:
    """Deltas that move each anchor onto a box.

    Args:
        anchors: (4, ...) of centre x, centre y, width, height.
        box: centre x, centre y, width, height.

    Returns:
        (4, ...): the shift in anchor sides, and the logarithm of the growth.
    """
    center_x, center_y, width, height = box
    return np.stack(
        [
            (center_x - anchors[0]) / anchors[2],
            (center_y - anchors[1]) / anchors[3],
            np.log(width / anchors[2]),
            np.log(height / anchors[3]),
        ]
    ).astype(np.float32)


def decode(anchors: FloatArray, deltas: FloatArray) -> FloatArray:
    """Boxes that deltas make of anchors; the inverse of :func:`encode`.

    Args:
        anchors: (4, ...).
        deltas: (4, ...), same shape.

    Returns:
        (4, ...) of centre x, centre y, width, height.
    """
    return np.stack(
        [
            anchors[0] + deltas[0] * anchors[2],
            anchors[1] + deltas[1] * anchors[3],
            anchors[2] * np.exp(deltas[2]),
            anchors[3] * np.exp(deltas[3]),
        ]
    )


def iou_with(boxes: FloatArray, box: tuple[float, float, float, float]) -> FloatArray:
    """Intersection over union of boxes (4, ...) with one box; all centre x, centre y, w, h."""
    center_x, center_y, width, height = box
    overlap = _overlap(boxes[0], boxes[2], center_x, width) * _overlap(
        boxes[1], boxes[3], center_y, height
    )
    union = boxes[2] * boxes[3] + width * height - overlap
    return (overlap / union).astype(np.float32)


def _overlap(centers: FloatArray, sides: FloatArray, center: float, side: float) -> FloatArray:
    low = np.maximum(centers - sides / 2, center - side / 2)
    high = np.minimum(centers + sides / 2, center + side / 2)
    return np.maximum(high - low, 0)
