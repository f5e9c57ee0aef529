"""SiamFC: one response map over three scales; the box keeps its shape.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016. The template is
the first frame's, or follows the target as a running mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.models.matchers import FloatArray
from visual_tracker.parameters import parameter
from visual_tracker.trackers.response import ResponseParameters, ResponseTracker


@dataclass(frozen=True)
class SiamFcParameters(ResponseParameters):
    """Parameters of SiamFC."""

    template_rate: float = parameter(
        0.0, "Weight of a new template in the running one; 0 keeps the first.", minimum=0.0,
        maximum=1.0,
    )  # fmt: skip
    template_threshold: float = parameter(
        0.8, "Confidence above which the template is updated.", minimum=0.0, maximum=1.0
    )


class SiamFcTracker(ResponseTracker):
    """SiamFC."""

    name = "siamfc"
    kind = "siamfc"
    summary = "SiamFC: fully convolutional Siamese network, three scales (CPU, CUDA)"
    parameters_class = SiamFcParameters

    def _init(self, image: Image, box: Box) -> None:
        self._kernel: FloatArray = self._start(image, box)

    def _respond(self, crops: list[Image]) -> FloatArray:
        logits: FloatArray = self.matcher.respond(self._kernel, crops)
        return logits

    def _found(self, image: Image, box: Box, confidence: float) -> None:
        rate = self.parameters.template_rate
        if rate == 0 or confidence < self.parameters.template_threshold:
            return
        new = self._template_of(image, box)
        self._kernel = ((1 - rate) * self._kernel + rate * new).astype(np.float32)
