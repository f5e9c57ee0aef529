"""How fast trackers are: ms a frame and where they go, init time and memory.

Every case (tracker, device, image size, threads) runs in a process of its own, so that memory is
its own and no case warms up another; cases take turns, round by round, so that whatever else the
machine does meets all of them and ratios hold. The scene is drawn: a textured target on a textured
background, moving smoothly, the same in every run. Only `init` and `track` are timed.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from visual_tracker.benchmarks.process import age_seconds, gpu_peak_mb, peak_mb, resident_mb
from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.parameters import ParameterError
from visual_tracker.threads import limit_threads
from visual_tracker.timing import CROP, NETWORK, collect_stages
from visual_tracker.trackers import Tracker
from visual_tracker.trackers.asking import track_together

#: side of the target in pixels, whatever the image's size
TARGET_SIDE = 64
#: frames tracked before anything is measured
WARM_UP = 10


@dataclass(frozen=True)
class Case:
    """What to measure; picklable.

    Attributes:
        candidate: the tracker, with its device (a `Candidate` or what offers the same).
        width: of the image in pixels.
        height: of the image in pixels.
        frames: measured in each repetition.
        repeats: repetitions, each with a new init; their spread is reported.
        threads: that the tracker's libraries may use.
        targets: followed at once, each by a tracker of its own; times are of all together.
    """

    candidate: Any
    width: int
    height: int
    frames: int = 100
    repeats: int = 3
    threads: int = 1
    targets: int = 1


@dataclass(frozen=True)
class Speed:
    """What a case took. Times in milliseconds a frame unless named otherwise.

    Attributes:
        tracker: label of the candidate.
        device: that it ran on.
        image: "640x480".
        median_ms: over all frames of all repetitions.
        p99_ms: likewise.
        spread_ms: lowest and highest median of a repetition.
        crop_ms: mean share of cutting out; None where the tracker does not tell.
        network_ms: mean share of the network; None likewise.
        post_ms: mean of what is left; None likewise.
        threads: that the tracker's libraries may use.
        targets: followed at once.
        init_ms: median over the repetitions.
        first_init_ms: from nothing to the first target, with all loading.
        start_s: likewise, and the start of the process before it.
        memory_mb: growth of the process's resident memory from before the tracker was made to the
            most in any frame; None where the system does not tell.
        peak_mb: the most that the whole process has held; None likewise.
        gpu_memory_mb: peak on a CUDA device, None elsewhere.
        error: why there are no figures, None if there are.
    """

    tracker: str
    device: str
    image: str
    threads: int = 1
    targets: int = 1
    median_ms: float | None = None
    p99_ms: float | None = None
    spread_ms: tuple[float, float] | None = None
    crop_ms: float | None = None
    network_ms: float | None = None
    post_ms: float | None = None
    init_ms: float | None = None
    first_init_ms: float | None = None
    start_s: float | None = None
    memory_mb: float | None = None
    peak_mb: float | None = None
    gpu_memory_mb: float | None = None
    error: str | None = None


class Scene:
    """A target that circles over a still background.

    Args:
        width: of the image in pixels.
        height: of the image in pixels.

    Raises:
        ParameterError: if the image is too small for the target.
    """

    def __init__(self, width: int, height: int) -> None:
        self.check(width, height)
        random = np.random.default_rng(0)
        self._background = _texture(random, width, height, contrast=40)
        self._target = _texture(random, TARGET_SIDE, TARGET_SIDE, contrast=110)
        self._size = np.array([width, height])

    @staticmethod
    def check(width: int, height: int) -> None:
        """Raise ParameterError if an image is too small for the target."""
        if min(width, height) < 2 * TARGET_SIDE:
            raise ParameterError(
                f"image size {width}x{height} is too small; both sides need {2 * TARGET_SIDE}"
            )

    def box(self, index: int) -> Box:
        """Where the target is in a frame."""
        angle = 2 * math.pi * index / 240
        middle = (self._size - TARGET_SIDE) / 2
        reach = np.minimum(middle, 3 * TARGET_SIDE)
        x, y = np.round(middle + reach * [math.cos(angle), math.sin(angle)])
        return Box(float(x), float(y), TARGET_SIDE, TARGET_SIDE)

    def boxes(self, count: int) -> list[Box]:
        """The target's first box, and others of its size in a grid over the image."""
        columns = math.ceil(math.sqrt(count))
        width, height = self._size / columns
        corners = [
            ((index % columns + 0.5) * width, (index // columns + 0.5) * height)
            for index in range(1, count)
        ]
        return [
            self.box(0),
            *(Box.from_center(x, y, TARGET_SIDE, TARGET_SIDE) for x, y in corners),
        ]

    def image(self, index: int) -> Image:
        """The image of a frame."""
        image = self._background.copy()
        x, y, width, height = (int(value) for value in self.box(index).xywh)
        image[y : y + height, x : x + width] = self._target
        return image


def measure_all(
    cases: Iterable[Case], finished: Callable[[Speed], None] | None = None, rounds: int = 1
) -> list[Speed]:
    """Measure cases in turns, each time in a fresh process.

    Args:
        cases: what to measure.
        finished: called with what each case took in each round.
        rounds: how often every case has its turn; a case that failed has no further one.
    """
    cases = list(cases)
    measured: list[list[Speed]] = [[] for _ in cases]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for _ in range(rounds):
            for case, speeds in zip(cases, measured, strict=True):
                if speeds and speeds[-1].error:
                    continue
                speeds.append(pool.submit(measure, case).result())
                if finished:
                    finished(speeds[-1])
    return [merged(speeds) for speeds in measured]


def merged(rounds: list[Speed]) -> Speed:
    """Medians over the rounds of a case, and the spread over all of them."""
    last = rounds[-1]
    if last.error or len(rounds) == 1:
        return last
    figures: dict[str, Any] = {}
    for entry in fields(Speed):
        values = [getattr(speed, entry.name) for speed in rounds]
        if isinstance(values[0], float):
            figures[entry.name] = float(np.median(values))
    spreads = [speed.spread_ms for speed in rounds if speed.spread_ms]
    figures["spread_ms"] = (min(low for low, _ in spreads), max(high for _, high in spreads))
    return replace(last, **figures)


def cases_of(
    candidates: Iterable[Any],
    devices: Iterable[str],
    sizes: Iterable[tuple[int, int]],
    threads: Iterable[int] = (1,),
    **settings: int,
) -> list[Case]:
    """Every candidate on every device with every image size and number of threads."""
    return [
        Case(replace(candidate, device=device), width, height, threads=count, **settings)
        for count, (width, height), candidate, device in itertools.product(
            threads, sizes, candidates, devices
        )
    ]


def measure(case: Case) -> Speed:
    """Measure one case in this process; what the tracker raises becomes the error."""
    image = f"{case.width}x{case.height}"
    place = (case.candidate.label, case.candidate.device, image, case.threads, case.targets)
    nothing = Speed(*place)
    try:
        return _measure(case, nothing)
    # a tracker is foreign code: whatever it raises ends its case, not the benchmark
    except Exception as error:
        first_line = (str(error).strip() or "no message").splitlines()[0]
        return replace(nothing, error=f"{type(error).__name__}: {first_line}")


def as_json(speeds: Iterable[Speed]) -> list[dict[str, Any]]:
    """The figures as JSON takes them."""
    return [asdict(speed) for speed in speeds]


def _measure(case: Case, nothing: Speed) -> Speed:
    start = age_seconds()
    scene = Scene(case.width, case.height)
    memory_before = resident_mb()
    trackers, init_seconds = _started(case, scene)
    memory = resident_mb()
    inits, medians, frames, stages = [], [], [], dict.fromkeys((CROP, NETWORK), 0.0)
    for _ in range(case.repeats):
        image, boxes = scene.image(0), scene.boxes(case.targets)
        begin = time.perf_counter()
        _init(trackers, image, boxes)
        inits.append(time.perf_counter() - begin)
        seconds, spent, most = _track(trackers, scene, case.frames)
        memory = max(memory, most)
        frames += seconds
        medians.append(float(np.median(seconds)))
        for stage in stages:
            stages[stage] += spent.get(stage, 0.0)
    milliseconds = np.array(frames) * 1000
    return replace(
        _with_stages(nothing, stages, milliseconds),
        device=trackers[0].device,
        median_ms=float(np.median(milliseconds)),
        p99_ms=float(np.percentile(milliseconds, 99)),
        spread_ms=(min(medians) * 1000, max(medians) * 1000),
        init_ms=float(np.median(inits)) * 1000,
        first_init_ms=init_seconds * 1000,
        start_s=None if math.isnan(start) else start + init_seconds,
        memory_mb=None if math.isnan(memory) else memory - memory_before,
        peak_mb=peak_mb(),
        gpu_memory_mb=gpu_peak_mb(trackers[0].device),
    )


def _started(case: Case, scene: Scene) -> tuple[list[Tracker], float]:
    """Trackers on their targets, and the seconds from nothing to there."""
    image, boxes = scene.image(0), scene.boxes(case.targets)
    begin = time.perf_counter()
    candidate = case.candidate.with_threads(case.threads)
    trackers = [candidate.create() for _ in boxes]
    limit_threads(getattr(trackers[0].parameters, "threads", case.threads))
    _init(trackers, image, boxes)
    return trackers, time.perf_counter() - begin


def _init(trackers: list[Tracker], image: Image, boxes: list[Box]) -> None:
    for tracker, box in zip(trackers, boxes, strict=True):
        tracker.init(image, box)


def _track(
    trackers: list[Tracker], scene: Scene, frames: int
) -> tuple[list[float], dict[str, float], float]:
    """Seconds of each frame after the warm-up, of the stages in all of them, and most memory."""
    seconds, memory = [], []
    for index in range(1, WARM_UP + 1):
        _follow(trackers, scene.image(index))
    with collect_stages() as spent:
        for index in range(WARM_UP + 1, WARM_UP + 1 + frames):
            image = scene.image(index)
            begin = time.perf_counter()
            _follow(trackers, image)
            seconds.append(time.perf_counter() - begin)
            memory.append(resident_mb())
    return seconds, spent, max(memory)


def _follow(trackers: list[Tracker], image: Image) -> None:
    for outcome in track_together(trackers, image):
        if isinstance(outcome, Exception):
            raise outcome


def _with_stages(speed: Speed, stages: dict[str, float], milliseconds: np.ndarray) -> Speed:
    """Fill in the mean milliseconds of each stage; nothing where the tracker marks none."""
    if not any(stages.values()):
        return speed
    crop, network = (stages[stage] * 1000 / len(milliseconds) for stage in (CROP, NETWORK))
    rest = float(milliseconds.mean()) - crop - network
    return replace(speed, crop_ms=crop, network_ms=network, post_ms=rest)


def _texture(random: np.random.Generator, width: int, height: int, contrast: float) -> Image:
    """Smooth coloured noise around mid-grey."""
    noise = cv2.GaussianBlur(random.standard_normal((height, width, 3)), (0, 0), 3)
    scaled = 128 + contrast * noise / noise.std()
    return np.clip(scaled, 0, 255).astype(np.uint8)
