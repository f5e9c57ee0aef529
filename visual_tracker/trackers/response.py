"""What the trackers of one response map share: its peak over scales; boxes keep their shape.

As SiamFC does it (Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking",
2016, and its authors' code): scales and places are compared by the response itself. Its sigmoid is
near 1 all around the peak, where only the window would decide (docs/experiments.md, 42).

Confidence and loss are as `visual_tracker.trackers.score_confidence` has them. While the target is
lost the box follows the peak all the same, and nothing is learned.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame, take_crop
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import FloatArray
from visual_tracker.parameters import ParameterError, parameter
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.score_confidence import ScoreParameters, ScoreTracker

#: the response map is enlarged by this factor before the peak is taken (section 4.1 of the paper)
_ENLARGEMENT = 16

#: height of a peak in logits that counts as one
_LEAST_HEIGHT = 0.1


@dataclass(frozen=True)
class ResponseParameters(ScoreParameters):
    """Parameters of scales and peak; the defaults are those of SiamFC's paper where it has them."""

    scales: int = parameter(3, "Scales searched a frame; odd.", minimum=1, maximum=9)
    scale_step: float = parameter(1.0375, "Factor between two scales.", minimum=1.0, maximum=1.5)
    scale_penalty: float = parameter(
        0.9745, "Factor on the response of another scale.", minimum=0.0, maximum=1.0
    )
    scale_rate: float = parameter(0.59, "How fast the scale follows.", minimum=0.0, maximum=1.0)
    window_influence: float = parameter(
        0.176, "Weight of the cosine window against the response.", minimum=0.0, maximum=1.0
    )

    def __post_init__(self) -> None:
        """Check every field, and that the scales have a middle."""
        super().__post_init__()
        if self.scales % 2 == 0:
            raise ParameterError(
                f"parameter 'scales' is {self.scales}; it must be odd, for as many smaller scales "
                "as larger ones"
            )


class ResponseTracker(ScoreTracker):
    """Base of the trackers of one response map; a subclass keeps the template."""

    def _track(self, image: Image, last: Track) -> Track:
        frames = self._frames(last.box)
        box, score = self._search(image, frames, last.box)
        confidence = self._score_confidence(score)
        region = frames[len(frames) // 2].region
        if self._is_lost(confidence, last):
            self._missed()
            return Track(box, confidence, TrackState.LOST, region)
        self._found(image, box, confidence)
        return Track(box, confidence, TrackState.TRACKING, region)

    def _search(self, image: Image, frames: list[CropFrame], last: Box) -> tuple[Box, float]:
        """The likeliest box in crops of all scales, and the logit of its score."""
        crops = [take_crop(image, frame, self._padding) for frame in frames]
        scale, x, y, logit = self._peak(self._respond(crops))
        chosen, middle = frames[scale], frames[len(frames) // 2]
        growth = 1 + self.parameters.scale_rate * (chosen.pixel / middle.pixel - 1)
        size = last.width * growth, last.height * growth
        return self._bounded(chosen.to_image(x, y), size, size_of(image)), logit

    @abstractmethod
    def _respond(self, crops: list[Image]) -> FloatArray:
        """Logits (scales, H, W) of a frame's search crops, the middle scale's in the middle."""

    @abstractmethod
    def _found(self, image: Image, box: Box, confidence: float) -> None:
        """Learn from a frame in which the target was found."""

    def _missed(self) -> None:
        """Learn from a frame in which it was not."""

    def _frames(self, box: Box) -> list[CropFrame]:
        """Search crops of all scales, the smallest region first."""
        middle = self.parameters.scales // 2
        side = self._pixel(box) * self.geometry.search_size
        return [
            CropFrame.square(
                box.center, side * self.parameters.scale_step**power, self.geometry.search_size
            )
            for power in range(-middle, middle + 1)
        ]

    def _peak(self, responses: FloatArray) -> tuple[int, float, float, float]:
        """Scale, crop x, crop y and logit of the peak.

        Args:
            responses: logits (scales, H, W).
        """
        middle = len(responses) // 2
        rows, columns = responses.shape[1:]
        size = ((columns - 1) * _ENLARGEMENT + 1, (rows - 1) * _ENLARGEMENT + 1)
        fine = np.stack([_enlarged(response, size) for response in responses])
        # Heights above the lowest, unlike logits, are positive: a penalty below 1 lowers them.
        heights = fine - fine.min()
        penalties = np.full(len(responses), self.parameters.scale_penalty)
        penalties[middle] = 1.0
        peaks = heights.max(axis=(1, 2)) * penalties
        scale = middle if peaks[middle] == peaks.max() else int(peaks.argmax())
        window = np.outer(np.hanning(size[1]), np.hanning(size[0]))
        influence = self.parameters.window_influence
        ranks = _normalised(fine[scale]) * (1 - influence) + window * influence
        row, column = np.unravel_index(int(ranks.argmax()), ranks.shape)
        step = self.geometry.stride / _ENLARGEMENT
        half = self.geometry.search_size / 2
        x = half + (float(column) - (size[0] - 1) / 2) * step
        y = half + (float(row) - (size[1] - 1) / 2) * step
        return scale, x, y, float(fine[scale, row, column])


def _normalised(response: FloatArray) -> FloatArray:
    """A map from 0 at its lowest to 1 at its peak; one that is flat has none, but rounding."""
    heights = response - response.min()
    return heights / max(float(heights.max()), _LEAST_HEIGHT)


def _enlarged(response: FloatArray, size: tuple[int, int]) -> FloatArray:
    """A map of n cells a side on (n - 1) * _ENLARGEMENT + 1 points, its cells on every 16th.

    cv2.resize aligns the borders of cells, not their centres; this aligns the centres.
    """
    step = 1.0 / _ENLARGEMENT
    matrix = np.array([[step, 0.0, 0.0], [0.0, step, 0.0]])
    return cv2.warpAffine(
        response, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
