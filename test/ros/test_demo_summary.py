"""The demo's figures by hand."""

from __future__ import annotations

import pytest

from visual_tracker.boxes import Box
from visual_tracker.ros.demo_summary import (
    Observations,
    SeenFrame,
    overlaps_with_truth,
    summarize,
)

TRUE = Box(0, 0, 10, 10)
HALF = Box(5, 0, 10, 10)  # IoU 1/3
REPORTS = (
    {"frames_received": "5", "frames_tracked": "4", "frames_skipped": "1"},
    {"frames_published": "5"},
)


def frames(*boxes: Box | str | None) -> list[SeenFrame]:
    return [
        SeenFrame(index, answered=box != "skipped", box=box if isinstance(box, Box) else None)
        for index, box in enumerate(boxes)
    ]


def test_first_box_holds_until_the_late_init_has_caught_up() -> None:
    assert overlaps_with_truth(frames(TRUE, None, None, HALF), [TRUE] * 4) == pytest.approx(
        [1, 1, 1, 1 / 3]
    )


def test_skipped_frame_keeps_the_box_and_a_lost_one_has_none() -> None:
    seen = frames(TRUE, HALF, "skipped", None, "skipped")
    assert overlaps_with_truth(seen, [TRUE] * 5) == pytest.approx([1, 1 / 3, 1 / 3, 0, 0])


def test_frame_without_truth_does_not_count() -> None:
    assert overlaps_with_truth(frames(TRUE, HALF, HALF), [TRUE, None, TRUE]) == pytest.approx(
        [1, 1 / 3]
    )


def test_summary_of_counts_latencies_and_overlaps() -> None:
    seen = Observations(
        frames(TRUE, TRUE, TRUE, TRUE, None), latencies=[1, 2, 3, 100], arrivals=[0, 1, 2, 4]
    )
    summary = summarize("kcf", "clip", [TRUE] * 5, seen, *REPORTS)
    assert (summary.frames_published, summary.frames_received) == (5, 5)
    assert (summary.frames_tracked, summary.frames_skipped) == (4, 1)
    assert (summary.frames_seen, summary.frames_with_box) == (5, 4)
    assert summary.latency_ms_median == 2.5
    assert summary.fps == 0.75
    assert summary.mean_iou == pytest.approx(0.8)
    # IoU 1 exceeds 20 of the 21 thresholds
    assert summary.success_auc == pytest.approx(0.8 * 20 / 21)


def test_no_overlap_is_told_when_the_client_missed_an_image() -> None:
    seen = Observations(frames(TRUE, TRUE))
    summary = summarize("kcf", "clip", [TRUE] * 5, seen, *REPORTS)
    assert (summary.frames_published, summary.frames_seen) == (5, 2)
    assert summary.mean_iou is None
    assert summary.latency_ms_median is None
    assert summary.fps is None
