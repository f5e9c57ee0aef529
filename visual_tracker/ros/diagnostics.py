"""The node's diagnostics: what is counted between two reports, and the report itself."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from visual_tracker.ros.delivery import Delivery
from visual_tracker.session import Statistics
from visual_tracker.targets import TargetReport


class Durations(NamedTuple):
    """Of one frame, in seconds.

    Attributes:
        latency: from the image's stamp to the publication of its detections; NaN if it has none.
        tracker: of all its trackers.
        own: from the image's arrival at the node to the publication, less `tracker`.
    """

    latency: float
    tracker: float
    own: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one report is made of.

    Attributes:
        hardware: what the tracker runs on.
        tracker: its name.
        state: of the lifecycle ("active", "inactive", ...).
        problem: why the node cannot work; empty if it can.
        silence: why no image comes; empty if images come or none are expected.
        publishers: of images that the node's subscription has matched.
        seconds: since the last report.
        statistics: counts since the node was configured.
        received: images since the last report.
        tracked: frames reported since the last report.
        bad: frames since the last report that could not be used.
        durations: of those frames.
        delivery: what became of images that never were received.
        targets: after the newest frame or request.
    """

    hardware: str
    tracker: str
    state: str
    problem: str
    silence: str
    publishers: int
    seconds: float
    statistics: Statistics
    received: int
    tracked: int
    bad: int
    durations: Sequence[Durations]
    delivery: Delivery
    targets: Sequence[TargetReport]


@dataclass
class DurationLog:
    """Durations since the last report; filled on the worker's thread, emptied on the executor's."""

    _durations: list[Durations] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, durations: Durations) -> None:
        """Note those of one frame."""
        with self._lock:
            self._durations.append(durations)

    def take(self) -> list[Durations]:
        """All since the last call."""
        with self._lock:
            taken, self._durations = self._durations, []
        return taken


def level_and_message(snapshot: Snapshot) -> tuple[bytes, str]:
    """ERROR if nothing can work or no image comes, WARN if a target is lost or images are bad."""
    lost = [target.id for target in snapshot.targets if target.track.is_lost]
    if snapshot.problem:
        return DiagnosticStatus.ERROR, snapshot.problem
    if snapshot.silence:
        return DiagnosticStatus.ERROR, f"no images: {snapshot.silence}"
    if lost:
        return DiagnosticStatus.WARN, f"lost: {', '.join(lost)}"
    if snapshot.bad:
        return DiagnosticStatus.WARN, f"{snapshot.bad} images could not be used"
    if snapshot.state != "active":
        return DiagnosticStatus.OK, snapshot.state
    count = len(snapshot.targets)
    return DiagnosticStatus.OK, f"tracking {count} target(s)" if count else "waiting for a target"


def status(name: str, snapshot: Snapshot) -> DiagnosticStatus:
    """The report as a message; rates and latencies are over the time since the last one."""
    level, message = level_and_message(snapshot)
    latencies, trackers, own = _sorted_columns(snapshot.durations)
    delivery = snapshot.delivery
    values = {
        "lifecycle_state": snapshot.state,
        "tracker": snapshot.tracker,
        "device": snapshot.hardware,
        "publishers": str(snapshot.publishers),
        "image_rate_hz": f"{snapshot.received / snapshot.seconds:.2f}",
        "tracking_rate_hz": f"{snapshot.tracked / snapshot.seconds:.2f}",
        "latency_ms_median": _milliseconds(latencies, 0.5),
        "latency_ms_max": _milliseconds(latencies, 1.0),
        "tracker_ms_median": _milliseconds(trackers, 0.5),
        "node_ms_median": _milliseconds(own, 0.5),
        "frames_received": str(snapshot.statistics.received),
        "frames_tracked": str(snapshot.statistics.tracked),
        "frames_skipped": str(snapshot.statistics.skipped),
        "frames_bad": str(snapshot.statistics.bad),
        "frames_lost_in_transport": str(delivery.lost) if delivery.known else "unknown",
        "frames_replaced_unseen": str(delivery.replaced) if delivery.known else "unknown",
        "targets": str(len(snapshot.targets)),
    }
    for target in snapshot.targets:
        values[f"target {target.id}"] = (
            f"lost for {target.frames_since_seen} frames"
            if target.track.is_lost
            else target.track.state.value
        )
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id=snapshot.hardware,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _sorted_columns(durations: Sequence[Durations]) -> tuple[list[float], ...]:
    """Each kind of duration in order, those unknown left out."""
    columns = zip(*durations, strict=True) if durations else ((),) * len(Durations._fields)
    return tuple(sorted(value for value in column if not math.isnan(value)) for column in columns)


def _milliseconds(ordered: Sequence[float], quantile: float) -> str:
    if not ordered:
        return "nan"
    return f"{1e3 * ordered[round(quantile * (len(ordered) - 1))]:.2f}"
