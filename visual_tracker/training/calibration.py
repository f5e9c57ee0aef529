"""Fits a network's confidence: what the signs of the target are worth, and where it counts as lost.

Logistic regression (Platt, 1999) on the answers of free runs through videos with frames without the
target (:mod:`visual_tracker.training.witnesses`) gives the probability; quantiles of it the
thresholds. What a tracker answers depends on what it has learned, and that on its confidence: so
there are rounds, each run with what was fitted to the answers of those before it, as in DAgger
(Ross et al., AISTATS 2011), from no calibration at all on.

All videos count alike, those that the network was trained on, too: held-out ones are too few for
thresholds that hold (docs/experiments.md, 22), and a network that learns from a teacher without
labels knows the others no better. Of one that learned by labels, take held-out videos alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visual_tracker.annotations import DataError
from visual_tracker.models.weights import packaged_weights
from visual_tracker.trackers.confidence import Calibration, Evidence, Thresholds, digest
from visual_tracker.training.calibration_cases import Case
from visual_tracker.training.reliability import (
    calibration_error,
    reliability_of,
    sample_weights,
)
from visual_tracker.training.witnesses import WITNESSED, Witness, WitnessedTracker, collect

FloatArray = NDArray[np.float64]

#: of the frames in which the tracker is on the target, the share that may be reported lost
FALSE_LOST = 0.02
#: of the frames that do not show it, the share in which something may be found
FALSE_FOUND = 0.02
#: share of the target's answers that may look too little like it to be found again; small, for a
#: target grows less like its first template in a long video than in these short ones
_UNLIKE = 0.001
#: bounds of the two thresholds, whatever the few videos say
_LOST_RANGE, _FOUND_RANGE = (0.05, 0.5), (0.5, 0.98)


def calibrate_in_rounds(
    tracker: WitnessedTracker, rounds: Sequence[Iterable[Case]], weights: Path
) -> tuple[list[Witness], Calibration]:
    """Run and fit, then run with what was fitted and fit again, to all answers so far.

    The first round is without a calibration. Its tracker learns wrong things more than any other,
    so that its answers decide what the second one does and no more, if there is a second one.

    Args:
        tracker: one of WITNESSED; it keeps the last calibration.
        rounds: the cases of each.
        weights: the file that the tracker's network was made of.

    Returns:
        The answers that were fitted last, and the calibration.

    Raises:
        DataError: if there is no round, or all answers are of one kind.
    """
    tracker.calibration = None
    witnesses: list[Witness] = []
    for number, cases in enumerate(rounds):
        if number == 1:
            witnesses.clear()
        witnesses += collect(tracker, cases)
        tracker.calibration = calibrate(witnesses, weights)
    if tracker.calibration is None:
        raise DataError("calibration takes one round or more")
    return witnesses, tracker.calibration


def check(
    tracker: WitnessedTracker, rounds: Sequence[Iterable[Case]]
) -> tuple[list[Witness], Calibration]:
    """Run with the calibration that lies beside the weights, and fit nothing.

    Args:
        tracker: one of WITNESSED.
        rounds: the cases of each; to learn how good it is, others than it was fitted to.

    Returns:
        The answers, and the calibration.

    Raises:
        DataError: if the weights have no calibration.
    """
    calibration = tracker.calibration
    if calibration is None:
        raise DataError("these weights have no calibration yet; run without --check to fit one")
    return [witness for cases in rounds for witness in collect(tracker, cases)], calibration


def calibrate(witnesses: list[Witness], weights: Path) -> Calibration:
    """Fit coefficients and thresholds.

    Args:
        witnesses: answers, some of them the target and some not.
        weights: the file that they were made with.

    Raises:
        DataError: if all answers are of one kind.
    """
    signs = np.array([witness.evidence for witness in witnesses], dtype=np.float64)
    labels = np.array([witness.is_target for witness in witnesses])
    if labels.all() or not labels.any():
        raise DataError(
            "calibration needs answers that are the target and answers that are not; "
            "give more videos"
        )
    importance = sample_weights(labels)
    factors, intercept = fit_signs(signs, labels, importance)
    kind = type(witnesses[0].evidence)
    fitted = Calibration(digest(weights), kind(*factors), intercept, Thresholds(0.5, 0.5, 0.0))
    return replace(fitted, thresholds=_thresholds(witnesses, fitted, importance))


def _thresholds(
    witnesses: list[Witness], fitted: Calibration, importance: FloatArray
) -> Thresholds:
    """Those at which the promised shares of the answers are lost and found."""
    labels = np.array([witness.is_target for witness in witnesses])
    found = np.array([fitted.probability(witness.evidence) for witness in witnesses])
    # what is lost frame by frame is told from local searches, what is found from those after it
    local = labels & ~np.array([witness.is_lost for witness in witnesses])
    lost = weighted_quantile(found[local], importance[local], FALSE_LOST)
    low = float(np.clip(lost, *_LOST_RANGE))
    signs = (witness.evidence for witness in witnesses)
    alike = [min(each.first, each.recent) for each in signs if isinstance(each, Evidence)]
    if not alike:
        # even odds do: more would keep the target lost in a third of its frames
        return Thresholds(low, max(low, _FOUND_RANGE[0]), 0.0)
    # a wide search meets look-alikes, on which nothing may be resumed
    again = weighted_quantile(found[~labels], importance[~labels], 1 - FALSE_FOUND)
    high = max(low, float(np.clip(again, *_FOUND_RANGE)))
    similar = weighted_quantile(np.array(alike)[labels], importance[labels], _UNLIKE)
    return Thresholds(low, high, max(0.0, similar))


def fit_signs(
    signs: FloatArray, labels: NDArray[np.bool_], weights: FloatArray
) -> tuple[FloatArray, float]:
    """Logistic regression in which no sign speaks against the target.

    Signs that resemble each other may get factors of opposite sense, which is an accident of the
    few videos: such a sign is left out (factor 0).
    """
    used = np.ones(signs.shape[1], bool)
    while True:
        factors, intercept = fit_logistic(signs[:, used], labels, weights)
        if (factors >= 0).all():
            result = np.zeros(len(used))
            result[used] = factors
            return result, intercept
        used[np.flatnonzero(used)[factors < 0]] = False


def fit_logistic(
    signs: FloatArray, labels: NDArray[np.bool_], weights: FloatArray, ridge: float = 1.0
) -> tuple[FloatArray, float]:
    """Weighted logistic regression by Newton's method, with a small ridge on scaled signs.

    Minimises  sum_i v_i (ln(1 + exp(z_i)) - y_i z_i) + ridge / 2 sum_j (s_j f_j)^2  with
    z = f . x + b and s_j the standard deviation of sign j; the intercept b is free.

    Args:
        signs: (n, k).
        labels: (n,).
        weights: (n,).
        ridge: >= 0.

    Returns:
        Factor of each sign, (k,), and the intercept.
    """
    center, spread = signs.mean(axis=0), signs.std(axis=0) + 1e-9
    scaled = np.column_stack([(signs - center) / spread, np.ones(len(signs))])
    penalty = np.append(np.full(signs.shape[1], ridge), 1e-9)
    solution = np.zeros(scaled.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(scaled @ solution, -30, 30)))
        gradient = scaled.T @ (weights * (probability - labels)) + penalty * solution
        curvature = weights * probability * (1 - probability)
        hessian = (scaled * curvature[:, None]).T @ scaled + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        solution -= step
        if np.abs(step).max() < 1e-9:
            break
    factors = solution[:-1] / spread
    return factors, float(solution[-1] - factors @ center)


def weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    """The smallest value that at least `share` of the weight does not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    place = int(np.searchsorted(reached, share))
    return float(values[order[min(place, len(order) - 1)]])


