"""KCF: OpenCV's kernelised correlation filter; fast, of fixed size.

Henriques et al., "High-Speed Tracking with Kernelized Correlation Filters", TPAMI 2015.
OpenCV reports failure when the peak of the response falls below `detect_thresh`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2

from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.opencv import OpenCvParameters, OpenCvTracker


@dataclass(frozen=True)
class KcfParameters(OpenCvParameters):
    """Parameters of KCF; docs/experiments.md says why `detect_thresh` is not OpenCV's .5."""

    detect_thresh: float = parameter(
        0.2,
        "Lost when the peak of the response is below this.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )


class KcfTracker(OpenCvTracker):
    """OpenCV's KCF."""

    name = "kcf"
    summary = "OpenCV KCF: kernelised correlation filter, fast, fixed size (CPU)"
    parameters_class = KcfParameters
    opencv_class = "TrackerKCF"

    def _create(self) -> Any:
        settings = cv2.TrackerKCF.Params()
        settings.detect_thresh = self.parameters.detect_thresh
        return cv2.TrackerKCF.create(settings)
