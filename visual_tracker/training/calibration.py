"""Fits a network's confidence: what the signs of the target are worth, and where it counts as lost.

The tracker runs freely through videos with frames without the target: another clip cut in, a
camera that looks away, something that covers it. It learns from the answers that are the target,
and is put back onto the truth where it has left it, so that its answers are those of a real run,
right and wrong ones, and every one is known to be the target or not. Logistic regression (Platt,
1999) on them gives the probability; quantiles of it the thresholds.

All videos count alike, those that the network was trained on, too: held-out ones are too few for
thresholds that hold (docs/experiments.md, 22), and a network that learns from a teacher without
labels knows the others no better. Of one that learned by labels, take held-out videos alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.annotations import Collection, DataError, Track
from visual_tracker.boxes import Box
from visual_tracker.evaluation import longterm_cases, occlusions
from visual_tracker.evaluation.datasets.videos import sequence_of
from visual_tracker.evaluation.sequences import FileFrames, Sequence
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import respond_to
from visual_tracker.models.weights import packaged_weights
from visual_tracker.trackers.confidence import Calibration, Evidence, Thresholds, digest
from visual_tracker.trackers.dasiamrpn import Choice, DaSiamRpnParameters, DaSiamRpnTracker
from visual_tracker.training.pairs import matches, split_tracks
from visual_tracker.training.recipe import Recipe, names

FloatArray = NDArray[np.float64]

#: IoU with the truth above which an answer is the target, and below which it is not; the answers
#: in between say nothing
_IS_TARGET, _IS_NOT = 0.5, 0.1
#: frames in a row off the target after which it is put back
_OFF_FRAMES = 4
#: every n-th frame is searched as after a loss, too
_WIDE_EVERY = 4
#: frames that such a search pretends to have been lost for
_WIDE_FRAMES = 4
#: frames of a clip into which others are cut, and of what is cut in
_CLIP_FRAMES, _CUT_FRAMES = 40, 20
#: frames of a camera's way: it looks away once, and back
_CAMERA_FRAMES = 90
#: frames there and back of a video in which the target is covered
_COVER_FRAMES = 60
#: shorter videos are left out
_SHORTEST = 12

#: of the frames in which the tracker is on the target, the share that may be reported lost
FALSE_LOST = 0.02
#: of the frames that do not show it, the share in which something may be found
FALSE_FOUND = 0.01
#: share of the target's answers that may look too little like it to be found again; small, for a
#: target grows less like its first template in a long video than in these short ones
_UNLIKE = 0.001
#: bounds of the two thresholds, whatever the few videos say
_LOST_RANGE, _FOUND_RANGE = (0.05, 0.5), (0.5, 0.98)


class Witness(NamedTuple):
    """One answer of the tracker.

    Attributes:
        evidence: what spoke for it.
        is_target: whether it was the target.
        is_lost: whether it was a search as after a loss.
        video: name of the case.
        held_out: whether the network has never seen the video.
    """

    evidence: Evidence
    is_target: bool
    is_lost: bool
    video: str
    held_out: bool


class GuidedTracker(DaSiamRpnTracker):
    """DaSiamRPN that is told where the target was, and asked what it sees."""

    def ask(self, image: Image, last: Box, frames_lost: int) -> tuple[Choice, Box]:
        """Search an image as `frames_lost` frames after a loss (0: none); what, and where it is."""
        frame = (
            self._wide_frame(image, last, frames_lost) if frames_lost else self._local_frame(last)
        )
        (response,) = respond_to(self.matcher, [self._question(image, frame)])
        choice = self._look(response, frame, last, frames_lost > 0)
        return choice, self._updated(frame, choice.ranked, choice.chosen, last, size_of(image))

    def learn(self, choice: Choice, image: Image, box: Box) -> None:
        """Learn from an answer that is the target, as one that is sure of it."""
        self._learn(choice, image, box, confidence=1.0)

    def forget_what_waits(self) -> None:
        """Drop the lessons that are not learned yet, as at a loss."""
        self._lessons.drop()


@dataclass(frozen=True)
class Case:
    """A sequence to learn from.

    Attributes:
        sequence: with frames in which the target cannot be seen.
        held_out: whether the network has never seen it.
    """

    sequence: Sequence
    held_out: bool


def make_cases(
    collection: Collection, recipe: Recipe, others: int | None = None, seed: int = 0
) -> list[Case]:
    """Cases of the held-out videos and of some that the network was trained on.

    Args:
        collection: the data that the network was trained on.
        recipe: that of its training; says which videos were held out.
        others: how many of the training videos to take, None for all.
        seed: of what is cut in, of the camera's way, and of what covers the target.

    Raises:
        DataError: if there are not two videos.
    """
    light = names(recipe.light_videos)
    training, held_out = split_tracks(collection.tracks, recipe.validation_share, light)
    training = [track for track in training if not matches(track.name, light)]
    usable = [
        (sequence_of(track), track in held_out)
        for track in (*held_out, *_spread(training, others))
        if len(track.frames) >= _SHORTEST
    ]
    if len(usable) < 2:
        raise DataError("calibration needs two videos or more; give the training data's folders")
    clips = [_first_frames(sequence, _CLIP_FRAMES) for sequence, _ in usable]
    spliced = longterm_cases.splice(clips, seed, _CUT_FRAMES)
    returning = [_and_back(sequence) for sequence, _ in usable]
    viewed = longterm_cases.virtual_camera(returning, seed)
    covered = occlusions.occlude(
        [_first_frames(sequence, _COVER_FRAMES) for sequence in returning], seed
    )
    return [
        Case(sequence, is_held_out)
        for cases in (spliced, viewed, covered)
        for sequence, (_, is_held_out) in zip(cases, usable, strict=True)
    ]


def collect(make_tracker: Callable[[], GuidedTracker], cases: Iterable[Case]) -> list[Witness]:
    """Let a tracker run through every case and write down its answers.

    Args:
        make_tracker: gives one with a target model.
        cases: see :func:`make_cases`.
    """
    tracker = make_tracker()
    witnesses: list[Witness] = []
    for case in cases:
        witnesses += _run(tracker, case)
    return witnesses


def _run(tracker: GuidedTracker, case: Case) -> list[Witness]:
    sequence = case.sequence
    tracker.init(sequence.frames[0], sequence.box(0))
    last, frames_off = sequence.box(0), 0
    witnesses: list[Witness] = []

    def ask(frame: int, frames_lost: int) -> tuple[Choice, Box, float]:
        choice, answer = tracker.ask(sequence.frames[frame], last, frames_lost)
        overlap = answer.iou(sequence.box(frame)) if sequence.visible[frame] else 0.0
        evidence = tracker.evidence(choice)
        assert evidence is not None  # it has a target model
        if not _IS_NOT <= overlap <= _IS_TARGET:
            is_target, is_lost = overlap > _IS_TARGET, frames_lost > 0
            witnesses.append(Witness(evidence, is_target, is_lost, sequence.name, case.held_out))
        return choice, answer, overlap

    for frame in range(1, len(sequence)):
        if frame % _WIDE_EVERY == 0:
            ask(frame, _WIDE_FRAMES)
        choice, last, overlap = ask(frame, 0)
        if overlap > _IS_TARGET:
            tracker.learn(choice, sequence.frames[frame], last)
        else:
            tracker.forget_what_waits()
        if not sequence.visible[frame]:
            continue
        frames_off = frames_off + 1 if overlap < _IS_NOT else 0
        came_back = not sequence.visible[frame - 1]
        if frames_off == _OFF_FRAMES or (frames_off and came_back):
            last, frames_off = sequence.box(frame), 0
    return witnesses


# From answers to a calibration --------------------------------------------------------------------


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
    fitted = Calibration(digest(weights), Evidence(*factors), intercept, Thresholds(0.5, 0.5, 0.0))
    found = np.array([fitted.probability(witness.evidence) for witness in witnesses])
    alike = np.minimum(signs[:, 2], signs[:, 3])
    # what is lost frame by frame is told from local searches, what is found from those after it
    wide = np.array([witness.is_lost for witness in witnesses])
    lost = weighted_quantile(found[labels & ~wide], importance[labels & ~wide], FALSE_LOST)
    again = weighted_quantile(found[~labels], importance[~labels], 1 - FALSE_FOUND)
    similar = weighted_quantile(alike[labels], importance[labels], _UNLIKE)
    low = float(np.clip(lost, *_LOST_RANGE))
    high = max(low, float(np.clip(again, *_FOUND_RANGE)))
    return Calibration(
        fitted.weights, fitted.coefficients, intercept, Thresholds(low, high, max(0.0, similar))
    )


def sample_weights(labels: NDArray[np.bool_]) -> FloatArray:
    """Weights with which both kinds count alike; they sum to n."""
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    return weights * len(labels)


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


def tracker_factory(
    network: str, weights: Path | None, device: str
) -> tuple[Callable[[], GuidedTracker], Path]:
    """What makes guided trackers of a network, and the file of its weights.

    Raises:
        DataError: if no weights are given or packaged.
    """
    path = weights or packaged_weights(DaSiamRpnTracker.kind, network)
    if path is None:
        raise DataError(f"no weights of '{network}' come with the package; give --weights")
    # training videos skip frames, so that a delay in frames would be a far longer one in time
    parameters = DaSiamRpnParameters(network=network, weights=str(weights or ""), learn_delay=0)
    return (lambda: GuidedTracker(parameters, device)), path


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


# Clips --------------------------------------------------------------------------------------------


def _spread(tracks: list[Track], count: int | None) -> list[Track]:
    """`count` of the tracks, spread evenly; all for None."""
    if count is None or count >= len(tracks):
        return tracks
    return [tracks[index * len(tracks) // count] for index in range(count)]


def _picked(sequence: Sequence, order: list[int]) -> Sequence:
    frames = FileFrames(tuple(sequence.frames.files[index] for index in order))  # type: ignore[attr-defined]
    return Sequence(sequence.name, frames, sequence.truth[order], sequence.visible[order])


def _first_frames(sequence: Sequence, count: int) -> Sequence:
    return _picked(sequence, list(range(min(count, len(sequence)))))


def _and_back(sequence: Sequence) -> Sequence:
    """The sequence there and back again: long enough for a camera to look away and return."""
    forward = list(range(len(sequence)))
    return _picked(sequence, (forward + forward[-2::-1])[:_CAMERA_FRAMES])
