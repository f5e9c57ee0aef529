"""What is evaluated on: a sequence of images with its truth, wherever the images come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.evaluation.metrics import BoolArray, FloatArray, has_box
from visual_tracker.images import Image, size_of
from visual_tracker.sources import SourceError


class DatasetError(SourceError):
    """A dataset that cannot be used; the message names the file and says what is expected."""


class Frames(Protocol):
    """Images by index; picklable, so that a worker process can load its own."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the images are made of: while they stay, so do the images."""

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, index: int) -> Image:
        """The image of a frame, BGR uint8 (height, width, 3).

        Raises:
            DatasetError: if it cannot be read; the message names the file.
        """


@dataclass(frozen=True)
class FileFrames:
    """Images that lie in files.

    Attributes:
        files: one a frame, in order.
    """

    files: tuple[Path, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def __getitem__(self, index: int) -> Image:
        """Read one image."""
        image = cv2.imread(str(self.files[index]), cv2.IMREAD_COLOR)
        if image is None:
            raise DatasetError(f"{self.files[index]} cannot be read as an image")
        return image


@dataclass(frozen=True)
class Sequence:
    """Images of one target, with the truth.

    Attributes:
        name: unique in its dataset; names files too.
        frames: the images.
        truth: (frames, 4) rows x, y, width, height, 0-based; NaN where there is none. A frame
            without truth counts in no measure of accuracy.
        visible: (frames,) True where the target can be seen; never True without a truth. A frame
            with truth that is not visible (OTB keeps boxes while the target is hidden) counts for
            accuracy, as OTB does, and as an absence for the long-term measures.
        polygons: the true outline of each frame, (corners, 2) pixels, where the dataset gives it;
            VOT's overlap is measured against it.
        tags: named flags of the frames, each (frames,).
        delivered: (frames,) False for frames that never reach the tracker (dropped); it then keeps
            its last box.
        start: box in the first frame that trackers start on; None for the true one.

    Raises:
        DatasetError: if the lengths differ, or the first frame has no truth to start on.
    """

    name: str
    frames: Frames
    truth: BoxArray
    visible: BoolArray
    polygons: tuple[FloatArray | None, ...] = ()
    tags: Mapping[str, BoolArray] = field(default_factory=dict)
    delivered: BoolArray | None = None
    start: Box | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated."""
        count = len(self.frames)
        if self.truth.shape != (count, 4) or self.visible.shape != (count,):
            raise DatasetError(
                f"sequence {self.name} has {count} images but {len(self.truth)} true boxes"
            )
        if count < 2 or not has_box(self.truth)[0]:
            raise DatasetError(
                f"sequence {self.name} cannot be evaluated: it needs two frames or more, and a "
                "true box of positive size in the first"
            )
        object.__setattr__(self, "visible", self.visible & has_box(self.truth))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def image_size(self) -> tuple[int, int] | None:
        """Width and height of the first image; None if it cannot be read, as its run will say."""
        try:
            return size_of(self.frames[0])
        except DatasetError:
            return None

    def box(self, index: int) -> Box:
        """The true box of a frame that has one."""
        return Box.from_xywh(*self.truth[index])

    def start_box(self, index: int) -> Box:
        """The box that a tracker starts on in a frame that has a true one."""
        return self.start if index == 0 and self.start is not None else self.box(index)
