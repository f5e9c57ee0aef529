"""Stand-ins that the library's tests share: pictures, frames, a tracker that does as it is told."""

from __future__ import annotations

import errno
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from visual_tracker.boxes import Box
from visual_tracker.frames import Frame
from visual_tracker.images import Image, ImageError
from visual_tracker.parameters import Parameters, Value, parameter
from visual_tracker.session import FrameResult, SessionSettings, TrackingSession
from visual_tracker.trackers import Track, Tracker, TrackState

#: seconds until a wait that should have ended long ago fails the test
PATIENCE = 20.0

MILLISECOND = 1_000_000


def picture(number: int, width: int = 64, height: int = 48) -> Image:
    """An image that carries a number, which `number_of` reads back."""
    image = np.zeros((height, width, 3), np.uint8)
    image[...] = (number % 256, number // 256, 7)
    return image


def number_of(image: Image) -> int:
    return int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])


def forbid(monkeypatch: pytest.MonkeyPatch, path: Path, *calls: str) -> None:
    """Let these methods of a path fail as where one may not read it; root, too, then."""
    for name in calls:
        monkeypatch.setattr(Path, name, _refusing(path, getattr(Path, name)))


def _refusing(path: Path, call: Callable) -> Callable:
    def refuse(asked: Path, *args: object, **options: object) -> object:
        if asked == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(asked))
        return call(asked, *args, **options)

    return refuse


