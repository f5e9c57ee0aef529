"""Running candidates over sequences: in parallel, resumable, one failure not stopping the rest.

What a sequence gives does not depend on which process runs it, nor on what it ran before. OpenCV's
MIL is the exception: it draws from a generator of the whole process that nothing can reset.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from visual_tracker.evaluation import provenance
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.pacing import EveryFrame, RealTime
from visual_tracker.evaluation.passes import Run, single_pass, supervised_pass
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.store import Fingerprint, Store
from visual_tracker.extras import require
from visual_tracker.machine import describe_machine
from visual_tracker.parameters import ParameterError
from visual_tracker.threads import limit_threads

#: every sequence starts with these random numbers, whichever process runs it
SEED = 0


@dataclass(frozen=True)
class RunOptions:
    """How sequences are run.

    Attributes:
        realtime_fps: frames that arrive a second; None to wait for the tracker.
        supervised: VOT's supervised run instead of a single pass.
        threads: threads that OpenCV and PyTorch may use.
        jobs: sequences run at the same time, which slow each other down.
        conditions: what was made of the sequences (spliced, seed, ..); part of the fingerprint.
    """

    realtime_fps: float | None = None
    supervised: bool = False
    threads: int = 1
    jobs: int = 1
    conditions: tuple[tuple[str, object], ...] = ()

    def fingerprint(self, candidate: Candidate) -> Fingerprint:
        """All that a run's outcome depends on, its times too, beside the sequence."""
        return {
            "code": provenance.code_digest(),
            "libraries": provenance.library_versions(),
            "machine": describe_machine(),
            "candidate": candidate.describe(),
            "realtime_fps": self.realtime_fps,
            "supervised": self.supervised,
            "threads": self.threads,
            "jobs": self.jobs,
            "conditions": [list(condition) for condition in self.conditions],
        }


@dataclass(frozen=True)
class Job:
    """One candidate on one sequence; picklable.

    Attributes:
        fingerprint: all that the outcome depends on, as it was before the run.
    """

    candidate: Candidate
    sequence: Sequence
    options: RunOptions
    store: Store
    fingerprint: Fingerprint

    @property
    def is_done(self) -> bool:
        """Whether an earlier evaluation ran exactly this."""
        return self.store.is_done(self.candidate.label, self.sequence.name, self.fingerprint)


@dataclass(frozen=True)
class JobResult:
    """How a job ended.

    Attributes:
        label: of the candidate.
        sequence: name.
        error: one line on what the tracker raised, None if it went through.
    """

    label: str
    sequence: str
    error: str | None


def plan(
    candidates: Iterable[Candidate], sequences: list[Sequence], options: RunOptions, store: Store
) -> list[Job]:
    """Every candidate on every sequence, the longest sequences first within a candidate.

    Long ones first, so that no worker is left alone with one at the end.
    """
    ordered = sorted(sequences, key=len, reverse=True)
    digests = [{"sequence": provenance.sequence_digest(sequence)} for sequence in ordered]
    fingerprints = ((candidate, options.fingerprint(candidate)) for candidate in candidates)
    return [
        Job(candidate, sequence, options, store, {**fingerprint, **digest})
        for candidate, fingerprint in fingerprints
        for sequence, digest in zip(ordered, digests, strict=True)
    ]


def run_jobs(
    jobs: list[Job],
    workers: int = 1,
    backend: str | None = None,
    finished: Callable[[JobResult], None] | None = None,
) -> list[JobResult]:
    """Run jobs, in parallel processes if asked; what a job gives does not depend on `workers`.

    Args:
        jobs: those still to run.
        workers: processes; 1 runs in this one, without joblib.
        backend: joblib's ("loky", "dask", ..); None for joblib's own choice.
        finished: called here after each job.

    Raises:
        MissingExtraError: if joblib is needed and not installed.
    """
    results = []
    for result in _results(jobs, workers, backend):
        if finished:
            finished(result)
        results.append(result)
    return results


def check_backend(workers: int, backend: str | None) -> None:
    """Find out, before anything is run, whether joblib can run jobs so.

    Raises:
        MissingExtraError: if joblib is needed and not installed.
        ParameterError: if it has no such backend, or the backend cannot be used here.
    """
    if workers == 1 and backend is None:
        return
    joblib = require("joblib")
    try:
        with _joblib_context(joblib, backend):
            _parallel(joblib, workers)
    except (ImportError, ValueError) as error:
        asked = f"--backend {backend}" if backend else f"--jobs {workers}"
        raise ParameterError(
            f"{asked} cannot be used with joblib {joblib.__version__}: {error}"
        ) from None


def run_job(job: Job) -> JobResult:
    """Run one job and store the outcome; whatever the tracker raises becomes the result's error.

    Raises:
        OSError: if the outcome cannot be written.
    """
    label, name = job.candidate.label, job.sequence.name
    try:
        run = _run(job)
    # a tracker is foreign code: whatever it raises ends its sequence, not the evaluation
    except Exception as error:
        first_line = (str(error).strip() or "no message").splitlines()[0]
        return JobResult(label, name, f"{type(error).__name__}: {first_line}")
    job.store.save(label, name, run, job.fingerprint)
    return JobResult(label, name, None)


def _results(jobs: list[Job], workers: int, backend: str | None) -> Iterator[JobResult]:
    if workers == 1 and backend is None:
        yield from map(run_job, jobs)
        return
    joblib = require("joblib")
    with _joblib_context(joblib, backend):
        yield from _parallel(joblib, workers)(joblib.delayed(run_job)(job) for job in jobs)


def _joblib_context(joblib: Any, backend: str | None) -> AbstractContextManager[Any]:
    context: AbstractContextManager[Any] = (
        joblib.parallel_config(backend=backend) if backend else nullcontext()
    )
    return context


def _parallel(joblib: Any, workers: int) -> Any:
    return joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)


def _run(job: Job) -> Run:
    # made first: a tracker may import PyTorch, whose random numbers are set then
    tracker = job.candidate.with_threads(job.options.threads).create()
    _seed()
    limit_threads(getattr(tracker.parameters, "threads", job.options.threads))
    fps = job.options.realtime_fps
    run_pass = supervised_pass if job.options.supervised else single_pass
    return run_pass(tracker, job.sequence, EveryFrame() if fps is None else RealTime(fps))


def _seed() -> None:
    """Make a sequence's outcome independent of what this process did before."""
    random.seed(SEED)
    np.random.seed(SEED)
    cv2.setRNGSeed(SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(SEED)
