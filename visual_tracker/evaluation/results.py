"""results.json: everything an evaluation found, and how it was found."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visual_tracker import __version__
from visual_tracker.evaluation import metrics
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.runner import JobResult
from visual_tracker.evaluation.scores import Scores, SequenceScores, mean_scores, score_run
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.store import Store
from visual_tracker.machine import describe_machine

RESULTS_FILE = "results.json"


@dataclass
class TrackerResults:
    """The figures of one candidate.

    Attributes:
        candidate: what was run.
        mean: over the sequences that went through.
        sequences: figures by sequence.
        errors: what was raised, by sequence.
        curves: mean OTB plots, None of a supervised run.
    """

    candidate: Candidate
    mean: Scores = field(default_factory=dict)
    sequences: dict[str, SequenceScores] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    curves: metrics.Curves | None = None


def collect(
    candidates: Iterable[Candidate],
    sequences: list[Sequence],
    store: Store,
    job_results: Iterable[JobResult] = (),
    eao_range: tuple[int, int] | None = None,
) -> dict[str, TrackerResults]:
    """Compute the figures of every run in a store, by label.

    Args:
        candidates: whose runs.
        sequences: on which.
        store: where they lie.
        job_results: those that failed here have no run to read.
        eao_range: see `mean_scores`.

    Raises:
        DatasetError: if a run is missing or damaged.
    """
    errors = {(job.label, job.sequence): job.error for job in job_results if job.error}
    results = {}
    for candidate in candidates:
        entry = TrackerResults(candidate)
        for sequence in sequences:
            error = errors.get((candidate.label, sequence.name))
            if error:
                entry.errors[sequence.name] = error
            else:
                run = store.load(candidate.label, sequence.name)
                entry.sequences[sequence.name] = score_run(run, sequence)
        entry.mean = mean_scores(entry.sequences, eao_range)
        entry.curves = metrics.mean_curves(
            [part.curves for part in entry.sequences.values() if part.curves]
        )
        results[candidate.label] = entry
    return results


def as_json(
    results: dict[str, TrackerResults],
    dataset: dict[str, Any],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """The content of results.json.

    Args:
        results: by label.
        dataset: what was evaluated on.
        settings: how.
    """
    return {
        "version": __version__,
        # the day on which every record was made, or found to be of this code, weights and libraries
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "machine": describe_machine(),
        "dataset": dataset,
        "settings": settings,
        "trackers": {label: _tracker_json(entry) for label, entry in results.items()},
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, readable for people too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def _tracker_json(entry: TrackerResults) -> dict[str, Any]:
    content: dict[str, Any] = {
        **entry.candidate.describe(),
        "mean": entry.mean,
        "sequences": {name: part.scores for name, part in entry.sequences.items()},
        "errors": entry.errors,
    }
    if entry.curves:
        content["curves"] = {
            "success": entry.curves.success.tolist(),
            "precision": entry.curves.precision.tolist(),
            "norm_precision": entry.curves.norm_precision.tolist(),
        }
    return content
