"""The got10k toolkit's tracker class around one of ours (`pip install got10k`).

>>> from got10k.experiments import ExperimentOTB  # doctest: +SKIP
>>> from visual_tracker.adapters.got10k import as_got10k_tracker
>>> tracker = as_got10k_tracker(Candidate("csrt", "csrt"))  # doctest: +SKIP
>>> ExperimentOTB("data/OTB", version=2015).run(tracker)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.extras import require


def as_got10k_tracker(candidate: Candidate, one_based: bool = True) -> Any:
    """Make a `got10k.trackers.Tracker` of a candidate.

    Args:
        candidate: what is to run; its label names the results.
        one_based: whether the toolkit's boxes are 1-based (OTB, UAV123, LaSOT) or 0-based; it
            hands on the annotations as they stand.

    Raises:
        MissingExtraError: if got10k is not installed.
        TrackerUnavailableError: if this machine cannot run the tracker.
    """
    base = require("got10k.trackers", "pip install got10k").Tracker
    shift = np.array([1.0, 1.0, 0.0, 0.0]) * one_based
    tracker = candidate.create()

    class Adapter(base):  # type: ignore[misc, valid-type]
        """Our tracker behind got10k's two methods."""

        def init(self, image: Any, box: BoxArray) -> None:
            """Start on a box x, y, width, height in a PIL image."""
            tracker.init(_bgr(image), Box.from_xywh(*(np.asarray(box, float) - shift)))

        def update(self, image: Any) -> BoxArray:
            """The box in the next PIL image."""
            return np.array(tracker.track(_bgr(image)).box.xywh) + shift

    return Adapter(name=candidate.label, is_deterministic=True)


def _bgr(image: Any) -> Any:
    """The array of a PIL image, which is RGB."""
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
