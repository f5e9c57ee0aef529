"""Tracking a live stream: newest frame only, late init with catch-up, requests at any time.

A :class:`TrackingSession` owns a worker thread, and only that thread touches the trackers. Whoever
receives images calls `submit`, whoever takes requests calls `init_target` and the like; neither
ever waits for a tracker. A request can be cancelled, by its future, until the worker takes it up.
Nothing here knows of ROS.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from visual_tracker.boxes import Box, BoxError
from visual_tracker.catch_up import CatchUp
from visual_tracker.frames import NANOSECONDS, Frame, FrameBuffer
from visual_tracker.images import Image, ImageError
from visual_tracker.parameters import Value
from visual_tracker.targets import (
    Target,
    TargetError,
    TargetReport,
    TargetSet,
    follow_together,
)
from visual_tracker.trackers import Tracker

#: what a request may fail of by the user's own input; anything else is a bug and says so
REFUSALS = (TargetError, BoxError, ImageError)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session treats its stream.

    Attributes:
        buffer_seconds: span of the ring buffer from which a late init can start.
        buffer_bytes: memory of that ring buffer; as much again while a tracker takes long.
        init_timeout: seconds that an init waits for the image it names.
        catch_up_frames: most buffered frames tracked while a late init catches up; a longer
            backlog is thinned out evenly, so that catching up always ends.
    """

    buffer_seconds: float = 10.0
    buffer_bytes: int = 256_000_000
    init_timeout: float = 2.0
    catch_up_frames: int = 60


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the session was made.

    Attributes:
        received: frames submitted.
        tracked: frames processed and reported.
        skipped: frames that a newer one replaced before they were processed.
        bad: frames that could not be used.
    """

    received: int = 0
    tracked: int = 0
    skipped: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The outcome for one frame.

    Attributes:
        frame: the frame as submitted.
        image: the frame decoded; None if there was no need to decode it.
        targets: every target that has caught up with the stream, and, as LOST, those that were
            there before and have been started again on an image of the past.
        tracking_began: when the trackers got the image, in nanoseconds of `time.time_ns`, the clock
            that cameras stamp by.
        tracking_ended: when all were done with it.
    """

    frame: Frame
    image: Image | None
    targets: tuple[TargetReport, ...]
    tracking_began: int
    tracking_ended: int


@dataclass(frozen=True, slots=True)
class InitResult:
    """A granted init: the target's id and its box as clipped to the image."""

    target_id: str
    box: Box


@dataclass(slots=True)
class _InitRequest:
    box: Box
    target_id: str
    label: str
    stamp: int | None
    deadline: float
    future: Future[InitResult] = field(default_factory=Future)


@dataclass(slots=True)
class _Command:
    """Something to be done on the worker thread; what comes of it goes to the future."""

    action: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.action())
        except Exception as error:
            self.future.set_exception(error)


