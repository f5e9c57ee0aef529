"""What the demo measured, as numbers; no ROS in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.metrics import success_curve


@dataclass(slots=True)
class SeenFrame:
    """One published image and what was said of it.

    Attributes:
        stamp: of its header, in nanoseconds.
        answered: whether detections came for it; not so if the node skipped it.
        box: the target's box in those detections; None if they held none.
    """

    stamp: int
    answered: bool = False
    box: Box | None = None


@dataclass
class Observations:
    """All that the client saw.

    Attributes:
        frames: the images in order.
        latencies: milliseconds from an image's stamp to the arrival of its detections.
        arrivals: monotonic seconds at which detections arrived.
    """

    frames: list[SeenFrame] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """What `summary.json` holds; None where there is nothing to measure.

    Counts are the nodes' own, from their diagnostics, except `frames_seen`, the images that reached
    the client, and `frames_with_box`, the detections that reached it with a box. `mean_iou` and
    `success_auc` count every published frame: the first box holds until the first result, and a
    skipped frame keeps the box before it. They are None if the client missed an image, since frames
    could not be told apart then.
    """

    tracker: str
    video: str
    frames_published: int
    frames_received: int
    frames_tracked: int
    frames_skipped: int
    frames_seen: int
    frames_with_box: int
    latency_ms_median: float | None
    latency_ms_p99: float | None
    fps: float | None
    mean_iou: float | None
    success_auc: float | None


def summarize(
    tracker: str,
    video: str,
    truth: Sequence[Box | None],
    observations: Observations,
    node_report: Mapping[str, str],
    publisher_report: Mapping[str, str],
) -> Summary:
    """Put together what the client saw and what the nodes' diagnostics say."""
    published = int(publisher_report.get("frames_published", 0))
    seen = len(observations.frames)
    overlaps = overlaps_with_truth(observations.frames, truth) if seen == published else []
    arrivals = observations.arrivals
    return Summary(
        tracker=tracker,
        video=video,
        frames_published=published,
        frames_received=int(node_report.get("frames_received", 0)),
        frames_tracked=int(node_report.get("frames_tracked", 0)),
        frames_skipped=int(node_report.get("frames_skipped", 0)),
        frames_seen=seen,
        frames_with_box=sum(frame.box is not None for frame in observations.frames),
        latency_ms_median=_quantile(observations.latencies, 0.5),
        latency_ms_p99=_quantile(observations.latencies, 0.99),
        fps=(len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) if len(arrivals) > 1 else None,
        mean_iou=float(np.mean(overlaps)) if overlaps else None,
        success_auc=float(np.mean(success_curve(np.array(overlaps)))) if overlaps else None,
    )


def overlaps_with_truth(frames: Sequence[SeenFrame], truth: Sequence[Box | None]) -> list[float]:
    """IoU of the box a consumer holds with the truth, for every frame that has a truth."""
    held = truth[0] if truth else None
    started = False
    overlaps = []
    for index, (frame, true_box) in enumerate(zip(frames, truth, strict=False)):
        # until the late init has caught up, results hold no box, and none is lost
        started = started or (index > 0 and frame.box is not None)
        if started and frame.answered:
            held = frame.box
        if true_box is not None:
            overlaps.append(held.iou(true_box) if held is not None else 0.0)
    return overlaps


def _quantile(values: Sequence[float], quantile: float) -> float | None:
    return float(np.quantile(values, quantile)) if values else None
