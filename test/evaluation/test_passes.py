"""Single and supervised passes, real time with a fake clock, polygons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test.evaluation.factories import HEIGHT, WIDTH, ScriptedTracker, drawn_sequence, tracked
from visual_tracker.evaluation.pacing import GRACE, RealTime
from visual_tracker.evaluation.passes import single_pass, supervised_pass
from visual_tracker.evaluation.polygons import clip_to_box, polygon_area, polygon_overlap
from visual_tracker.evaluation.vot_metrics import Phase
from visual_tracker.trackers import Track, TrackState


class FakeClock:
    """Time that passes only when somebody spends it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


def test_single_pass_writes_down_what_the_tracker_says() -> None:
    script = {1: tracked(11), 2: Track(tracked(11).box, 0.2, TrackState.LOST), 3: tracked(13)}
    tracker = ScriptedTracker(lambda number, last: script[number])
    run = single_pass(tracker, drawn_sequence(4))
    assert tracker.started_on[0][0] == 0
    assert tracker.seen == [1, 2, 3]
    assert run.boxes[:, 0].tolist() == [10, 11, 11, 13]
    assert run.lost.tolist() == [False, False, True, False]
    assert run.confidence == [None, None, 0.2, None]
    assert run.image_size == (WIDTH, HEIGHT)
    assert not run.supervised


def test_times_are_of_the_tracker_alone() -> None:
    clock = FakeClock()
    clock.spend(100)
    tracker = ScriptedTracker(spend=lambda number: clock.spend(5 if number == 0 else number))
    run = single_pass(tracker, drawn_sequence(4), clock=clock)
    assert run.init_seconds == [5]
    assert np.isnan(run.seconds[0])
    assert run.seconds[1:].tolist() == [1, 2, 3]


def real_time(seconds: dict[int, float], frames: int = 12, fps: float = 10) -> list[int]:
    """Frames that reach a tracker that takes some seconds in its Nth call (0 is init)."""
    clock = FakeClock()
    tracker = ScriptedTracker(spend=lambda number: clock.spend(seconds.get(number, 0.0)))
    single_pass(tracker, drawn_sequence(frames), RealTime(fps), clock)
    return tracker.seen


def test_a_fast_tracker_misses_nothing() -> None:
    assert real_time(dict.fromkeys(range(12), 0.1)) == list(range(1, 12))


def test_frames_that_arrive_while_busy_are_skipped() -> None:
    # a call of 2.5 intervals: begun with frame n, the next free moment is frame n + 3
    slow = dict.fromkeys(range(GRACE + 1), 0.0) | dict.fromkeys(range(GRACE + 1, 20), 0.25)
    # the first three slow calls are forgiven
    assert real_time(slow, 20) == [1, 2, 3, 4, 5, 6, 7, 10, 13, 16, 19]


