"""Boxes, names and states drawn on images, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image, size_of
from visual_tracker.targets import TargetReport
from visual_tracker.trackers import Track

Color = tuple[int, int, int]

#: BGR
TRACKING_COLOR: Color = (80, 220, 60)
LOST_COLOR: Color = (60, 60, 240)
SEARCH_COLOR: Color = (220, 180, 40)
TRUTH_COLOR: Color = (255, 255, 255)


def draw_box(image: Image, box: Box, color: Color, thickness: int = 2) -> None:
    """Draw a box in place."""
    left, top, right, bottom = (round(edge) for edge in box.xyxy)
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), color, thickness, cv2.LINE_AA)


def draw_text(image: Image, text: str, x: float, y: float, color: Color) -> None:
    """Write one line in place, its top-left corner at (x, y) or as near as keeps it inside."""
    scale = max(0.35, min(size_of(image)) / 900)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = max(0, min(round(x), image.shape[1] - width))
    y = max(0, min(round(y), image.shape[0] - height - below))
    origin = (x, y + height)
    for ink, thickness in (((0, 0, 0), 3), (color, 1)):
        cv2.putText(
            image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA
        )


def draw_track(image: Image, track: Track, name: str = "") -> None:
    """Draw one outcome in place: box, name, confidence, state, search region."""
    color = LOST_COLOR if track.is_lost else TRACKING_COLOR
    if track.search_region is not None:
        draw_box(image, track.search_region, SEARCH_COLOR, 1)
    draw_box(image, track.box, color, 1 if track.is_lost else 2)
    words = [name, track.state.value if track.is_lost else "", confidence_text(track.confidence)]
    caption = " ".join(word for word in words if word)
    if caption:
        draw_text(image, caption, track.box.x, track.box.y - 14, color)


def draw_targets(image: Image, targets: Iterable[TargetReport]) -> Image:
    """A copy of the image with every target drawn on it."""
    drawn = image.copy()
    for target in targets:
        draw_track(drawn, target.track, target.label or target.id)
    return drawn


def confidence_text(confidence: float | None) -> str:
    """A confidence for people: two decimals, or nothing where there is none."""
    return "" if confidence is None else f"{confidence:.2f}"


def contact_sheet(images: Sequence[Image], columns: int = 4, width: int = 320) -> Image:
    """Lay images out in rows, each scaled to `width` pixels; free places stay black."""
    tiles = [
        cv2.resize(image, (width, max(1, round(image.shape[0] * width / image.shape[1]))))
        for image in images
    ]
    height = max(tile.shape[0] for tile in tiles)
    rows = math.ceil(len(tiles) / columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + tile.shape[0], left : left + width] = tile
    return sheet
