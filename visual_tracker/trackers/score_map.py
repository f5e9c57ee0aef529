"""From a network's answer to the proposal that is the target: penalty, window, NMS.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018,
section 4.3. Boxes are in crop pixels from the crop's centre, coordinate-major: centre x, centre y,
width, height. N proposals are the flattened (A, H, W).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.crops import context_area
from visual_tracker.models.anchors import anchor_grid, decode
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.matchers import Response

FloatArray = NDArray[np.floating]

#: logarithmic growth of an anchor that no target needs; a wild network must not overflow
_MAX_LOG_GROWTH = 4.0


class Proposals(NamedTuple):
    """Decoded proposals.

    Attributes:
        boxes: (4, N).
        scores: (N,), probability of target.
        cells: (2, N), row and column of each proposal's cell.
        shape: rows and columns of the map.
    """

    boxes: FloatArray
    scores: FloatArray
    cells: NDArray[np.intp]
    shape: tuple[int, int]


def decode_response(response: Response, geometry: Geometry) -> Proposals:
    """Decode every proposal of an answer."""
    ratios, rows, columns = response.scores.shape
    deltas = response.deltas.copy()
    np.clip(deltas[2:], -_MAX_LOG_GROWTH, _MAX_LOG_GROWTH, out=deltas[2:])
    boxes = decode(anchor_grid(rows, columns, geometry), deltas).reshape(4, -1)
    cells = _cells(ratios, rows, columns)
    return Proposals(boxes, response.scores.reshape(-1), cells, (rows, columns))


@lru_cache(maxsize=64)
def _cells(ratios: int, rows: int, columns: int) -> NDArray[np.intp]:
    """Row and column of each proposal's cell, (2, N); read-only."""
    cells = np.indices((ratios, rows, columns))[1:].reshape(2, -1)
    cells.setflags(write=False)
    return cells


def change_penalty(boxes: FloatArray, width: float, height: float, strength: float) -> FloatArray:
    """Penalty exp(-(r s - 1) k) of each proposal for its change of ratio r and of scale s.

    Args:
        boxes: (4, N).
        width: the target's last width in crop pixels.
        height: its last height.
        strength: k.

    Returns:
        (N,) in (0, 1]; 1 for a proposal of the same ratio and scale.
    """
    scale = _padded_side(boxes[2], boxes[3]) / float(_padded_side(width, height))
    ratio = (width / height) / (boxes[2] / boxes[3])
    return np.exp(-(_change(ratio) * _change(scale) - 1.0) * strength)


def _change(factor: FloatArray) -> FloatArray:
    """The larger of a factor and its inverse."""
    return np.maximum(factor, 1.0 / factor)


def _padded_side(width: FloatArray | float, height: FloatArray | float) -> FloatArray:
    side: FloatArray = np.sqrt(context_area(width, height))
    return side


@lru_cache(maxsize=64)
def cosine_window(rows: int, columns: int, copies: int) -> FloatArray:
    """Hann window of a response map, repeated for each anchor: (copies * rows * columns,).

    Read-only float32, so that ranks stay float32, too.
    """
    window = np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)
    repeated = np.tile(window.ravel(), copies)
    repeated.setflags(write=False)
    return repeated


def windowed(ranks: FloatArray, shape: tuple[int, int], influence: float) -> FloatArray:
    """Ranks (N,) of proposals, in which places around the map's middle weigh more.

    Args:
        ranks: of the proposals of every anchor.
        shape: rows and columns of the map.
        influence: weight of the window against the ranks; 0 leaves them as they are.
    """
    if influence <= 0:
        return ranks
    rows, columns = shape
    window = cosine_window(rows, columns, len(ranks) // (rows * columns))
    return ranks * (1 - influence) + window * influence


def suppress(boxes: FloatArray, scores: FloatArray, overlap: float, limit: int) -> list[int]:
    """Non-maximum suppression.

    Args:
        boxes: (4, N).
        scores: (N,), higher wins.
        overlap: a box whose IoU with a winner is above this is dropped.
        limit: most boxes kept.

    Returns:
        Indices of the kept boxes, highest score first.
    """
    low, high = boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2
    # s / (a + b - s) > o is s (1 + o) > a o + b o: the right side is known beforehand
    needed = boxes[2] * boxes[3] * overlap
    remaining = np.array(scores, copy=True)
    kept: list[int] = []
    # A few winners of thousands: a look at all of them for each costs less than sorting them.
    for _ in range(min(limit, remaining.size)):
        winner = int(remaining.argmax())
        if remaining[winner] == -np.inf:
            break
        kept.append(winner)
        own = slice(winner, winner + 1)
        sides = np.minimum(high, high[:, own]) - np.maximum(low, low[:, own])
        np.maximum(sides, 0, out=sides)
        shared = sides[0] * sides[1]
        shared *= 1 + overlap
        remaining[shared > needed + needed[winner]] = -np.inf
        remaining[winner] = -np.inf  # itself, even if its area is too small for an IoU of 1
    return kept
