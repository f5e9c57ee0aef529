"""Running one tracker through one sequence: a single pass, or VOT's supervised run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from visual_tracker.boxes import BoxArray, clip_boxes, overlaps
from visual_tracker.evaluation.metrics import BoolArray, FloatArray
from visual_tracker.evaluation.pacing import EveryFrame, Pace
from visual_tracker.evaluation.polygons import clip_to_box, polygon_overlap
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.vot_metrics import SKIP, Phase
from visual_tracker.images import size_of
from visual_tracker.trackers import Tracker

#: seconds, as time.perf_counter gives them
Clock = Callable[[], float]


@dataclass
class Run:
    """What a tracker did in one sequence.

    Attributes:
        boxes: (frames, 4) rows x, y, width, height, 0-based; NaN where VOT's rules gave no box.
        lost: (frames,) True where it said LOST.
        confidence: of each frame, None where it gave none or was not asked.
        seconds: (frames,) that `track` took, NaN where it was not called.
        init_seconds: that each `init` took.
        image_size: width and height of the first image in pixels.
        phases: (frames,) :class:`Phase` of each; of a single pass START, then TRACKED.
        supervised: True of a supervised run.
    """

    boxes: BoxArray
    lost: BoolArray
    confidence: list[float | None]
    seconds: FloatArray
    init_seconds: list[float] = field(default_factory=list)
    image_size: tuple[int, int] = (0, 0)
    phases: FloatArray = field(default_factory=lambda: np.zeros(0))
    supervised: bool = False

    @classmethod
    def empty(cls, frames: int) -> Run:
        """A run of which nothing is known yet."""
        return cls(
            boxes=np.full((frames, 4), np.nan),
            lost=np.zeros(frames, bool),
            confidence=[None] * frames,
            seconds=np.full(frames, np.nan),
            phases=np.full(frames, float(Phase.SKIPPED)),
        )


class _Recorder:
    """Calls the tracker, times it and writes down what it says."""

    def __init__(self, tracker: Tracker, sequence: Sequence, pace: Pace, clock: Clock) -> None:
        self.run = Run.empty(len(sequence))
        self._tracker, self._sequence, self._pace, self._clock = tracker, sequence, pace, clock

    def start(self, frame: int) -> None:
        """Start the tracker in a frame."""
        image = self._sequence.frames[frame]
        self.run.image_size = size_of(image)
        box = self._sequence.start_box(frame)
        before = self._clock()
        started_on = self._tracker.init(image, box)
        seconds = self._clock() - before
        self._pace.worked(frame, seconds, is_start=True)
        self.run.init_seconds.append(seconds)
        self.run.boxes[frame] = started_on.xywh
        self.run.phases[frame] = Phase.START

    def follow(self, frame: int) -> None:
        """Track in a frame, or keep the last outcome if the frame does not reach the tracker."""
        run = self.run
        run.phases[frame] = Phase.TRACKED
        if not self._reaches_tracker(frame):
            for values in (run.boxes, run.lost, run.confidence):
                values[frame] = values[frame - 1]
            return
        image = self._sequence.frames[frame]
        before = self._clock()
        track = self._tracker.track(image)
        run.seconds[frame] = self._clock() - before
        self._pace.worked(frame, float(run.seconds[frame]))
        run.boxes[frame] = track.box.xywh
        run.lost[frame] = track.is_lost
        run.confidence[frame] = track.confidence

    def _reaches_tracker(self, frame: int) -> bool:
        delivered = self._sequence.delivered
        return self._pace.is_free(frame) and (delivered is None or bool(delivered[frame]))


def single_pass(
    tracker: Tracker,
    sequence: Sequence,
    pace: Pace | None = None,
    clock: Clock = time.perf_counter,
) -> Run:
    """Start on the first frame's truth and track to the end (one-pass evaluation, OPE).

    Args:
        tracker: a fresh one.
        sequence: what to track.
        pace: which frames reach it; every one by default.
        clock: seconds; times `init` and `track` alone, not the reading of images.
    """
    recorder = _Recorder(tracker, sequence, pace or EveryFrame(), clock)
    recorder.start(0)
    for frame in range(1, len(sequence)):
        recorder.follow(frame)
    return recorder.run


def supervised_pass(
    tracker: Tracker,
    sequence: Sequence,
    pace: Pace | None = None,
    clock: Clock = time.perf_counter,
) -> Run:
    """VOT's supervised run: after each failure (IoU 0) start anew SKIP frames later.

    A start waits for the next frame in which the target is visible. Frames without truth, in which
    nothing can be judged, are tracked through.

    Args:
        tracker: a fresh one.
        sequence: what to track.
        pace: which frames reach it; every one by default.
        clock: seconds.
    """
    recorder = _Recorder(tracker, sequence, pace or EveryFrame(), clock)
    run, starting_at = recorder.run, 0
    run.supervised = True
    for frame in range(len(sequence)):
        if frame < starting_at or (frame == starting_at and not sequence.visible[frame]):
            starting_at = max(starting_at, frame + 1)
        elif frame == starting_at:
            recorder.start(frame)
        else:
            recorder.follow(frame)
            if bounded_overlap(sequence, frame, run.boxes[frame], run.image_size) == 0:
                run.phases[frame], run.boxes[frame] = Phase.FAILURE, np.nan
                starting_at = frame + SKIP
    return run


def bounded_overlap(
    sequence: Sequence, frame: int, box: FloatArray, image_size: tuple[int, int]
) -> float:
    """VOT's overlap: IoU of box and truth within the image; NaN if the frame has no truth."""
    clipped = clip_boxes(np.asarray(box), *image_size)
    outline = sequence.polygons[frame] if sequence.polygons else None
    if outline is None:
        truth = clip_boxes(sequence.truth[frame], *image_size)
        return float(overlaps(clipped, truth))
    return polygon_overlap(clipped, clip_to_box(outline, np.array([0, 0, *image_size], float)))
