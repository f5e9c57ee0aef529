"""The confidence of trackers that have the network's score alone, and when they are lost.

Confidence (ours): the probability that the box is the target, of the score of what was chosen,
where a calibration lies beside the weights (`visual_tracker.trackers.confidence`); its sigmoid, the
network's own, elsewhere. The target is lost below `lost_threshold`, and found again above
`found_threshold`: to be found takes more than to be held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from visual_tracker.parameters import parameter
from visual_tracker.trackers.base import Track
from visual_tracker.trackers.confidence import (
    Calibration,
    Kind,
    ScoreEvidence,
    Thresholds,
    load_calibration,
    sigmoid,
)
from visual_tracker.trackers.siamese import SiameseParameters, SiameseTracker
from visual_tracker.trackers.torch_runtime import available_weights


@dataclass(frozen=True)
class ScoreParameters(SiameseParameters):
    """When the target counts as lost."""

    lost_threshold: float = parameter(
        -1.0,
        "Lost when the confidence falls below this; negative: as calibrated for the weights.",
        minimum=-1.0,
        maximum=1.0,
    )
    found_threshold: float = parameter(
        -1.0,
        "Found again when the confidence rises above this; negative: as calibrated.",
        minimum=-1.0,
        maximum=1.0,
    )


class ScoreTracker(SiameseTracker):
    """Base of the trackers that have the network's score alone."""

    #: the signs that its confidence is made of
    evidence: ClassVar[Kind] = ScoreEvidence
    #: where no calibration lies beside the weights
    uncalibrated: ClassVar[Thresholds] = Thresholds(lost=0.5, found=0.5, similarity=0.0)

    #: of the weights in use, None where there is none
    calibration: Calibration | None = None

    def _make_matcher(self) -> Any:
        path = available_weights(self.kind, self.parameters)
        self.calibration = load_calibration(path, self.evidence)
        return super()._make_matcher()

    def _score_confidence(self, score: float) -> float:
        """Probability that the target is where the network's score is this logit."""
        if self.calibration is None:
            return sigmoid(score)
        return self.calibration.probability(ScoreEvidence(score))

    def _is_lost(self, confidence: float, last: Track) -> bool:
        """Whether the target is lost with this confidence, after the last frame's outcome."""
        thresholds = self._thresholds()
        return confidence < (thresholds.found if last.is_lost else thresholds.lost)

    def _thresholds(self) -> Thresholds:
        """Those given, else those of the calibration, else those of the network's probability."""
        own = self.uncalibrated if self.calibration is None else self.calibration.thresholds
        chosen = self.parameters
        return own.overridden(Thresholds(chosen.lost_threshold, chosen.found_threshold, -1.0))
