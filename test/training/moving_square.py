"""A drawn video whose truth is known: a textured square on a flat ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from visual_tracker.annotations import Track, View
from visual_tracker.boxes import Box
from visual_tracker.images import Image

SIDE = 48
#: pixels to the right and down a frame
STEP = 2, 1


def drawn(frame: float, seed: int = 0) -> tuple[Image, Box]:
    """The image of a frame, and where the square is in it; a frame may lie between two."""
    texture = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    square = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    x, y = 60 + STEP[0] * frame, 50 + STEP[1] * frame
    image = np.full((160, 240, 3), 90, np.uint8)
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    cv2.warpAffine(square, shift, (240, 160), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    return image, Box(x, y, SIDE, SIDE)


def video(folder: Path, name: str, count: int) -> Track:
    """A video of it in files; the name chooses the texture."""
    (folder / name).mkdir()
    frames = []
    for number in range(count):
        image, box = drawn(number, seed=len(name))
        path = folder / name / f"{number}.png"
        cv2.imwrite(str(path), image)
        frames.append((number, View(path, box, name)))
    return Track(name, name, tuple(frames))
