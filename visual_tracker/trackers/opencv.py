"""What the wrappers of OpenCV's own trackers share: the call, the rounding and the lost rule.

OpenCV's classical trackers give no confidence that means anything, so theirs is None. They are LOST

- in every frame in which OpenCV itself reports failure, and
- when less than `min_visible` of the box found lies inside the image.

While LOST the box is frozen at the last one held; OpenCV goes on searching around it, and the state
returns to TRACKING as soon as neither rule applies. What each tracker reports as failure is said in
its own module.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2

from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import Image, size_of
from visual_tracker.parameters import Applies, Parameters, parameter
from visual_tracker.threads import limit_threads
from visual_tracker.trackers.base import Track, Tracker, TrackState


@dataclass(frozen=True)
class OpenCvParameters(Parameters):
    """What every OpenCV tracker takes."""

    min_visible: float = parameter(
        0.25,
        "Lost when less than this share of the box's area lies inside the image.",
        minimum=0.0,
        maximum=1.0,
    )
    threads: int = parameter(
        1,
        "CPU threads of OpenCV, in the whole process; they spin while they wait.",
        minimum=1,
        maximum=256,
        applies=Applies.AT_RESTART,
    )


class OpenCvTracker(Tracker):
    """Base of the OpenCV wrappers; a subclass names OpenCV's class and creates its object."""

    #: OpenCV's class, like "TrackerKCF", and what to do where this OpenCV lacks it
    opencv_class: ClassVar[str]
    advice: ClassVar[str] = "install opencv-contrib-python (pip) or python3-opencv (apt)"

    #: the smallest side in whole pixels that OpenCV's tracker can start on
    min_side: ClassVar[int] = 1

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        limit_threads(self.parameters.threads)

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Say if this OpenCV lacks the tracker, and what to do about it."""
        if hasattr(cv2, cls.opencv_class):
            return None
        return f"OpenCV {cv2.__version__} has no {cls.opencv_class}; {cls.advice}"

    @abstractmethod
    def _create(self) -> Any:
        """Make the OpenCV tracker from `self.parameters`."""

    def _confidence(self) -> float | None:
        """Confidence of the frame just tracked; None where OpenCV has no honest measure."""
        return None

    def _is_lost(self, confidence: float | None) -> bool:
        """The tracker's own lost rule, beyond OpenCV's report and the visible share."""
        return False

    def _init(self, image: Image, box: Box) -> None:
        rectangle = _integer_rectangle(box, *size_of(image))
        if min(rectangle[2:]) < self.min_side:
            raise BoxError(
                f"box {box} is {rectangle[2]}x{rectangle[3]} whole pixels; the smallest side that "
                f"'{self.name}' can start on is {self.min_side}"
            )
        tracker = self._create()
        try:
            tracker.init(image, rectangle)
        except cv2.error as error:
            raise BoxError(f"OpenCV's '{self.name}' cannot start on box {box}: {error}") from error
        self._tracker = tracker

    def _track(self, image: Image, last: Track) -> Track:
        found, rectangle = self._tracker.update(image)
        confidence = self._confidence()
        if not found or rectangle[2] <= 0 or rectangle[3] <= 0 or self._is_lost(confidence):
            return Track(last.box, confidence, TrackState.LOST)
        box = Box.from_xywh(*rectangle)
        if box.visible_fraction(*size_of(image)) < self.parameters.min_visible:
            return Track(last.box, confidence, TrackState.LOST)
        return Track(box, confidence, TrackState.TRACKING)


def _integer_rectangle(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Nearest box on whole pixels that stays inside the image; OpenCV takes integers only."""
    left, top, right, bottom = (round(edge) for edge in box.xyxy)
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(1, min(right, width) - left), max(1, min(bottom, height) - top)
