"""Bounding-box regression: the target's exact box from the features of a box near it.

MDNet, section 3.4, after Girshick et al., "Rich feature hierarchies", CVPR 2014, appendix C: ridge
regression learned from the first frame only.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visual_tracker.boxes import Box, BoxArray


class BoxRegressor:
    """Ridge regression of centre and size, min ||Y - X W - b||^2 + penalty ||W||^2.

    Args:
        features: (N, ...) of boxes near the target.
        boxes: (N, 4) those boxes, rows x, y, width, height in pixels.
        target: the exact box.
        penalty: lambda.

    Raises:
        ValueError: if there are no boxes.
    """

    def __init__(self, features: Tensor, boxes: BoxArray, target: Box, penalty: float) -> None:
        if not len(boxes):
            raise ValueError("box regression needs boxes to learn from")
        values = features.flatten(1)
        goals = torch.from_numpy(box_deltas(boxes, target)).to(values)
        self._mean, self._offset = values.mean(dim=0), goals.mean(dim=0)
        self._weight = ridge(values - self._mean, goals - self._offset, penalty)

    def __call__(self, features: Tensor, boxes: BoxArray) -> BoxArray:
        """Move boxes (N, 4) by what their features (N, ...) tell."""
        deltas = (features.flatten(1) - self._mean) @ self._weight + self._offset
        return apply_deltas(boxes, deltas.cpu().numpy().astype(float))


def ridge(inputs: Tensor, outputs: Tensor, penalty: float) -> Tensor:
    """W (D, K) that minimises ||outputs - inputs W||^2 + penalty ||W||^2.

    Args:
        inputs: (N, D).
        outputs: (N, K).
        penalty: > 0.
    """
    count, width = inputs.shape
    # the smaller of the two equal forms: X'(XX' + l)^-1 Y or (X'X + l)^-1 X'Y
    if count < width:
        gram = inputs @ inputs.T
        gram.diagonal().add_(penalty)
        return inputs.T @ torch.linalg.solve(gram, outputs)
    gram = inputs.T @ inputs
    gram.diagonal().add_(penalty)
    return torch.linalg.solve(gram, inputs.T @ outputs)


def box_deltas(boxes: BoxArray, target: Box) -> BoxArray:
    """What takes each box (N, 4) to the target: dx / w, dy / h, ln(W / w), ln(H / h)."""
    centers = boxes[:, :2] + boxes[:, 2:] / 2
    shifts = (np.array(target.center) - centers) / boxes[:, 2:]
    return np.concatenate([shifts, np.log([target.width, target.height] / boxes[:, 2:])], axis=1)


def apply_deltas(boxes: BoxArray, deltas: BoxArray) -> BoxArray:
    """Boxes (N, 4) moved by deltas (N, 4); the inverse of :func:`box_deltas`."""
    sizes = boxes[:, 2:] * np.exp(np.clip(deltas[:, 2:], -1.0, 1.0))
    centers = boxes[:, :2] + boxes[:, 2:] / 2 + deltas[:, :2] * boxes[:, 2:]
    return np.concatenate([centers - sizes / 2, sizes], axis=1)