class Gate:
    """A point in the code where a thread can be held until the test lets it through."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._shut = False
        self._permits = 0
        self._arrivals = 0

    def shut(self) -> None:
        with self._condition:
            self._shut, self._permits, self._arrivals = True, 0, 0

    def open(self) -> None:
        with self._condition:
            self._shut = False
            self._condition.notify_all()

    def let_one_through(self) -> None:
        with self._condition:
            self._permits += 1
            self._condition.notify_all()

    def wait_for_arrivals(self, count: int) -> None:
        """Return once so many have arrived since the gate was shut."""
        with self._condition:
            came = self._condition.wait_for(lambda: self._arrivals >= count, PATIENCE)
        assert came, f"{self._arrivals} of {count} arrived at the gate"

    def passed(self) -> None:
        """Called by the code under test."""
        with self._condition:
            self._arrivals += 1
            self._condition.notify_all()
            through = self._condition.wait_for(lambda: not self._shut or self._permits > 0, 60)
            assert through, "nobody opened the gate"
            self._permits -= self._shut


class FakeFrame(Frame):
    """A numbered frame; it counts how often it is decoded and can be bad in several ways."""

    def __init__(self, number: int, stamp: int | None = None, size_bytes: int = 100) -> None:
        self.number = number
        # none has the stamp 0, which means that there is none
        self.stamp = (number + 1) * 100 * MILLISECOND if stamp is None else stamp
        self.size_bytes = size_bytes
        self.times_decoded = 0
        self.size = (64, 48)
        self.fails_check: Exception | None = None
        self.fails_decode: Exception | None = None
        self.gate: Gate | None = None

    def check(self) -> None:
        if self.gate:
            self.gate.passed()
        if self.fails_check:
            raise self.fails_check

    def decode(self) -> Image:
        self.times_decoded += 1
        if self.fails_decode:
            raise self.fails_decode
        return picture(self.number, *self.size)


def bad_frame(number: int, problem: str = "torn to pieces") -> FakeFrame:
    frame = FakeFrame(number)
    frame.fails_decode = ImageError(problem)
    return frame


@dataclass(frozen=True)
class FakeParameters(Parameters):
    gain: float = parameter(0.5, "Does nothing.", minimum=0.0, maximum=1.0)


@dataclass
class Fleet:
    """Makes fake trackers, tells them what to do and knows what they did."""

    lost_on: set[int] = field(default_factory=set)
    fails_on: set[int] = field(default_factory=set)
    gate: Gate = field(default_factory=Gate)
    made: list[FakeTracker] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def note_thread(self, _: object = None) -> bool:
        """Remember which thread calls this; False, so that it can also be asked something."""
        self.threads.add(threading.get_ident())
        return False

    def new_tracker(self) -> FakeTracker:
        self.made.append(FakeTracker(self))
        return self.made[-1]

    def started_on(self, number: int) -> FakeTracker:
        """The tracker whose latest init was on the image of that number."""
        (tracker,) = [tracker for tracker in self.made if tracker.started == number]
        return tracker


class FakeTracker(Tracker):
    """Moves its box by a pixel a frame. Not registered: only classes with a `name` are."""

    summary = "does as it is told"
    parameters_class = FakeParameters

    def __init__(self, fleet: Fleet) -> None:
        self.name = "fake"  # type: ignore[misc]
        super().__init__()
        self._fleet = fleet
        self._condition = threading.Condition()
        self.started: int | None = None
        self.seen: list[int] = []

    def set_parameters(self, changes: Mapping[str, Value]) -> None:
        self._fleet.note_thread()
        super().set_parameters(changes)

    def _init(self, image: Image, box: Box) -> None:
        self._fleet.note_thread()
        if number_of(image) in self._fleet.fails_on:
            raise RuntimeError("cannot start")
        self.started, self.seen = number_of(image), []

    def _track(self, image: Image, last: Track) -> Track:
        number = number_of(image)
        self._fleet.note_thread()
        self._fleet.gate.passed()
        with self._condition:
            self.seen.append(number)
            self._condition.notify_all()
        if number in self._fleet.fails_on:
            raise RuntimeError("out of luck")
        if number in self._fleet.lost_on:
            return Track(last.box, 0.1, TrackState.LOST)
        x, y, width, height = last.box.xywh
        return Track(Box(x + 1, y, width, height), 0.9, TrackState.TRACKING)

    def wait_until_seen(self, number: int) -> None:
        with self._condition:
            came = self._condition.wait_for(lambda: number in self.seen, PATIENCE)
        assert came, f"frame {number} was never tracked; seen: {self.seen}"


class Stream:
    """A session fed with fake frames, and everything that came out of it."""

    def __init__(
        self,
        fleet: Fleet,
        max_targets: int = 3,
        settings: SessionSettings | None = None,
        needs_image: Callable[[], bool] = lambda: False,
    ) -> None:
        self.fleet = fleet
        self.on_result: Callable[[FrameResult], None] = lambda result: None
        self._results: queue.Queue[FrameResult] = queue.Queue()
        self._problems: queue.Queue[str] = queue.Queue()
        self.session = TrackingSession(
            fleet.new_tracker,
            max_targets,
            self._take_result,
            self._problems.put,
            needs_image,
            settings or SessionSettings(init_timeout=PATIENCE),
        )

    def _take_result(self, result: FrameResult) -> None:
        self._results.put(result)
        self.on_result(result)

    def submit(self, *frames: FakeFrame | int) -> None:
        """Hand frames over without waiting for any."""
        for frame in frames:
            self.session.submit(FakeFrame(frame) if isinstance(frame, int) else frame)

    def result(self) -> FrameResult:
        """The next result."""
        return self._results.get(timeout=PATIENCE)

    def problem(self) -> str:
        """The next problem."""
        return self._problems.get(timeout=PATIENCE)

    def feed(self, *frames: FakeFrame | int) -> list[FrameResult]:
        """Hand frames over one by one, each after the result of the one before."""
        results = []
        for frame in frames:
            self.submit(frame)
            results.append(self.result())
        return results

    @property
    def nothing_more(self) -> bool:
        """Whether everything that came out has been looked at."""
        return self._results.empty() and self._problems.empty()

    def close(self) -> None:
        self.fleet.gate.open()
        self.session.close()


def textured_square(frames: int, step: tuple[int, int] = (3, 2)) -> tuple[list[Image], list[Box]]:
    """A video of a textured square that moves over a faint background, and where it is."""
    random = np.random.default_rng(5)
    faint = random.integers(110, 140, (144, 192, 3), np.uint8)
    background = cv2.GaussianBlur(faint, (9, 9), 0)
    texture = cv2.resize(
        random.integers(0, 256, (8, 8, 3), np.uint8), (40, 40), interpolation=cv2.INTER_NEAREST
    )
    images, boxes = [], []
    for index in range(frames):
        x, y = 30 + step[0] * index, 25 + step[1] * index
        image = background.copy()
        image[y : y + 40, x : x + 40] = texture
        images.append(image)
        boxes.append(Box(x, y, 40, 40))
    return images, boxes