def make_tracker(
    name: str, network: str, weights: Path | None, device: str
) -> tuple[WitnessedTracker, Path]:
    """A tracker whose answers are kept, and the file of its network's weights.

    Args:
        name: one of WITNESSED.
        network: its name, like "lite".
        weights: its file; None for the one in the package.
        device: auto, cpu or cuda.

    Raises:
        DataError: if no weights are given or packaged.
    """
    cls = WITNESSED[name]
    path = weights or packaged_weights(cls.kind, network)
    if path is None:
        raise DataError(f"no weights of '{network}' come with the package; give --weights")
    parameters = cls.parameters_class(network=network, weights=str(weights or ""))
    return cls(parameters, device), path


def describe(witnesses: list[Witness], fitted: Calibration) -> str:
    """What was fitted, and what its thresholds do on the answers, as a few lines of text."""
    signs = ", ".join(
        f"{name} {value:.3g}" for name, value in fitted.coefficients._asdict().items()
    )
    lines = [
        f"{len(witnesses)} answers, {sum(witness.is_target for witness in witnesses)} the target",
        f"factors: {signs}; intercept {fitted.intercept:.3g}",
        "thresholds: " + ", ".join(f"{k} {v:.3f}" for k, v in fitted.thresholds._asdict().items()),
    ]
    for title, held_out in (("held-out", True), ("other", False)):
        mine = [witness for witness in witnesses if witness.held_out == held_out]
        lines.append(f"{title} videos: " + _shares(mine, fitted))
        if bins := reliability_of(mine, fitted):
            lines[-1] += f"; calibration error {calibration_error(bins):.3f}"
    return "\n".join(lines)


def _shares(witnesses: list[Witness], fitted: Calibration) -> str:
    def share(wanted: list[Witness], threshold: float) -> str:
        below = [fitted.probability(witness.evidence) < threshold for witness in wanted]
        return f"{np.mean(below):.3f}" if below else "-"

    there = [witness for witness in witnesses if witness.is_target]
    local = [witness for witness in there if not witness.is_lost]
    gone = [witness for witness in witnesses if not witness.is_target]
    return (
        f"below the lost threshold {share(local, fitted.thresholds.lost)} of the target's answers "
        f"and {share(gone, fitted.thresholds.lost)} of the others, below the found threshold "
        f"{share(there, fitted.thresholds.found)} and {share(gone, fitted.thresholds.found)}"
    )
