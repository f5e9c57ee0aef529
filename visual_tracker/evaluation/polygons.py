"""Overlap of an axis-aligned box with a polygon (VOT's truth of rotated targets)."""

from __future__ import annotations

import numpy as np

from visual_tracker.evaluation.metrics import FloatArray


def clip_to_box(corners: FloatArray, box: FloatArray) -> FloatArray:
    """The part of a polygon inside a box, by Sutherland and Hodgman (1974).

    Args:
        corners: (n, 2) of a simple polygon, in order.
        box: x, y, width, height.

    Returns:
        (m, 2) corners; edges may coincide, which leaves the area right. Empty if nothing is inside.
    """
    x, y, width, height = box
    for axis, limit, sign in ((0, x, 1), (0, x + width, -1), (1, y, 1), (1, y + height, -1)):
        corners = _clip_half_plane(corners, sign * (corners[:, axis] - limit))
    return corners


def polygon_area(corners: FloatArray) -> float:
    """Area of a simple polygon, (n, 2) corners in order, by the shoelace formula."""
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def polygon_overlap(box: FloatArray, corners: FloatArray) -> float:
    """Intersection over union of a box and a polygon, in [0, 1]; 0 if both are empty.

    Args:
        box: x, y, width, height.
        corners: (n, 2) of a simple polygon, in order.
    """
    intersection = polygon_area(clip_to_box(corners, box))
    union = float(box[2] * box[3]) + polygon_area(corners) - intersection
    return intersection / union if union > 0 else 0.0


def _clip_half_plane(corners: FloatArray, inside: FloatArray) -> FloatArray:
    """Keep the part where `inside` (a signed distance at each corner) is not negative."""
    kept = []
    for index in range(len(corners)):
        before, here = inside[index - 1], inside[index]
        if before * here < 0:
            share = before / (before - here)
            kept.append(corners[index - 1] + share * (corners[index] - corners[index - 1]))
        if here >= 0:
            kept.append(corners[index])
    return np.array(kept).reshape(-1, 2)
