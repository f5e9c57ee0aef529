"""From a network's answer to the proposal that is the target: penalty, window, NMS.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018,
section 4.3. Boxes are in crop pixels from the crop's centre, coordinate-major: centre x, centre y,
width, height. N proposals are the flattened (5, H, W).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.crops import CONTEXT
from visual_tracker.models.anchors import anchor_grid, decode
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


def decode_response(response: Response, stride: int) -> Proposals:
    """Decode every proposal of an answer."""
    ratios, rows, columns = response.scores.shape
    deltas = response.deltas.copy()
    np.clip(deltas[2:], -_MAX_LOG_GROWTH, _MAX_LOG_GROWTH, out=deltas[2:])
    boxes = decode(anchor_grid(rows, columns, stride), deltas).reshape(4, -1)
    cells = np.stack(np.unravel_index(np.arange(ratios * rows * columns), (ratios, rows, columns)))
    return Proposals(boxes, response.scores.reshape(-1), cells[1:], (rows, columns))


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
    scale = _padded_side(boxes[2], boxes[3]) / _padded_side(width, height)
    ratio = (width / height) / (boxes[2] / boxes[3])
    return np.exp(-(_change(ratio) * _change(scale) - 1.0) * strength)


def _change(factor: FloatArray) -> FloatArray:
    """The larger of a factor and its inverse."""
    return np.maximum(factor, 1.0 / factor)


def _padded_side(width: FloatArray | float, height: FloatArray | float) -> FloatArray:
    margin = CONTEXT * (width + height)
    return np.sqrt((width + margin) * (height + margin))


def cosine_window(rows: int, columns: int, copies: int) -> FloatArray:
    """Hann window of a response map, repeated for each anchor: (copies * rows * columns,)."""
    return np.tile(np.outer(np.hanning(rows), np.hanning(columns)).ravel(), copies)


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
    areas = boxes[2] * boxes[3]
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size and len(kept) < limit:
        winner = int(order[0])
        kept.append(winner)
        sides = np.minimum(high[:, order], high[:, [winner]]) - np.maximum(
            low[:, order], low[:, [winner]]
        )
        shared = np.prod(np.maximum(sides, 0), axis=0)
        iou = shared / (areas[order] + areas[winner] - shared)
        keep = iou <= overlap
        keep[0] = False  # the winner itself, even if its area is so small that its IoU is not 1
        order = order[keep]
    return kept
