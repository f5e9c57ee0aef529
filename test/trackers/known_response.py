"""Networks whose response is known: exact template matching in place of learned features."""

from __future__ import annotations

import cv2
import numpy as np

from visual_tracker.images import Image
from visual_tracker.models.geometry import LITE
from visual_tracker.models.matchers import Response
from visual_tracker.trackers.dasiamrpn import DaSiamRpnTracker

#: template pixels compared: the middle 49, as many as a cell of `lite` covers
SPAN = LITE.kernel_span
SQUARE = 2  # the 64x64 anchor


class ExactMatcher:
    """Scores 1 where the crop equals the template's middle, falling fast with the difference.

    Attributes:
        scale: of all scores.
        sizes: of the crops seen.
    """

    geometry = LITE

    def __init__(self) -> None:
        self.scale = 1.0
        self.sizes: list[tuple[int, int]] = []

    def learn(self, image: Image) -> Image:
        """The template's middle."""
        start = (image.shape[0] - SPAN) // 2
        return image[start : start + SPAN, start : start + SPAN].copy()

    def embedding(self, template: Image) -> np.ndarray:
        """Nothing to tell apart."""
        return np.ones((1, 7, 7), dtype=np.float32)

    def mixed(self, template: Image, other: Image, share: float) -> Image:
        """Grey levels between two."""
        return cv2.addWeighted(template, 1 - share, other, share, 0)

    def respond(self, template: Image, image: Image) -> Response:
        """Squared differences on the stride of the map, the square anchor only."""
        self.sizes.append((image.shape[1], image.shape[0]))
        fine = cv2.matchTemplate(image, template, cv2.TM_SQDIFF) / template.size
        # A cell is scored by the best match within its stride, and its deltas point there.
        rows, columns = ((side - SPAN) // 8 + 1 for side in image.shape[:2])
        scores = np.zeros((5, rows, columns), dtype=np.float32)
        deltas = np.zeros((4, 5, rows, columns), dtype=np.float32)
        for row in range(rows):
            for column in range(columns):
                top, left = max(0, row * 8 - 4), max(0, column * 8 - 4)
                near = fine[top : row * 8 + 5, left : column * 8 + 5]
                best = np.unravel_index(int(near.argmin()), near.shape)
                scores[SQUARE, row, column] = self.scale * np.exp(-float(near[best]) / 300)
                deltas[0, SQUARE, row, column] = (left + best[1] - column * 8) / 64
                deltas[1, SQUARE, row, column] = (top + best[0] - row * 8) / 64
        return Response(scores, deltas, np.ones((1, rows + 6, columns + 6), dtype=np.float32))


class PeakMatcher:
    """Logits with one peak, at a cell of one of the scales."""

    geometry = LITE

    def __init__(self, scale: int, row: int, column: int, logit: float = 4.0) -> None:
        self.place = scale, row, column
        self.logit = logit
        self.learned = 0

    def learn(self, image: Image) -> np.ndarray:
        assert image.shape == (129, 129, 3)
        self.learned += 1
        return np.full((1, 7, 7), float(self.learned), dtype=np.float32)

    def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
        assert all(image.shape == (257, 257, 3) for image in images)
        logits = np.full((len(images), 27, 27), -8.0, dtype=np.float32)
        logits[self.place] = self.logit
        return logits


class KnownNetwork:
    """Put before a tracker's class: it runs on a network that is given, and needs no weights.

    Attributes:
        network: the matcher; None for an :class:`ExactMatcher` of the tracker's own.
    """

    network: object = None

    @classmethod
    def unavailable_reason(cls, parameters: object = None) -> None:
        return None

    def _make_matcher(self) -> object:
        return self.network or ExactMatcher()


class KnownTracker(KnownNetwork, DaSiamRpnTracker):
    """DaSiamRPN on a network whose response is known."""