def test_grace_covers_init() -> None:
    assert real_time({0: 9.0, 1: 9.0, 2: 9.0, 3: 0.29}) == [1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_skipped_frames_keep_the_last_box() -> None:
    clock = FakeClock()
    tracker = ScriptedTracker(
        lambda number, last: tracked(10 + 5 * number), spend=lambda number: clock.spend(0.2)
    )
    run = single_pass(tracker, drawn_sequence(8), RealTime(10), clock)
    assert tracker.seen == [1, 2, 3, 5, 7]
    assert run.boxes[:, 0].tolist() == [10, 15, 20, 25, 25, 30, 30, 35]
    assert np.isnan(run.seconds[[4, 6]]).all()


def test_real_time_does_not_drift() -> None:
    pace = RealTime(30)
    for frame in range(100_000):
        assert pace.is_free(frame)
        pace.worked(frame, 1 / 30)


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_real_time_needs_a_rate(fps: float) -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        RealTime(fps)


def test_dropped_frames_do_not_reach_the_tracker() -> None:
    delivered = np.array([True, False, True, False])
    tracker = ScriptedTracker(lambda number, last: tracked(50 + number))
    run = single_pass(tracker, replace(drawn_sequence(4), delivered=delivered))
    assert tracker.seen == [2]
    assert run.boxes[:, 0].tolist() == [10, 10, 51, 51]


def follow_until(last_number: int) -> ScriptedTracker:
    """On target for some calls after each init (the target moves a pixel a frame), then far off."""
    return ScriptedTracker(
        lambda number, last: tracked(last.box.x + 1) if number <= last_number else tracked(70, 40)
    )


def test_supervised_pass_starts_anew_after_a_failure() -> None:
    tracker = follow_until(2)
    run = supervised_pass(tracker, drawn_sequence(12))
    signs = "".join("-Sx+"[int(phase)] for phase in run.phases)
    assert signs == "S++x----S++x"
    assert [frame for frame, _ in tracker.started_on] == [0, 8]
    assert tracker.started_on[1][1].x == 18  # the truth of that frame
    assert np.isnan(run.boxes[3:8]).all()
    assert run.supervised


def test_supervised_pass_without_a_failure() -> None:
    run = supervised_pass(follow_until(99), drawn_sequence(6))
    assert run.phases.tolist() == [Phase.START] + [Phase.TRACKED] * 5


def test_supervised_pass_in_real_time_forgives_slow_calls_after_every_start() -> None:
    clock = FakeClock()
    tracker = follow_until(4)
    tracker.spend = lambda number: clock.spend(0.25)
    run = supervised_pass(tracker, drawn_sequence(21), RealTime(10), clock)
    assert run.phases[9] == Phase.FAILURE
    assert [frame for frame, _ in tracker.started_on] == [0, 14]
    # init and two calls are forgiven, then each takes two and a half intervals
    assert tracker.seen == [1, 2, 3, 6, 9, 15, 16, 17, 20]


def test_a_new_start_waits_until_the_target_is_visible() -> None:
    run = supervised_pass(follow_until(2), drawn_sequence(14, hidden=(8, 9)))
    signs = "".join("-Sx+"[int(phase)] for phase in run.phases)
    assert signs == "S++x------S++x"


def test_frames_without_truth_are_no_failure() -> None:
    run = supervised_pass(follow_until(1), drawn_sequence(5, hidden=(2, 3)))
    signs = "".join("-Sx+"[int(phase)] for phase in run.phases)
    assert signs == "S+++x"


def test_a_box_is_judged_against_the_outline() -> None:
    # a thin diagonal: its bounding box is met, the outline is not
    outline = np.array([[10.0, 20], [12, 20], [40, 50], [38, 50]])
    sequence = replace(drawn_sequence(3), polygons=(None, outline, None))
    sequence.truth[1] = (10, 20, 30, 30)
    beside = ScriptedTracker(lambda number, last: tracked(30, 20, 6))
    assert supervised_pass(beside, sequence).phases[1] == Phase.FAILURE
    assert supervised_pass(beside, replace(sequence, polygons=())).phases[1] == Phase.TRACKED


corner = st.tuples(st.integers(-20, 40), st.integers(-20, 40))
whole_box = st.tuples(*[st.integers(-10, 20)] * 2, *[st.integers(1, 30)] * 2)


@given(st.lists(corner, min_size=3, max_size=7, unique=True), whole_box)
@settings(deadline=None)
def test_polygon_overlap_agrees_with_got10k(corners: list, box: tuple) -> None:
    got10k = pytest.importorskip("got10k.utils.metrics")
    geometry = pytest.importorskip("shapely.geometry")
    hull = geometry.MultiPoint(corners).convex_hull
    if hull.geom_type != "Polygon":
        return
    outline = np.array(hull.exterior.coords)[:-1]
    four = np.array(geometry.box(*hull.bounds).exterior.coords)[:-1]
    for polygon in (outline, four):
        expected = geometry.Polygon(polygon).intersection(geometry.box(*to_edges(box))).area
        assert polygon_area(clip_to_box(polygon, np.array(box))) == pytest.approx(expected)
    expected = got10k.poly_iou(four.reshape(1, 8), np.array([box], float))[0]
    assert polygon_overlap(np.array(box, float), four) == pytest.approx(expected, abs=1e-6)


def to_edges(box: tuple) -> tuple:
    return box[0], box[1], box[0] + box[2], box[1] + box[3]


def test_a_concave_polygon() -> None:
    # an L of area 3, of which the box covers both ends
    outline = np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]], float)
    assert polygon_area(outline) == 3
    assert polygon_area(clip_to_box(outline, np.array([0.5, 0.5, 2, 2]))) == pytest.approx(1.25)


def test_polygon_outside_the_box() -> None:
    outline = np.array([[0, 0], [2, 0], [0, 2]], float)
    assert polygon_overlap(np.array([5.0, 5, 1, 1]), outline) == 0.0
