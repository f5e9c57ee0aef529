"""Whether a calibrated confidence says how often it is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visual_tracker.trackers.confidence import Calibration
from visual_tracker.training.witnesses import Witness

FloatArray = NDArray[np.float64]


def sample_weights(labels: NDArray[np.bool_]) -> FloatArray:
    """Weights with which both kinds count alike; they sum to n."""
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    return weights * len(labels)


def reliability_of(
    witnesses: list[Witness], fitted: Calibration
) -> list[tuple[float, float, float]]:
    """:func:`reliability` of answers, both kinds weighted alike; empty if they are of one kind."""
    labels = np.array([witness.is_target for witness in witnesses], bool)
    if labels.all() or not labels.any():
        return []
    said = np.array([fitted.probability(witness.evidence) for witness in witnesses])
    return reliability(said, labels, sample_weights(labels))


def reliability(
    probabilities: FloatArray, labels: NDArray[np.bool_], weights: FloatArray, bins: int = 10
) -> list[tuple[float, float, float]]:
    """Bins of equal width: mean probability, share of targets, share of the weight in each.

    Empty bins are left out.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    result = []
    for number in range(bins):
        inside = place == number
        weight = weights[inside].sum()
        if weight > 0:
            said = float((probabilities[inside] * weights[inside]).sum() / weight)
            was = float((labels[inside] * weights[inside]).sum() / weight)
            result.append((said, was, float(weight / weights.sum())))
    return result


def calibration_error(bins: list[tuple[float, float, float]]) -> float:
    """How far what is said is from what is, in the mean.

    The expected calibration error (Guo et al., "On Calibration of Modern Neural Networks", ICML
    2017, section 2).

    Args:
        bins: see :func:`reliability`.
    """
    return sum(share * abs(said - was) for said, was, share in bins)
