"""Nano: OpenCV's TrackerNano, which runs NanoTrack (v1 or v2) from two ONNX files.

The files are not part of this package; OpenCV's extra repository and NanoTrack's own carry them.
Confidence is NanoTrack's classification score of the box chosen. It is LOST below
`lost_threshold`; the score is known to stay high after many failures, so treat TRACKING with care.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from visual_tracker.parameters import Applies, Parameters, parameter
from visual_tracker.trackers.base import TrackerUnavailableError
from visual_tracker.trackers.files import file_problem
from visual_tracker.trackers.opencv import OpenCvParameters, OpenCvTracker

#: what the networks are tried on
_BLACK = np.zeros((128, 128, 3), np.uint8)


@dataclass(frozen=True)
class NanoParameters(OpenCvParameters):
    """Parameters of Nano."""

    backbone: str = parameter("", "Path of the backbone's ONNX file.", applies=Applies.AT_RESTART)
    neckhead: str = parameter(
        "", "Path of the neck and head's ONNX file.", applies=Applies.AT_RESTART
    )
    lost_threshold: float = parameter(
        0.5, "Lost when the classification score is below this.", minimum=0.0, maximum=1.0
    )


class NanoTracker(OpenCvTracker):
    """OpenCV's TrackerNano."""

    name = "nano"
    summary = "OpenCV TrackerNano: NanoTrack from two ONNX files (CPU)"
    parameters_class = NanoParameters
    opencv_class = "TrackerNano"
    advice = "install OpenCV 4.7 or newer, below 5"

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        # once, and not at every target: the files take long to read, and may be no networks
        self._network = self._load()

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Say if OpenCV is too old or a file is not given or cannot be read."""
        reason = super().unavailable_reason(parameters)
        if reason:
            return reason
        for option in ("backbone", "neckhead"):
            path = getattr(parameters, option, "")
            if not path:
                return f"set its parameter '{option}' to the path of the ONNX file"
            if problem := file_problem(option, path):
                return problem
        return None

    def _create(self) -> Any:
        # its init forgets the target before
        return self._network

    def _load(self) -> Any:
        settings = cv2.TrackerNano.Params()
        settings.backbone = self.parameters.backbone
        settings.neckhead = self.parameters.neckhead
        try:
            network = cv2.TrackerNano.create(settings)
            # other networks, or these two mixed up, load as well and fail at the first start
            network.init(_BLACK, (32, 32, 64, 64))
        except cv2.error as error:
            raise TrackerUnavailableError(
                f"OpenCV cannot read {settings.backbone} and {settings.neckhead} "
                f"as NanoTrack's networks: {' '.join(str(error).split())}"
            ) from error
        return network

    def _confidence(self) -> float | None:
        return min(1.0, max(0.0, float(self._tracker.getTrackingScore())))

    def _is_lost(self, confidence: float | None) -> bool:
        return confidence is not None and confidence < self.parameters.lost_threshold
