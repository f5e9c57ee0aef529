"""What a tracker sees of a network: NumPy in, NumPy out; no torch.

The trackers are written against these protocols, so that their logic can be tested with a network
whose response is known, and other engines can take torch's place.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from visual_tracker.images import Image
from visual_tracker.models.geometry import Geometry

FloatArray = NDArray[np.float32]


class Response(NamedTuple):
    """What a SiamRPN network answers to a search crop.

    Attributes:
        scores: probability of target, (A, H, W) with A anchors a cell.
        deltas: (4, A, H, W).
        embedding: phi(x), (C, h, w); the window of cell (i, j) starts there.
    """

    scores: FloatArray
    deltas: FloatArray
    embedding: FloatArray


class ProposalMatcher(Protocol):
    """A SiamRPN network."""

    geometry: Geometry

    def learn(self, image: Image) -> Any:
        """Template of a crop, BGR uint8 (T, T, 3)."""

    def embedding(self, template: Any) -> FloatArray:
        """phi(z) of a template, (C, h, w)."""

    def respond(self, template: Any, image: Image) -> Response:
        """Answer to a search crop, BGR uint8 (height, width, 3) of sizes that fit the geometry."""


class ResponseMatcher(Protocol):
    """A SiamFC network."""

    geometry: Geometry

    def learn(self, image: Image) -> FloatArray:
        """Kernel (C, h, w) of a crop, BGR uint8 (T, T, 3)."""

    def respond(self, kernel: FloatArray, images: list[Image]) -> FloatArray:
        """Logits (N, H, W) of search crops of one size."""
