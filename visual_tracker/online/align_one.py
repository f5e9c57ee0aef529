"""RoIAlign of one box, in NumPy.

The same as :func:`visual_tracker.online.roi_align.roi_align` for a tracker that asks box by box on
the CPU: there the thirty small operations of torch cost several times what they compute.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def align_one(features: FloatArray, box: NDArray[np.float64], size: int) -> FloatArray:
    """Mean features of size x size bins of a box.

    Args:
        features: (H, W, C), contiguous; cell (i, j) is centred at x = j, y = i.
        box: (4,) x, y, width, height in those coordinates; what lies beyond the map takes the value
            of the map's border.
        size: bins a side.

    Returns:
        (C, size, size).
    """
    height, width, channels = features.shape
    x, y, across, down = box.tolist()
    rows = line_weights(y, down, size, height)
    columns = line_weights(x, across, size, width)
    partial = (rows @ features.reshape(height, -1)).reshape(size, width, channels)
    bins: FloatArray = (columns @ partial).transpose(2, 0, 1)
    return bins


def line_weights(start: float, length: float, size: int, cells: int) -> FloatArray:
    """How much each cell of a line counts in each bin of an interval, (size, cells).

    Args:
        start: where the interval begins; cell i is at i.
        length: of the interval.
        size: bins in it.
        cells: of the line.
    """
    bin_length = length / size
    # as many samples in a bin as it spans cells, evenly spaced, at least one
    samples = min(max(math.ceil(bin_length), 1), cells)
    positions = np.arange(0.5, size * samples) * (bin_length / samples) + start
    positions.clip(0, cells - 1, out=positions)
    distances = np.abs(positions[:, None] - np.arange(cells))
    hats = np.maximum(1 - distances, 0).astype(np.float32)
    if samples == 1:
        return hats
    return np.asarray(hats.reshape(size, samples, cells).sum(axis=1) / np.float32(samples))
