"""One evaluation from its settings to results.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from visual_tracker.evaluation import longterm_cases, occlusions, perturbations, report, results
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.datasets import detect_format, matching, read_dataset
from visual_tracker.evaluation.moved_starts import move_starts
from visual_tracker.evaluation.runner import JobResult, RunOptions, check_backend, plan, run_jobs
from visual_tracker.evaluation.scores import Scores
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.store import Store
from visual_tracker.outputs import check_writable
from visual_tracker.parameters import ParameterError

#: told (jobs finished, jobs in all, the last one's result or None)
Watch = Callable[[int, int, JobResult | None], None]


#: first boxes that are farther off show another target
_MOST_START_NOISE = 0.3


@dataclass(frozen=True)
class Settings:
    """What to evaluate, on what and how.

    Attributes:
        candidates: trackers, at least one, labels unique.
        dataset: folder.
        dataset_format: key of `datasets.FORMATS` or "auto".
        only: names or patterns of the sequences wanted; empty for all.
        output: folder of results and records.
        fresh: run finished sequences again.
        jobs: sequences run in parallel, >= 1.
        backend: joblib's; None for its own choice.
        options: how sequences are run.
        eao_range: see `scores.mean_scores`; of supervised runs only.
        splice: cut a stretch of another sequence into each.
        virtual_camera: look at each sequence through a wandering camera.
        occlude: cover each target for a while.
        start_noise: by which share of their sides the first boxes are off; 0 for the true ones.
        perturbations: kinds whose strengths are run too, keys of `perturbations.KINDS`.
        seed: of spliced, viewed, covered and perturbed sequences, and of moved first boxes.
        report: write report.html and its pictures too.

    Raises:
        ParameterError: if settings exclude each other or are out of range.
    """

    candidates: tuple[Candidate, ...]
    dataset: Path
    dataset_format: str = "auto"
    only: tuple[str, ...] = ()
    output: Path = Path("evaluation_output")
    fresh: bool = False
    jobs: int = 1
    backend: str | None = None
    options: RunOptions = field(default_factory=RunOptions)
    eao_range: tuple[int, int] | None = None
    splice: bool = False
    virtual_camera: bool = False
    occlude: bool = False
    start_noise: float = 0.0
    perturbations: tuple[str, ...] = ()
    seed: int = 0
    report: bool = True

    @property
    def case_seed(self) -> int | None:
        """Seed of what is made of the sequences before they are run, None if nothing is."""
        made = self.splice or self.virtual_camera or self.occlude or self.start_noise
        return self.seed if made else None

    def __post_init__(self) -> None:
        """Refuse what cannot be run, before anything is."""
        labels = [candidate.label for candidate in self.candidates]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ParameterError(
                f"two trackers are labelled {twice[0]}; write --tracker LABEL=NAME"
            )
        if not labels:
            raise ParameterError("no tracker to evaluate can run here; name one with --tracker")
        if self.jobs < 1 or self.options.threads < 1:
            raise ParameterError("--jobs and --threads must be 1 or more")
        if self.splice + self.virtual_camera + self.occlude > 1:
            raise ParameterError("--splice, --virtual-camera and --occlude exclude each other")
        if not 0 <= self.start_noise <= _MOST_START_NOISE:
            raise ParameterError(
                f"--start-noise is {self.start_noise:g}; it must be 0 to {_MOST_START_NOISE:g}"
            )
        fps = self.options.realtime_fps
        if fps is not None and not fps > 0:
            raise ParameterError(f"--realtime is {fps:g}; it must be greater than zero")
        if fps is not None and self.jobs > 1:
            raise ParameterError("--realtime needs --jobs 1: parallel runs slow each other down")
        self._check_eao_range()

    def _check_eao_range(self) -> None:
        if self.eao_range is None:
            return
        low, high = self.eao_range
        if not self.options.supervised:
            raise ParameterError("--eao-range is of supervised runs; add --supervised")
        if not 1 <= low <= high:
            raise ParameterError(
                f"--eao-range is {low} {high}; write the shorter length first, 1 or more"
            )


def evaluate(settings: Settings, watch: Watch | None = None) -> dict[str, Any]:
    """Run what is not yet done, compute every figure, write results.json and the report.

    Args:
        settings: what and how.
        watch: told about progress.

    Returns:
        The content of results.json.

    Raises:
        SourceError: if the dataset cannot be read, or the output not be written.
        MissingExtraError: if joblib, or a library of the report, is needed and not installed.
        ParameterError: if joblib cannot use the backend.
    """
    if settings.report:
        report.check_libraries()
    check_backend(settings.jobs, settings.backend)
    sequences = load_sequences(settings)
    check_writable(settings.output)
    if settings.start_noise:
        sequences = move_starts(sequences, settings.start_noise, settings.seed)
    store = Store(settings.output)
    failed = run_missing(settings, sequences, store, watch)
    entries = results.collect(settings.candidates, sequences, store, failed, settings.eao_range)
    content = results.as_json(entries, _describe_dataset(settings, sequences), _describe(settings))
    if settings.perturbations:
        content["perturbations"] = {
            kind: _perturbation_curve(settings, kind, sequences, entries, watch)
            for kind in settings.perturbations
        }
    results.write(settings.output / results.RESULTS_FILE, content)
    if settings.report:
        report.write_report(content, settings.candidates, sequences, store)
    return content


def load_sequences(settings: Settings) -> list[Sequence]:
    """Read the dataset, and make long-term cases of it if they are asked for.

    Raises:
        SourceError: if the dataset cannot be read.
    """
    if settings.splice or settings.occlude:
        # what is cut in may come from any sequence, also from one that is not wanted itself
        everything = read_dataset(settings.dataset, settings.dataset_format)
        make = longterm_cases.splice if settings.splice else occlusions.occlude
        cases = make(everything, settings.seed)
        if not settings.only:
            return cases
        case_of = {one.name: case for one, case in zip(everything, cases, strict=True)}
        return [case_of[one.name] for one in matching(everything, settings.only)]
    sequences = read_dataset(settings.dataset, settings.dataset_format, settings.only)
    if settings.virtual_camera:
        return longterm_cases.virtual_camera(sequences, settings.seed)
    return sequences


def _perturbation_curve(
    settings: Settings,
    kind: str,
    sequences: list[Sequence],
    unperturbed: dict[str, results.TrackerResults],
    watch: Watch | None,
) -> dict[str, Any]:
    """Run every strength of a kind; mean figures and errors by label, the neutral one first."""
    perturbation = perturbations.KINDS[kind]
    by_strength = [unperturbed]
    for strength in perturbation.strengths:
        changed = [
            perturbations.perturb(sequence, kind, strength, settings.seed) for sequence in sequences
        ]
        options = replace(
            settings.options,
            conditions=(*settings.options.conditions, (kind, strength), ("seed", settings.seed)),
        )
        store = Store(settings.output / "perturbations" / f"{kind}-{strength:g}")
        failed = run_missing(replace(settings, options=options), changed, store, watch)
        by_strength.append(
            results.collect(settings.candidates, changed, store, failed, settings.eao_range)
        )
    return {
        "unit": perturbation.unit,
        "strengths": [perturbation.neutral, *perturbation.strengths],
        "trackers": {
            label: [_whole_mean(entries[label]) for entries in by_strength] for label in unperturbed
        },
        "errors": {
            label: [entries[label].errors for entries in by_strength] for label in unperturbed
        },
    }


def _whole_mean(entry: results.TrackerResults) -> Scores:
    """The mean figures, None where a sequence failed.

    Strong perturbations fail on the hardest sequences: the mean over the rest would rise with them.
    """
    return dict.fromkeys(entry.mean) if entry.errors else entry.mean


def run_missing(
    settings: Settings, sequences: list[Sequence], store: Store, watch: Watch | None = None
) -> list[JobResult]:
    """Run the jobs that no earlier evaluation did; returns how they ended."""
    options = replace(settings.options, jobs=settings.jobs)
    if settings.case_seed is not None:
        seed = ("case seed", settings.case_seed)
        options = replace(options, conditions=(*options.conditions, seed))
    if settings.start_noise:
        noise = ("start noise", settings.start_noise)
        options = replace(options, conditions=(*options.conditions, noise))
    jobs = plan(settings.candidates, sequences, options, store)
    waiting = [job for job in jobs if settings.fresh or not job.is_done]
    done = len(jobs) - len(waiting)
    if watch:
        watch(done, len(jobs), None)

    def finished(result: JobResult) -> None:
        nonlocal done
        done += 1
        if watch:
            watch(done, len(jobs), result)

    return run_jobs(waiting, settings.jobs, settings.backend, finished)


def _describe_dataset(settings: Settings, sequences: list[Sequence]) -> dict[str, Any]:
    dataset_format = settings.dataset_format
    if dataset_format == "auto":
        dataset_format = detect_format(settings.dataset.expanduser())
    return {
        "name": settings.dataset.resolve().name,
        "format": dataset_format,
        "sequences": {sequence.name: len(sequence) for sequence in sequences},
    }


def _describe(settings: Settings) -> dict[str, Any]:
    options = settings.options
    return {
        "realtime_fps": options.realtime_fps,
        "supervised": options.supervised,
        "threads": options.threads,
        "jobs": settings.jobs,
        "splice": settings.splice,
        "virtual_camera": settings.virtual_camera,
        "occlude": settings.occlude,
        "start_noise": settings.start_noise or None,
        "seed": settings.case_seed,
    }
