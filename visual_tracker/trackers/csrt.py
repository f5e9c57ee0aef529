"""CSRT: OpenCV's discriminative correlation filter with channel and spatial reliability.

Lukezic et al., "Discriminative Correlation Filter with Channel and Spatial Reliability", CVPR 2017.
OpenCV reports failure when the peak-to-sidelobe ratio of the response falls below `psr_threshold`;
that is rare, so expect CSRT to follow something else rather than to admit that it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2

from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.opencv import OpenCvParameters, OpenCvTracker


@dataclass(frozen=True)
class CsrtParameters(OpenCvParameters):
    """Parameters of CSRT; the defaults are OpenCV's."""

    psr_threshold: float = parameter(
        0.035,
        "Lost when the peak-to-sidelobe ratio of the response is below this.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    padding: float = parameter(
        3.0,
        "Side of the search region as a multiple of the target's.",
        minimum=1.0,
        maximum=10.0,
        applies=Applies.AT_NEXT_INIT,
    )
    number_of_scales: int = parameter(
        33,
        "Scales searched a frame; fewer is faster.",
        minimum=1,
        maximum=99,
        applies=Applies.AT_NEXT_INIT,
    )


class CsrtTracker(OpenCvTracker):
    """OpenCV's CSRT."""

    name = "csrt"
    summary = "OpenCV CSRT: correlation filter with channel and spatial reliability (CPU)"
    parameters_class = CsrtParameters
    opencv_class = "TrackerCSRT"

    def _create(self) -> Any:
        settings = cv2.TrackerCSRT.Params()
        settings.psr_threshold = self.parameters.psr_threshold
        settings.padding = self.parameters.padding
        settings.number_of_scales = self.parameters.number_of_scales
        return cv2.TrackerCSRT.create(settings)
