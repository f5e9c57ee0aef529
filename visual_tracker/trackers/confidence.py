"""One probability that the chosen box is the target, from all signs of it.

A network's score saturates: it is high on look-alikes, and stays high when the target is gone. The
other signs that DaSiamRPN has are independent of it: the answer of the filter learned on line, and
the similarity to the first and to the recent templates. The other Siamese trackers have the score
alone, which tells much, but not as the probability that its sigmoid pretends to be. Logistic
regression (Platt, 1999) makes one probability of the signs. Its coefficients belong to a network's
weights: they were fitted with them, lie beside them, and are used with no others.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from visual_tracker.models.weights import WeightsError

#: scores are kept this far from 0 and 1 before their logarithms are taken
_LEAST = 1e-4


class Evidence(NamedTuple):
    """What speaks for a box.

    Attributes:
        network: logit of the network's probability.
        filter: the target model's best answer near the box's centre.
        first: similarity to the first template.
        recent: similarity to the nearest recent template.
    """

    network: float
    filter: float
    first: float
    recent: float


class ScoreEvidence(NamedTuple):
    """What speaks for a box where there is the network's score alone.

    Attributes:
        score: logit of the score of what was chosen.
    """

    score: float


Kind = type[Evidence] | type[ScoreEvidence]

#: how the files of their calibrations end: one network may have both
_ENDINGS: dict[Kind, str] = {
    Evidence: ".confidence.json",
    ScoreEvidence: ".score.confidence.json",
}


def logit(probability: float) -> float:
    """ln(p / (1 - p)), for p kept away from 0 and 1."""
    p = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(p / (1 - p))


def sigmoid(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))


class Thresholds(NamedTuple):
    """When the target counts as lost and as found again.

    Attributes:
        lost: lost below this confidence.
        found: found again above this one.
        similarity: and with a similarity to first and recent templates above this.
    """

    lost: float
    found: float
    similarity: float

    def overridden(self, given: Thresholds) -> Thresholds:
        """With those given in place of these; a negative one is not given."""
        lost, found, similarity = (
            new if new >= 0 else own for own, new in zip(self, given, strict=True)
        )
        # to be found and lost at once would be a trap
        return Thresholds(lost, max(lost, found), similarity)


@dataclass(frozen=True)
class Calibration:
    """Coefficients and thresholds of a network's confidence.

    Attributes:
        weights: SHA-256 of the weights that they were fitted with.
        coefficients: of each field of the evidence.
        intercept: added to their sum.
        thresholds: on the probability.
    """

    weights: str
    coefficients: Evidence | ScoreEvidence
    intercept: float
    thresholds: Thresholds

    def probability(self, evidence: Evidence | ScoreEvidence) -> float:
        """Probability that the box is the target."""
        signs = zip(self.coefficients, evidence, strict=True)
        return sigmoid(self.intercept + sum(factor * sign for factor, sign in signs))

    def save(self, weights: Path) -> Path:
        """Write it beside its weights and return the file."""
        path = calibration_path(weights, type(self.coefficients))
        content = {
            "weights": self.weights,
            "coefficients": self.coefficients._asdict(),
            "intercept": self.intercept,
            "thresholds": self.thresholds._asdict(),
        }
        path.write_text(json.dumps(content, indent=2) + "\n")
        return path


def calibration_path(weights: Path, kind: Kind = Evidence) -> Path:
    """Where the calibration of a weights file lies: NAME.confidence.json beside it, or NAME.score..

    Args:
        weights: the file.
        kind: the signs that it makes a probability of.
    """
    return weights.with_suffix(_ENDINGS[kind])


def calibration_paths(weights: Path) -> list[Path]:
    """All of `calibration_path`."""
    return [calibration_path(weights, kind) for kind in _ENDINGS]


def digest(weights: Path) -> str:
    """SHA-256 of a weights file."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def load_calibration(weights: Path, kind: Kind = Evidence) -> Calibration | None:
    """The calibration of a weights file; None if there is none, or it is of other weights.

    Args:
        weights: the file.
        kind: the signs that it makes a probability of.

    Raises:
        WeightsError: if the file beside the weights is no calibration.
    """
    path = calibration_path(weights, kind)
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text())
        calibration = Calibration(
            values["weights"],
            kind(**{name: float(value) for name, value in values["coefficients"].items()}),
            float(values["intercept"]),
            Thresholds(**{name: float(value) for name, value in values["thresholds"].items()}),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is no calibration ({error}); make it anew with 'visual-tracker calibrate', "
            "or remove it"
        ) from None
    return calibration if calibration.weights == digest(weights) else None
