"""`visual-tracker benchmark soak`: does the node stay as it is over hours of use?

A camera runs all the time while targets are started, lost, started again and removed at random (by
seed); memory, file descriptors, latency and frames lost are noted each second.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visual_tracker.benchmarks.speed import TARGET_SIDE
from visual_tracker.boxes import Box
from visual_tracker.ros.benchmarks.clip import write_clip
from visual_tracker.ros.benchmarks.load_client import TRACKER_NODE, LoadClient
from visual_tracker.ros.benchmarks.stream import node_on_stream
from visual_tracker.ros.processes import NodeProcess, use_local_dds

#: share of the run and seconds, at its start, left out of growth and drift: the image buffer fills
SETTLING_SHARE = 0.25
SETTLING_SECONDS = 20.0
#: targets at once
MAX_TARGETS = 4


@dataclass(frozen=True)
class SoakCase:
    """What to run: tracker, image size, rate, threads, minutes, seed of the random requests."""

    tracker: str
    width: int
    height: int
    rate: float
    threads: int
    minutes: float
    seed: int


@dataclass(frozen=True)
class Sample:
    """One second of the run.

    Attributes:
        seconds: since the start.
        memory_mb: resident memory of the node.
        open_files: file descriptors of the node.
        latency_ms: median in that second, None if nothing was tracked.
        received: images since the start.
        skipped: of them.
        targets: that the node reports.
    """

    seconds: float
    memory_mb: float
    open_files: int
    latency_ms: float | None
    received: int
    skipped: int
    targets: int


def run(case: SoakCase, tell: Callable[[Sample], None]) -> dict[str, Any]:
    """Run to the end.

    Returns:
        "summary" (see `summarize`), "requests" (how many of each kind) and "samples".

    Raises:
        ProcessError: if a process ends early or the node stops answering.
    """
    use_local_dds()
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder), case.width, case.height)
        with node_on_stream(
            Path(folder), case.tracker, case.rate, MAX_TARGETS, threads=case.threads
        ) as (client, node):
            client.wait_for(lambda: client.newest, "the first detections")
            samples, requests = _soak(case, client, node, tell)
    return {
        "summary": summarize(samples),
        "requests": requests,
        "samples": [asdict(sample) for sample in samples],
    }


def summarize(samples: list[Sample]) -> dict[str, float]:
    """Growth and drift after settling: slopes of straight lines through the samples.

    Returns:
        memory_mb_per_hour, open_files_growth (last less first), latency_ms_per_hour,
        skipped_share and memory_mb_most.
    """
    start = max(SETTLING_SECONDS, SETTLING_SHARE * samples[-1].seconds)
    # a run too short to settle has its last sample left, and no slope
    settled = [sample for sample in samples if sample.seconds >= start] or samples[-1:]
    hours = [sample.seconds / 3600 for sample in settled]
    timed = [s for s in settled if s.latency_ms is not None]
    return {
        "memory_mb_per_hour": _slope(hours, [s.memory_mb for s in settled]),
        "open_files_growth": float(settled[-1].open_files - settled[0].open_files),
        "latency_ms_per_hour": _slope(
            [s.seconds / 3600 for s in timed], [s.latency_ms or 0.0 for s in timed]
        ),
        "skipped_share": settled[-1].skipped / max(1, settled[-1].received),
        "memory_mb_most": max(s.memory_mb for s in samples),
    }


def _soak(
    case: SoakCase, client: LoadClient, node: NodeProcess, tell: Callable[[Sample], None]
) -> tuple[list[Sample], dict[str, int]]:
    generator = random.Random(case.seed)
    samples: list[Sample] = []
    requests = {"init": 0, "refused": 0, "remove": 0, "clear": 0}
    begin = time.monotonic()
    # two at least, or there is no growth to tell of
    while (seconds := time.monotonic() - begin) < 60 * case.minutes or len(samples) < 2:
        client.latencies.clear()
        _request(case, client, generator, requests)
        report = client.next_report(TRACKER_NODE)
        sample = Sample(
            seconds=seconds,
            memory_mb=node.resident_mb(),
            open_files=node.open_files(),
            latency_ms=float(np.median(client.latencies)) if client.latencies else None,
            received=int(report["frames_received"]),
            skipped=int(report["frames_skipped"]),
            targets=int(report["targets"]),
        )
        samples.append(sample)
        tell(sample)
    return samples, requests


def _request(
    case: SoakCase, client: LoadClient, generator: random.Random, requests: dict[str, int]
) -> None:
    """One request of a random kind; most boxes lie on nothing that can be held, and are lost."""
    kind = generator.choices(("init", "remove", "clear"), weights=(6, 2, 1))[0]
    target_id = f"soak_{generator.randrange(2 * MAX_TARGETS)}"
    requests[kind] += 1
    if kind == "clear":
        client.clear_targets()
    elif kind == "remove":
        client.remove_target(target_id)
    else:
        x = generator.uniform(-TARGET_SIDE / 2, case.width - TARGET_SIDE / 2)
        y = generator.uniform(-TARGET_SIDE / 2, case.height - TARGET_SIDE / 2)
        box = Box(x, y, generator.uniform(2, 3 * TARGET_SIDE), TARGET_SIDE)
        assert client.newest is not None
        answer = client.init_target(box, client.newest, target_id)
        requests["refused"] += not answer.success


def _slope(x: list[float], y: list[float]) -> float:
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else float("nan")
