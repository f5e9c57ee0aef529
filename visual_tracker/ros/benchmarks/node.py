"""`visual-tracker benchmark node`: what the node delivers, how late, at what cost.

Camera, node and client run as processes over DDS, as on a robot. Two figures tell what is beside
tracking: what remains of the latency after the bare tracker's own time on the same images, measured
in this process; and the stages of every image, which tell the node's own part from what camera,
transport and client take.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visual_tracker.benchmarks import speed
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.ros.benchmarks import stages
from visual_tracker.ros.benchmarks.clip import write_clip
from visual_tracker.ros.benchmarks.load_client import PUBLISHER_NODE, TRACKER_NODE, LoadClient
from visual_tracker.ros.benchmarks.stream import node_on_stream
from visual_tracker.ros.node_parameters import NodeParameters
from visual_tracker.ros.processes import NodeProcess, ProcessError, use_local_dds

#: seconds that the stream runs before anything is measured: until the node's buffer of images is
#: full, every image takes memory that the kernel has to clear first
WARM_UP = NodeParameters().buffer_seconds + 1.0


@dataclass(frozen=True)
class NodeCase:
    """What to measure.

    Attributes:
        tracker: name.
        width: of the image in pixels.
        height: of the image in pixels.
        rate: images a second.
        transport: raw or compressed.
        targets: followed at once.
        threads: that the tracker may use.
        seconds: measured in each repetition.
        repeats: repetitions, with fresh processes each; their spread is reported.
    """

    tracker: str
    width: int
    height: int
    rate: float
    transport: str
    targets: int
    threads: int
    seconds: float
    repeats: int


@dataclass(frozen=True)
class NodeLoad:
    """What a case took, medians over its repetitions unless named otherwise.

    Attributes:
        tracker: name.
        image: "640x480".
        rate: images a second asked for.
        transport: raw or compressed.
        targets: followed at once.
        threads: that the tracker may use.
        published_hz: images a second that the camera really published.
        delivered: share of them that reached the node.
        replaced: share of them that a newer one replaced in the node's queue of one, unseen.
        skipped: share of those delivered that a newer one replaced.
        latency_ms: median from an image's stamp to the arrival of its detections.
        latency_spread_ms: lowest and highest median of a repetition.
        latency_p99_ms: over all repetitions.
        tracker_ms: median of the bare tracker for all targets.
        node_ms: latency_ms less tracker_ms.
        stages: median and 99th percentile, in milliseconds, of every stage and sum of
            `stages.STAGES` and `stages.SUMS`, over all repetitions.
        cpu_percent: of one core, by the node's process.
        memory_mb: resident memory of the node's process at the end.
        error: why there are no figures, None if there are.
    """

    tracker: str
    image: str
    rate: float
    transport: str
    targets: int
    threads: int
    published_hz: float | None = None
    delivered: float | None = None
    replaced: float | None = None
    skipped: float | None = None
    latency_ms: float | None = None
    latency_spread_ms: tuple[float, float] | None = None
    latency_p99_ms: float | None = None
    tracker_ms: float | None = None
    node_ms: float | None = None
    stages: dict[str, tuple[float, float]] | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Repetition:
    published_hz: float
    delivered: float
    replaced: float
    skipped: float
    latencies: list[float]
    stages_ms: list[dict[str, float]]
    cpu_percent: float
    memory_mb: float


def measure_all(
    cases: Iterable[NodeCase], finished: Callable[[NodeLoad], None] | None = None
) -> list[NodeLoad]:
    """Measure cases one after another; one that fails is reported and the rest go on."""
    use_local_dds()
    bare: dict[tuple[str, int, int, int], float] = {}
    loads = []
    for case in cases:
        key = (case.tracker, case.width, case.height, case.threads)
        if key not in bare:
            bare[key] = _bare_tracker_ms(case)
        load = _measure(case, bare[key])
        loads.append(load)
        if finished:
            finished(load)
    return loads


def as_json(loads: Iterable[NodeLoad]) -> list[dict[str, Any]]:
    """The figures as JSON takes them."""
    return [asdict(load) for load in loads]


def _bare_tracker_ms(case: NodeCase) -> float:
    """Median milliseconds a frame of one target, with no node around it."""
    candidate = Candidate(case.tracker, case.tracker)
    bare = speed.Case(
        candidate, case.width, case.height, frames=60, repeats=1, threads=case.threads
    )
    (measured,) = speed.measure_all([bare])
    return measured.median_ms if measured.median_ms is not None else float("nan")


def _measure(case: NodeCase, bare_ms: float) -> NodeLoad:
    image = f"{case.width}x{case.height}"
    place = (case.tracker, image, case.rate, case.transport, case.targets, case.threads)
    try:
        with tempfile.TemporaryDirectory() as folder:
            scene = write_clip(Path(folder), case.width, case.height)
            runs = [_repeat(case, Path(folder), scene) for _ in range(case.repeats)]
    except ProcessError as error:
        return NodeLoad(*place, error=str(error))
    medians = [float(np.median(run.latencies)) for run in runs]
    latencies = np.concatenate([run.latencies for run in runs])
    latency = float(np.median(medians))
    tracker_ms = bare_ms * case.targets
    return NodeLoad(
        *place,
        published_hz=_median(run.published_hz for run in runs),
        delivered=_median(run.delivered for run in runs),
        replaced=_median(run.replaced for run in runs),
        skipped=_median(run.skipped for run in runs),
        latency_ms=latency,
        latency_spread_ms=(min(medians), max(medians)),
        latency_p99_ms=float(np.percentile(latencies, 99)),
        tracker_ms=tracker_ms,
        node_ms=latency - tracker_ms,
        stages=stages.summarize(image for run in runs for image in run.stages_ms),
        cpu_percent=_median(run.cpu_percent for run in runs),
        memory_mb=_median(run.memory_mb for run in runs),
    )


def _repeat(case: NodeCase, clip: Path, scene: speed.Scene) -> _Repetition:
    """One run of the three processes."""
    with node_on_stream(
        clip, case.tracker, case.rate, case.targets, case.transport, case.threads, timed=True
    ) as (client, node):
        _start_targets(case, client, scene)
        return _observe(case, client, node)


def _start_targets(case: NodeCase, client: LoadClient, scene: speed.Scene) -> None:
    stamp = client.wait_for(lambda: client.newest, "the first detections")
    for box in scene.boxes(case.targets):
        answer = client.init_target(box, stamp)
        if not answer.success:
            raise ProcessError(f"init_target {answer.message}")


def _observe(case: NodeCase, client: LoadClient, node: NodeProcess) -> _Repetition:
    """Latencies and load after the warm-up; counts over the whole stream, which is exact."""
    client.spin_for(WARM_UP)
    client.latencies.clear()
    client.stages.clear()
    cpu, begin = node.cpu_seconds(), time.monotonic()
    client.spin_for(case.seconds)
    cpu, elapsed = node.cpu_seconds() - cpu, time.monotonic() - begin
    latencies, stages_ms = list(client.latencies), client.stages.stages_ms()
    # what is counted must stand still
    client.hold.set(True)
    client.reports.pop(PUBLISHER_NODE, None)
    client.wait_for(
        lambda: client.reports.get(PUBLISHER_NODE, {}).get("state") == "held", "the camera's count"
    )
    camera, report = client.reports[PUBLISHER_NODE], client.next_report(TRACKER_NODE)
    if not latencies:
        raise ProcessError("no image was tracked in the time measured")
    received, published = int(report["frames_received"]), int(camera["frames_published"])
    return _Repetition(
        published_hz=float(camera["rate_hz"]),
        delivered=received / published,
        # there is one publisher, so it is known where the middleware numbers messages
        replaced=float(report["frames_replaced_unseen"].replace("unknown", "nan")) / published,
        skipped=int(report["frames_skipped"]) / max(1, received),
        latencies=latencies,
        stages_ms=stages_ms,
        cpu_percent=100 * cpu / elapsed,
        memory_mb=node.resident_mb(),
    )


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))
