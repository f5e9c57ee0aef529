"""From runs on disk to figures: the keys of results.json, a sequence, and their means.

Keys of a sequence (None where nothing can be measured):

- `success_auc`, `precision_20`, `norm_precision` (area), `ao`, `sr_50`, `sr_75`;
- `lt_precision`, `lt_recall`, `lt_f_score`, and the fields of `LostFound`;
- `ms_per_frame`, `ms_p99` (of `track` alone), `init_ms`, `frames`;
- of a supervised run instead: `vot_accuracy`, `vot_failures`, `vot_robustness`, and the speed.

In a `mean` every key is the unweighted mean over the sequences that have it, except: the speed is
taken over all frames together, and so are `ao`, `sr_50` and `sr_75`, as GOT-10k's toolkit does;
counts (see `COUNTS`) are summed; `frames_to_recovery` is the mean over all recoveries; the
long-term measures and `vot_robustness` and `eao` follow their definitions over a set of sequences;
`vot_accuracy` is weighted by the sequences' lengths, as vot-toolkit does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from visual_tracker.evaluation import longterm_metrics, metrics, vot_metrics
from visual_tracker.evaluation.metrics import AverageOverlap, Curves, FloatArray
from visual_tracker.evaluation.passes import Run, bounded_overlap
from visual_tracker.evaluation.sequences import Sequence

Scores = dict[str, float | int | None]

COUNTS = (
    "frames",
    "absences",
    "found_again",
    "found_soon",
    "resumptions",
    "wrong_resumptions",
    "vot_failures",
)

#: what a single pass is measured in, its speed apart
_SINGLE_KEYS = (
    *("success_auc", "precision_20", "norm_precision", "ao", "sr_50", "sr_75"),
    *("lt_precision", "lt_recall", "lt_f_score"),
    *(field.name for field in dataclasses.fields(longterm_metrics.LostFound)),
)


@dataclass(frozen=True)
class SequenceScores:
    """The figures of one run, with what their means need.

    Attributes:
        scores: the keys of results.json.
        milliseconds: of each call of `track`, shape (calls,).
        curves: OTB's plots; None of a supervised run or where no truth is known.
        overlap: GOT-10k's measures, likewise.
        outcome: for the long-term measures, likewise.
        supervised: for VOT's measures; None of a single pass.
    """

    scores: Scores
    milliseconds: FloatArray
    curves: Curves | None = None
    overlap: AverageOverlap | None = None
    outcome: longterm_metrics.Outcome | None = None
    supervised: vot_metrics.SupervisedOutcome | None = None


def score_run(run: Run, sequence: Sequence) -> SequenceScores:
    """The figures of one run on its sequence."""
    milliseconds = run.seconds[~np.isnan(run.seconds)] * 1000
    speed: Scores = {
        **_speed(milliseconds),
        "init_ms": float(np.mean(run.init_seconds)) * 1000,
        "frames": len(sequence),
    }
    if run.supervised:
        return _score_supervised(run, sequence, milliseconds, speed)
    return _score_single(run, sequence, milliseconds, speed)


def mean_scores(
    parts: Mapping[str, SequenceScores], eao_range: tuple[int, int] | None = None
) -> Scores:
    """The figures over a set of sequences, by the rules of this module.

    Args:
        parts: by name of the sequence.
        eao_range: shortest and longest length for EAO; None for the typical ones of the set.
    """
    if not parts:
        return {}
    values = list(parts.values())
    keys = dict.fromkeys(key for part in values for key in part.scores)
    means: Scores = {key: _mean(key, values) for key in keys}
    means.update(_speed(np.concatenate([part.milliseconds for part in values])))
    overlaps = [part.overlap for part in values if part.overlap]
    if overlaps:
        means.update(_overlap(metrics.mean_overlap(overlaps)))
    if any(part.outcome for part in values):
        means.update(_long_term([part.outcome for part in values if part.outcome]))
        means["frames_to_recovery"] = _recovery(values)
    if any(part.supervised for part in values):
        means.update(_mean_supervised(values, eao_range))
    return means


def _score_single(
    run: Run, sequence: Sequence, milliseconds: FloatArray, speed: Scores
) -> SequenceScores:
    curves = metrics.one_pass_curves(run.boxes, sequence.truth)
    if curves is None:
        # only the first box is known (GOT-10k's test split): not where the target is, nor whether
        return SequenceScores({**dict.fromkeys(_SINGLE_KEYS), **speed}, milliseconds)
    overlap = metrics.average_overlap(run.boxes, sequence.truth)
    assert overlap is not None  # as there are curves
    outcome = longterm_metrics.outcome(
        run.boxes, sequence.truth, sequence.visible, run.lost, run.confidence
    )
    scores: Scores = {
        "success_auc": curves.success_auc,
        "precision_20": curves.precision_20,
        "norm_precision": curves.norm_precision_auc,
        **_overlap(overlap),
        **_long_term([outcome]),
        **dataclasses.asdict(longterm_metrics.lost_found(outcome)),
        **speed,
    }
    return SequenceScores(scores, milliseconds, curves, overlap, outcome)


def _score_supervised(
    run: Run, sequence: Sequence, milliseconds: FloatArray, speed: Scores
) -> SequenceScores:
    ious = np.array(
        [
            bounded_overlap(sequence, frame, run.boxes[frame], run.image_size)
            for frame in range(len(sequence))
        ]
    )
    # a frame without truth was tracked, but nothing can be said of it
    phases = np.where(
        np.isnan(ious) & (run.phases == vot_metrics.Phase.TRACKED),
        vot_metrics.Phase.SKIPPED,
        run.phases,
    )
    outcome = vot_metrics.SupervisedOutcome(phases, ious)
    failures = vot_metrics.failures(outcome)
    scores: Scores = {
        "vot_accuracy": vot_metrics.accuracy(outcome),
        "vot_failures": failures,
        "vot_robustness": vot_metrics.robustness(failures, len(sequence)),
        **speed,
    }
    return SequenceScores(scores, milliseconds, supervised=outcome)


def _speed(milliseconds: FloatArray) -> Scores:
    if not milliseconds.size:
        return {"ms_per_frame": None, "ms_p99": None}
    return {
        "ms_per_frame": float(milliseconds.mean()),
        "ms_p99": float(np.percentile(milliseconds, 99)),
    }


def _overlap(overlap: AverageOverlap) -> Scores:
    return {"ao": overlap.ao, "sr_50": overlap.sr_50, "sr_75": overlap.sr_75}


def _long_term(outcomes: list[longterm_metrics.Outcome]) -> Scores:
    score = longterm_metrics.long_term_score(outcomes)
    return {
        "lt_precision": score.precision if score else None,
        "lt_recall": score.recall if score else None,
        "lt_f_score": score.f_score if score else None,
    }


def _mean(key: str, parts: list[SequenceScores]) -> float | int | None:
    values = [part.scores.get(key) for part in parts]
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) if key in COUNTS else float(np.mean(known))


def _recovery(parts: list[SequenceScores]) -> float | None:
    found = [(part.scores["found_again"], part.scores["frames_to_recovery"]) for part in parts]
    weighted = [(count, frames) for count, frames in found if count and frames is not None]
    total = sum(count for count, _ in weighted)
    return sum(count * frames for count, frames in weighted) / total if total else None


def _mean_supervised(parts: list[SequenceScores], eao_range: tuple[int, int] | None) -> Scores:
    runs = [part.supervised for part in parts if part.supervised]
    lengths = [len(run.phases) for run in runs]
    low, high = eao_range or vot_metrics.typical_lengths(lengths)
    curve = vot_metrics.eao_curve(
        [stretch for run in runs for stretch in vot_metrics.stretches(run)]
    )
    failures = [vot_metrics.failures(run) for run in runs]
    accuracies = [vot_metrics.accuracy(run) or 0.0 for run in runs]
    return {
        "vot_accuracy": float(np.average(accuracies, weights=lengths)),
        # the chance to pass 30 frames of the set; the toolkit's is of failures a sequence
        "vot_robustness": vot_metrics.robustness(sum(failures), sum(lengths)),
        "eao": vot_metrics.eao(curve, low, high),
        "eao_low": low,
        "eao_high": high,
    }
