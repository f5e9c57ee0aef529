"""Re3: a recurrent network that gives the box itself; nothing is searched or scored.

Gordon, Farhadi and Fox, "Re3: Real-Time Recurrent Regression Networks for Visual Tracking of
Generic Objects", RA-L 2018. It has no confidence; the state is LOST, and the box frozen, where the
box's centre leaves the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.crops import AffineFrame, take_crop
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import FloatArray, Recurrent
from visual_tracker.parameters import parameter
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.siamese import SiameseParameters, SiameseTracker


@dataclass(frozen=True)
class Re3Parameters(SiameseParameters):
    """Parameters of Re3.

    The paper resets the state every 32 frames, after sequences of up to 32. Ours learned from
    sequences of 8, and is better on training videos with 12 (docs/experiments.md, 41).
    """

    reset_every: int = parameter(
        12,
        "Frames after which the network goes back to what it knew after the first; 0: never.",
        minimum=0,
        maximum=100_000,
    )


class Re3Tracker(SiameseTracker):
    """Re3."""

    name = "re3"
    kind = "re3"
    summary = "Re3: two LSTMs that give the box, recurrent regression (CPU, CUDA)"
    parameters_class = Re3Parameters

    def _init(self, image: Image, box: Box) -> None:
        self._first = self._state = self._start(image, box)
        self._frames = 0
        #: around the last box, in the last frame
        self._before = self._crop(image, self._frame(box))

    def _track(self, image: Image, last: Track) -> Track:
        frame = self._frame(last.box)
        # it may have been set lower meanwhile
        if 0 < self.parameters.reset_every <= self._frames:
            self._state, self._frames = self._first, 0
        now = self._crop(image, frame)
        corners, self._state = self.matcher.follow(self._state, self._before, now)
        self._frames += 1
        box = self._box(corners, frame, image)
        if box is None:
            self._before = now
            return Track(last.box, None, TrackState.LOST, frame.region)
        self._before = self._crop(image, self._frame(box))
        return Track(box, None, TrackState.TRACKING, frame.region)

    def _template_of(self, image: Image, box: Box) -> Recurrent:
        state: Recurrent = self.matcher.learn(self._crop(image, self._frame(box)))
        return state

    def _frame(self, box: Box) -> AffineFrame:
        return AffineFrame.stretched(box, self.geometry.search_size)

    def _crop(self, image: Image, frame: AffineFrame) -> Image:
        return take_crop(image, frame, self._padding)

    def _box(self, corners: FloatArray, frame: AffineFrame, image: Image) -> Box | None:
        """The box of corners in crop sides from the crop's centre; None beyond the image."""
        points = (corners.astype(np.float64).reshape(2, 2) + 0.5) * self.geometry.search_size
        (left, top), (right, bottom) = frame.points_to_image(points).tolist()
        x, y = (left + right) / 2, (top + bottom) / 2
        width, height = size_of(image)
        if not (0 <= x <= width and 0 <= y <= height):
            return None
        return self._bounded((x, y), (right - left, bottom - top), (width, height))
