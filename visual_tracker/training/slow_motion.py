"""Videos slowed down by frames put between theirs.

Data sets keep every second or third frame of a video, and what a tracker learns on line, and when
it doubts, depends on how much changes from frame to frame. A robot's camera gives all of them. So
frames are put between by optical flow (Kroeger et al., "Fast Optical Flow using Dense Inverse
Search", ECCV 2016; OpenCV's DIS), warped from both sides and blended.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import BoxArray
from visual_tracker.evaluation.sequences import Frames, Sequence
from visual_tracker.images import Image

FloatArray = NDArray[np.float32]


@dataclass
class SlowFrames:
    """Frames with others put between each two of them; every `factor`-th is one of theirs.

    Attributes:
        frames: those of the video, of one size.
        factor: how much slower, 1 or more.
    """

    frames: Frames
    factor: int
    # what was computed last: frames are mostly read in order, and `factor - 1` share a flow
    _pair: tuple[int, _Between] | None = field(default=None, repr=False, compare=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """The video's."""
        return self.frames.files

    def __len__(self) -> int:
        """Number of images."""
        return (len(self.frames) - 1) * self.factor + 1

    def __getitem__(self, index: int) -> Image:
        """The image of a frame."""
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        before, step = divmod(index, self.factor)
        if step == 0:
            return self.frames[before]
        if self._pair is None or self._pair[0] != before:
            self._pair = before, _Between(self.frames[before], self.frames[before + 1])
        return self._pair[1].at(step / self.factor)


def slowed(sequence: Sequence, factor: int) -> Sequence:
    """A sequence `factor` times slower; boxes move in straight lines.

    A frame between two is visible, and has a truth, if both of them are and have.
    """
    frames = SlowFrames(sequence.frames, factor)
    places = np.arange(len(frames)) / factor
    before = np.floor(places).astype(int)
    after = np.minimum(np.ceil(places).astype(int), len(sequence) - 1)
    return replace(
        sequence,
        frames=frames,
        truth=_between_boxes(sequence.truth, before, after, places - before),
        visible=sequence.visible[before] & sequence.visible[after],
        polygons=(),
        tags={},
    )


def _between_boxes(
    truth: BoxArray, before: NDArray[np.intp], after: NDArray[np.intp], share: NDArray[np.float64]
) -> BoxArray:
    share = share[:, None]
    return truth[before] * (1 - share) + truth[after] * share


class _Between:
    """What lies between two images of one size."""

    def __init__(self, before: Image, after: Image) -> None:
        self._images = before, after
        grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in self._images]
        flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flows = flow.calc(grey[0], grey[1], None), flow.calc(grey[1], grey[0], None)

    def at(self, share: float) -> Image:
        """The image at a share in (0, 1) of the way from the first to the second."""
        warped = [
            _warped(image, flow, way)
            for image, flow, way in zip(self._images, self._flows, (share, 1 - share), strict=True)
        ]
        return cv2.addWeighted(warped[0], 1 - share, warped[1], share, 0)


def _warped(image: Image, flow: FloatArray, share: float) -> Image:
    """The image after a share of the way along its flow, (height, width, 2) in pixels."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(
        image,
        columns - np.float32(share) * flow[..., 0],
        rows - np.float32(share) * flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
