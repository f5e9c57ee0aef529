"""MIL: OpenCV's multiple-instance learning tracker; slow, of fixed size.

Babenko et al., "Visual Tracking with Online Multiple Instance Learning", CVPR 2009.
OpenCV's MIL never reports failure: it is LOST only when its box leaves the image. It samples at
random, seeded by the clock and not by `cv2.setRNGSeed`, so the same input does not give quite the
same boxes. On a box of 16 pixels or fewer its init never returns, so small boxes
are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2

from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.opencv import OpenCvParameters, OpenCvTracker


@dataclass(frozen=True)
class MilParameters(OpenCvParameters):
    """Parameters of MIL; the defaults are OpenCV's."""

    search_window: float = parameter(
        25.0,
        "Half side of the window searched for the target, in pixels.",
        # in a smaller one OpenCV finds no negative sample, and does not start
        minimum=3.0,
        maximum=500.0,
        applies=Applies.AT_NEXT_INIT,
    )


class MilTracker(OpenCvTracker):
    """OpenCV's MIL."""

    name = "mil"
    summary = "OpenCV MIL: online multiple-instance learning, slow, fixed size (CPU)"
    parameters_class = MilParameters
    opencv_class = "TrackerMIL"
    advice = "install opencv-python 4.5.1 or newer, below 5"
    min_side = 5

    def _create(self) -> Any:
        settings = cv2.TrackerMIL.Params()
        settings.samplerSearchWinSize = self.parameters.search_window
        return cv2.TrackerMIL.create(settings)
