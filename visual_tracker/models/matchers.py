"""What a tracker sees of a network: NumPy in, NumPy out; no torch.

The trackers are written against these protocols, so that their logic can be tested with a network
whose response is known, and other engines can take torch's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from visual_tracker.crops import CropFrame, take_crop
from visual_tracker.images import Image
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.states import MemoryState, RecurrentState

FloatArray = NDArray[np.float32]

#: what is remembered of one target outside its network
Memory = MemoryState[FloatArray]
Recurrent = RecurrentState[FloatArray]


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


class Question(NamedTuple):
    """Where a target is, asked about a part of an image.

    Attributes:
        template: of the target, as the matcher's `learn` gave it.
        image: BGR uint8 (height, width, 3).
        frame: the search crop in it.
        padding: the colour (B, G, R) beyond the image's border.
    """

    template: Any
    image: Image
    frame: CropFrame
    padding: NDArray[np.float64]

    @classmethod
    def of_crop(cls, template: Any, crop: Image) -> Question:
        """About a crop that is cut out already."""
        height, width = crop.shape[:2]
        frame = CropFrame(width / 2, height / 2, 1.0, width, height)
        return cls(template, crop, frame, np.zeros(3))

    def crop(self) -> Image:
        """The search crop, cut out with OpenCV."""
        return take_crop(self.image, self.frame, self.padding)


class MemoryMatcher(Protocol):
    """A MemTrack network."""

    geometry: Geometry

    def learn(self, image: Image) -> Memory:
        """What is remembered of a template crop alone, BGR uint8 (T, T, 3)."""

    def recall(
        self, memory: Memory, seen: FloatArray, images: list[Image]
    ) -> tuple[FloatArray, Memory]:
        """Search one frame.

        Args:
            memory: after the last frame.
            seen: `first` of what is learned of the target as it was found last.
            images: search crops BGR uint8 (S, S, 3); the memory's controller looks at the first.

        Returns:
            logits (N, H, W) and the memory after this frame.
        """


class RecurrentMatcher(Protocol):
    """A Re3 network."""

    geometry: Geometry

    def learn(self, image: Image) -> Recurrent:
        """What is remembered of the first frame's crop, BGR uint8 (S, S, 3)."""

    def follow(self, state: Recurrent, before: Image, now: Image) -> tuple[FloatArray, Recurrent]:
        """One frame.

        Args:
            state: after the last frame.
            before: the crop (S, S, 3) around the last box in the last frame.
            now: of the same place in this frame.

        Returns:
            left, top, right and bottom (4,) in crop sides from the crop's centre, and the state
            after this frame.
        """


class ProposalMatcher(Protocol):
    """A SiamRPN network."""

    geometry: Geometry

    def learn(self, image: Image) -> Any:
        """Template of a crop, BGR uint8 (T, T, 3)."""

    def embedding(self, template: Any) -> FloatArray:
        """phi(z) of a template, (C, h, w)."""

    def mixed(self, template: Any, other: Any, share: float) -> Any:
        """A new template between two, with `share` of the other."""

    def respond(self, template: Any, image: Image) -> Response:
        """Answer to a search crop, BGR uint8 (height, width, 3) of sizes that fit the geometry."""


class BatchMatcher(Protocol):
    """A SiamRPN network that gains from being asked for several targets at once, as on a GPU.

    It cuts the crops itself. One that gains nothing has no `respond_many` and is asked one by one.
    """

    def respond_many(self, questions: Sequence[Question]) -> list[Response]:
        """Answers in order."""


def takes_batches(matcher: object) -> TypeGuard[BatchMatcher]:
    """Whether a matcher is a `BatchMatcher`; asked for every frame, where isinstance is slow."""
    return hasattr(matcher, "respond_many")


def respond_to(matcher: Any, questions: Sequence[Question]) -> list[Response]:
    """A matcher's answers in order: all at once where it gains by that."""
    if takes_batches(matcher):
        return matcher.respond_many(questions)
    return [matcher.respond(question.template, question.crop()) for question in questions]
