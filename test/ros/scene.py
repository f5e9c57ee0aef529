"""A textured target moving over a textured background, with its true box."""

from __future__ import annotations

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image

SIZE = 48


class Scene:
    """Frame i shows the target at `box(i)`; it moves 3 px right and 1 px down a frame."""

    def __init__(self, width: int = 320, height: int = 240, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self.width, self.height = width, height
        noise = generator.integers(60, 120, (height // 16, width // 16, 3), dtype=np.uint8)
        self._background = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        spots = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        self._target = cv2.resize(spots, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)

    def box(self, index: int) -> Box:
        span_x, span_y = self.width - SIZE - 20, self.height - SIZE - 20
        return Box(10 + _bounce(3 * index, span_x), 10 + _bounce(index, span_y), SIZE, SIZE)

    def image(self, index: int) -> Image:
        image = self._background.copy()
        x, y = int(self.box(index).x), int(self.box(index).y)
        image[y : y + SIZE, x : x + SIZE] = self._target
        return image


def _bounce(position: int, span: int) -> int:
    return span - abs(span - position % (2 * span))
