"""MemTrack: SiamFC whose template comes out of a memory that a recurrent network reads and writes.

Yang and Chan, "Learning Dynamic Memory Networks for Object Tracking", ECCV 2018. It tracks as
SiamFC does; the template of a frame in which the target was found is handed to the memory with the
next frame. Unlike the authors' code, which keeps a controller for each scale, ours looks at the
middle scale alone, and nothing is written of a frame in which the target is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.models.matchers import FloatArray, Memory
from visual_tracker.parameters import with_default
from visual_tracker.trackers.response import ResponseParameters, ResponseTracker


@dataclass(frozen=True)
class MemTrackParameters(ResponseParameters):
    """Parameters of MemTrack; the defaults are those of the authors' code where it has them."""

    scale_step: float = with_default(ResponseParameters, "scale_step", 1.05)
    scale_penalty: float = with_default(ResponseParameters, "scale_penalty", 0.97)
    scale_rate: float = with_default(ResponseParameters, "scale_rate", 0.6)
    window_influence: float = with_default(ResponseParameters, "window_influence", 0.15)


class MemTrackTracker(ResponseTracker):
    """MemTrack."""

    name = "memtrack"
    kind = "memtrack"
    summary = "MemTrack: SiamFC whose template is read from a learned memory (CPU, CUDA)"
    parameters_class = MemTrackParameters

    def _init(self, image: Image, box: Box) -> None:
        self._memory: Memory = self._start(image, box)
        #: the target as it was seen last
        self._seen = self._memory.first

    def _respond(self, crops: list[Image]) -> FloatArray:
        middle = len(crops) // 2
        order = [middle, *(place for place in range(len(crops)) if place != middle)]
        logits, self._memory = self.matcher.recall(
            self._memory, self._seen, [crops[place] for place in order]
        )
        result: FloatArray = logits[np.argsort(order)]
        return result

    def _found(self, image: Image, box: Box, confidence: float) -> None:
        self._seen = self._template_of(image, box).first

    def _missed(self) -> None:
        self._memory = self._memory._replace(write=np.zeros_like(self._memory.write))