class TrackingSession:
    """Follows targets through a live stream on a thread of its own.

    Args:
        new_tracker: makes one tracker; called `max_targets` + 1 times at once, never later.
        max_targets: how many targets there may be at once.
        on_result: called on the worker thread for every processed frame, in order.
        on_problem: called on the worker thread with one line for every frame or target that failed.
        needs_image: asked before each frame; True makes `FrameResult.image` available even while
            there is no target.
        settings: how the stream is treated.

    Raises:
        TrackerUnavailableError: if this machine cannot run the tracker.
    """

    def __init__(
        self,
        new_tracker: Callable[[], Tracker],
        max_targets: int,
        on_result: Callable[[FrameResult], None],
        on_problem: Callable[[str], None],
        needs_image: Callable[[], bool] = lambda: False,
        settings: SessionSettings = SessionSettings(),
    ) -> None:
        self._targets = TargetSet(new_tracker, max_targets)
        self._settings = settings
        self._on_result = on_result
        self._on_problem = on_problem
        self._needs_image = needs_image
        self._buffer = FrameBuffer(settings.buffer_seconds, settings.buffer_bytes)
        self._catch_up = CatchUp(self._buffer, settings.catch_up_frames, on_problem)
        self._wake = threading.Condition()
        # all below is guarded by _wake
        self._newest: Frame | None = None
        # since the worker's last turn, which may take long
        self._arrived = FrameBuffer(settings.buffer_seconds, settings.buffer_bytes)
        self._commands: deque[_Command] = deque()
        self._init_requests: list[_InitRequest] = []
        self._statistics = Statistics()
        self._reports: tuple[TargetReport, ...] = ()
        self._running = True
        # what the worker has taken up for this turn
        self._taken: Frame | None = None
        self._taken_arrivals: list[Frame] = []
        self._taken_commands: list[_Command] = []
        self._worker = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._worker.start()

    @property
    def statistics(self) -> Statistics:
        """Counts up to now."""
        with self._wake:
            return self._statistics

    @property
    def reports(self) -> tuple[TargetReport, ...]:
        """What is known of the targets, as in `FrameResult`, after the latest frame or request."""
        with self._wake:
            return self._reports

    def submit(self, frame: Frame) -> None:
        """Hand over the newest frame; returns at once.

        A frame not taken up yet is skipped for tracking, but kept for a late init.
        """
        with self._wake:
            skipped = self._newest is not None
            self._count(received=1, skipped=int(skipped))
            self._newest = frame
            self._arrived.append(frame)
            self._wake.notify()

    def init_target(
        self, box: Box, target_id: str = "", label: str = "", stamp: int | None = None
    ) -> Future[InitResult]:
        """Ask for a target to be followed; returns at once.

        Args:
            box: the target's box in the image of `stamp`, in pixels.
            target_id: its name; empty for the next free one, an existing one is started again.
            label: what it is.
            stamp: of the image on which the box was drawn, in nanoseconds; None for the next image.
                The nearest frame kept is taken; a stamp just ahead of the newest is waited for.

        Returns:
            A future; it raises TargetError, BoxError or ImageError where the init is refused.
        """
        deadline = time.monotonic() + self._settings.init_timeout
        request = _InitRequest(box, target_id, label, stamp, deadline)
        with self._wake:
            if not self._running:
                request.future.set_exception(TargetError("the session is closed"))
            else:
                self._init_requests.append(request)
                self._wake.notify()
        return request.future

    def remove_target(self, target_id: str) -> Future[None]:
        """Ask for a target to be dropped; the future raises TargetError if none has that id."""
        return self._command(lambda: self._remove(target_id))

    def clear_targets(self) -> Future[int]:
        """Ask for all targets to be dropped; the future gives how many there were."""
        return self._command(self._clear)

    def set_tracker_parameters(self, changes: Mapping[str, Value]) -> Future[None]:
        """Ask for parameters of all trackers to be changed; they must have been validated."""

        def change() -> None:
            for tracker in self._targets.trackers():
                tracker.set_parameters(changes)

        return self._command(change)

    def close(self) -> None:
        """Stop the worker; requests still waiting are refused. May be called again."""
        with self._wake:
            self._running = False
            self._wake.notify()
        self._worker.join()

    # -- the worker thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait():
            try:
                self._take_turn()
            except Exception:
                # a bug, or a callback that failed; the stream must go on all the same
                self._on_problem(f"internal error: {traceback.format_exc()}")
        waiting: list[Future[Any]] = [request.future for request in self._init_requests]
        for future in waiting + [command.future for command in self._taken_commands]:
            if future.set_running_or_notify_cancel():
                future.set_exception(TargetError("the session is closed"))

    def _take_turn(self) -> None:
        self._keep(self._taken_arrivals)
        for command in self._taken_commands:
            command.run()
        if self._taken is not None:
            self._process(self._taken)
        self._serve_due_inits()
        self._catch_up.step()
        with self._wake:
            self._reports = self._report()

    def _keep(self, frames: list[Frame]) -> None:
        for frame in frames:
            back = self._buffer.append(frame)
            if back:
                self._on_problem(
                    f"the stamps of images went back by {back / NANOSECONDS:.3f} s (a bag that "
                    "loops, a clock that was set, two cameras on one topic); the images kept for a "
                    "late init were let go"
                )

    def _wait(self) -> bool:
        """Sleep until there is something to do and take it; False when the session is closed."""
        with self._wake:
            while self._running and not self._has_work():
                self._wake.wait(self._time_to_deadline())
            self._taken, self._newest = self._newest, None
            self._taken_arrivals = self._arrived.take()
            self._taken_commands, self._commands = list(self._commands), deque()
            return self._running

    def _has_work(self) -> bool:
        return bool(
            self._newest is not None
            or self._commands
            or self._catch_up
            or any(self._is_due(request) for request in self._init_requests)
        )

    def _is_due(self, request: _InitRequest) -> bool:
        """Whether the request can be granted or refused with what has arrived."""
        if time.monotonic() >= request.deadline:
            return True
        span = self._buffer.span
        if request.stamp is None or span is None:
            return False
        # a stamp further ahead than the wait can bring is refused at once, like one too old
        horizon = span[1] + int(self._settings.init_timeout * NANOSECONDS)
        return not span[1] < request.stamp <= horizon

    def _time_to_deadline(self) -> float | None:
        if not self._init_requests:
            return None
        earliest = min(request.deadline for request in self._init_requests)
        return max(0.0, earliest - time.monotonic())

    def _process(self, frame: Frame) -> None:
        """Track every caught-up target in the newest frame, serve inits for it, and report."""
        with self._wake:
            awaiting = [r for r in self._init_requests if r.stamp in (None, frame.stamp)]
        targets = [t for t in self._targets.targets.values() if t.id not in self._catch_up]
        try:
            frame.check()
            image = frame.decode() if targets or awaiting or self._needs_image() else None
        except ImageError as error:
            self._reject(f"an image was not used: {error}", awaiting)
            return
        began = time.time_ns()
        if targets:
            for problem in follow_together(targets, image):  # type: ignore[arg-type]
                if problem:
                    self._on_problem(problem)
        ended = time.time_ns()
        for request in awaiting:
            self._grant(request, frame, image)  # type: ignore[arg-type]
        with self._wake:
            self._count(tracked=1)
        self._catch_up.count_frame()
        self._on_result(FrameResult(frame, image, self._report(), began, ended))

    def _report(self) -> tuple[TargetReport, ...]:
        """Of every target that is to be reported."""
        reports = map(self._latest, self._targets.targets.values())
        return tuple(report for report in reports if report is not None)

    def _latest(self, target: Target) -> TargetReport | None:
        """What is reported of a target; None as long as it is behind and replaces none."""
        if target.id in self._catch_up:
            return self._catch_up.replaced(target.id)
        return target.report()

    def _reject(self, problem: str, awaiting: list[_InitRequest]) -> None:
        """A frame that cannot be used: inits for just that frame are refused, others wait on."""
        with self._wake:
            self._count(bad=1)
        for request in awaiting:
            if request.stamp is not None:
                self._refuse(request, ImageError(problem))
        self._on_problem(problem)

    def _serve_due_inits(self) -> None:
        """Grant the inits whose stamps lie in the buffer; refuse those out of reach or overdue."""
        with self._wake:
            due = [request for request in self._init_requests if self._is_due(request)]
        for request in due:
            frame = None if request.stamp is None else self._buffer.nearest(request.stamp)
            if frame is None:
                self._refuse(request, TargetError(self._why_no_frame(request.stamp)))
                continue
            try:
                image = frame.decode()
            except Exception as error:  # whatever the decoder raises: a request must have its end
                self._refuse(request, ImageError(f"the image of that stamp is bad: {error}"))
                continue
            self._grant(request, frame, image)

    def _grant(self, request: _InitRequest, frame: Frame, image: Image) -> None:
        """Start the target on this frame; if newer frames have been processed, let it catch up."""
        if not self._take_up(request):
            return
        before = self._targets.targets.get(request.target_id)
        replaced = None if before is None else self._latest(before)
        try:
            target = self._targets.init(image, request.box, request.target_id, request.label)
        except Exception as error:  # whatever the tracker's library raises, the stream goes on
            if not isinstance(error, REFUSALS):
                error = TargetError(f"the tracker could not start on this box: {error}")
            request.future.set_exception(error)
            return
        self._catch_up.start(target, frame, replaced)
        request.future.set_result(InitResult(target.id, target.track.box))

    def _why_no_frame(self, stamp: int | None) -> str:
        span = self._buffer.span
        if stamp is not None and span is None and self.statistics.received:
            return "the images carry no stamp, so that none can be named; leave the stamp zero"
        if stamp is None or span is None:
            return f"no usable image has come within {self._settings.init_timeout:g} s"
        return (
            f"the stamp {_seconds(stamp)} is not among the images kept, which span "
            f"{_seconds(span[0])} to {_seconds(span[1])}"
        )

    def _take_up(self, request: _InitRequest) -> bool:
        """End the request's wait; False if the caller has cancelled it, else it no longer can."""
        with self._wake:
            self._init_requests.remove(request)
        return request.future.set_running_or_notify_cancel()

    def _refuse(self, request: _InitRequest, error: Exception) -> None:
        if self._take_up(request):
            request.future.set_exception(error)

    def _remove(self, target_id: str) -> None:
        waiting = self._refuse_waiting("the target was removed meanwhile", target_id)
        # a target whose init still waited is gone with it
        if not waiting or target_id in self._targets.targets:
            self._targets.remove(target_id)
        self._catch_up.forget(target_id)

    def _clear(self) -> int:
        self._refuse_waiting("the targets were cleared meanwhile")
        self._catch_up.clear()
        return self._targets.clear()

    def _refuse_waiting(self, reason: str, target_id: str | None = None) -> int:
        """Refuse the inits that still wait, those of one target or all; how many there were."""
        with self._wake:
            waiting = [r for r in self._init_requests if target_id in (None, r.target_id)]
        for request in waiting:
            self._refuse(request, TargetError(reason))
        return len(waiting)

    def _command(self, action: Callable[[], Any]) -> Future[Any]:
        """Have `action` run on the worker thread; its result or exception goes to the future."""
        command = _Command(action)
        with self._wake:
            if self._running:
                self._commands.append(command)
                self._wake.notify()
            else:
                command.future.set_exception(TargetError("the session is closed"))
        return command.future

    def _count(self, **increments: int) -> None:
        changed = {
            name: getattr(self._statistics, name) + increment
            for name, increment in increments.items()
        }
        self._statistics = replace(self._statistics, **changed)


def _seconds(stamp: int) -> str:
    return f"{stamp // NANOSECONDS}.{stamp % NANOSECONDS:09d}"
