"""The live session: newest frame only, late init with catch-up, and that nothing stops it.

No test sleeps: each waits for an event of the session's thread, which a gate can hold.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from test.fakes import MILLISECOND, PATIENCE, FakeFrame, FakeTracker, Fleet, Stream, bad_frame
from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import ImageError
from visual_tracker.session import FrameResult, SessionSettings, Statistics
from visual_tracker.targets import TargetError
from visual_tracker.trackers import TrackState

BOX = Box(10, 10, 20, 20)
MakeStream = Callable[..., Stream]


def outcome(future: Future[Any]) -> Any:
    return future.result(timeout=PATIENCE)


def ids(result: FrameResult) -> list[str]:
    return [target.id for target in result.targets]


def start(stream: Stream, number: int = 0, target_id: str = "dog") -> FakeTracker:
    """A target that starts on the frame of this number, and its tracker."""
    future = stream.session.init_target(BOX, target_id)
    (result,) = stream.feed(number)
    assert outcome(future).target_id == target_id
    assert target_id in ids(result)
    return stream.fleet.started_on(number)


def stamp_of(number: int) -> int:
    return FakeFrame(number).stamp


# -- the newest frame only ------------------------------------------------------------------------


def test_a_slow_tracker_gets_the_newest_frame_and_the_others_are_counted(stream: Stream) -> None:
    tracker = start(stream)
    stream.fleet.gate.shut()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    stream.submit(2, 3, 4)
    stream.fleet.gate.open()
    assert [stream.result().frame.stamp for _ in range(2)] == [stamp_of(1), stamp_of(4)]
    assert tracker.seen == [1, 4]
    assert stream.session.statistics == Statistics(received=5, tracked=3, skipped=2, bad=0)


def test_results_come_in_order_with_the_image_and_the_track(stream: Stream) -> None:
    start(stream)
    results = stream.feed(1, 2)
    boxes = [result.targets[0].track.box.x for result in results]
    assert boxes == [11, 12]
    assert all(result.image is not None for result in results)


def test_a_result_says_when_the_trackers_began_and_ended(stream: Stream) -> None:
    start(stream)
    stream.fleet.gate.shut()
    before = time.time_ns()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    in_the_tracker = time.time_ns()
    stream.fleet.gate.open()
    result = stream.result()
    assert before <= result.tracking_began <= in_the_tracker <= result.tracking_ended


def test_nothing_is_decoded_while_nobody_needs_the_image(stream: Stream) -> None:
    frames = [FakeFrame(number) for number in range(3)]
    results = stream.feed(*frames)
    assert [frame.times_decoded for frame in frames] == [0, 0, 0]
    assert [(result.image, result.targets) for result in results] == [(None, ())] * 3
    assert stream.session.statistics.tracked == 3


def test_an_image_is_decoded_once_for_whoever_needs_it(make_stream: MakeStream) -> None:
    stream = make_stream(needs_image=lambda: True)
    (without_target,) = stream.feed(first := FakeFrame(0))
    start(stream, 1, "dog")
    start(stream, 2, "cat")
    stream.feed(last := FakeFrame(3))
    assert without_target.image is not None
    assert (first.times_decoded, last.times_decoded) == (1, 1)


def test_several_targets_are_tracked_each_by_its_own_tracker(stream: Stream) -> None:
    dog, cat = start(stream, 0, "dog"), start(stream, 1, "cat")
    (result,) = stream.feed(2)
    assert ids(result) == ["dog", "cat"]
    assert (dog.seen, cat.seen) == ([1, 2], [2])


# -- init ---------------------------------------------------------------------------------------


def test_an_init_without_stamp_starts_on_the_next_image(stream: Stream) -> None:
    stream.feed(0, 1)
    future = stream.session.init_target(Box(-4, 10, 20, 20), label="animal")
    (result,) = stream.feed(2)
    granted = outcome(future)
    assert (granted.target_id, granted.box) == ("target_1", Box(0, 10, 16, 20))
    assert [(target.id, target.label) for target in result.targets] == [("target_1", "animal")]
    assert stream.fleet.started_on(2).seen == []


def test_an_init_without_stamp_waits_past_bad_images(stream: Stream) -> None:
    future = stream.session.init_target(BOX, "dog")
    stream.submit(bad_frame(0))
    assert "torn to pieces" in stream.problem()
    assert not future.done()
    stream.feed(1)
    assert outcome(future).target_id == "dog"


def test_a_late_init_starts_on_its_own_frame_and_sees_every_frame_since(stream: Stream) -> None:
    stream.feed(*range(8))
    future = stream.session.init_target(BOX, "dog", stamp=stamp_of(3))
    assert outcome(future).box == BOX
    tracker = stream.fleet.started_on(3)
    tracker.wait_until_seen(7)
    (result,) = stream.feed(8)
    assert tracker.seen == [4, 5, 6, 7, 8]
    assert result.targets[0].track.box.x == BOX.x + 5


def test_frames_skipped_for_tracking_are_there_for_a_late_init(stream: Stream) -> None:
    dog = start(stream)
    stream.fleet.gate.shut()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    stream.submit(2, 3, 4)
    stream.fleet.gate.open()
    stream.result(), stream.result()
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(2)))
    cat = stream.fleet.started_on(2)
    cat.wait_until_seen(4)
    assert dog.seen == [1, 4]
    assert cat.seen == [3, 4]


def test_a_target_is_first_reported_when_it_has_caught_up(stream: Stream) -> None:
    stream.feed(*range(4))
    stream.fleet.gate.shut()
    future = stream.session.init_target(BOX, "dog", stamp=stamp_of(0))
    stream.fleet.gate.wait_for_arrivals(1)  # about to track frame 1
    assert outcome(future).target_id == "dog"
    stream.submit(4)
    stream.fleet.gate.let_one_through()
    assert ids(stream.result()) == []  # frame 4, while the target is at frame 1
    stream.fleet.gate.open()
    tracker = stream.fleet.started_on(0)
    tracker.wait_until_seen(4)
    (result,) = stream.feed(5)
    assert ids(result) == ["dog"]
    assert tracker.seen == [1, 2, 3, 4, 5]


def test_other_targets_are_tracked_between_the_steps_of_catching_up(stream: Stream) -> None:
    dog = start(stream)
    stream.feed(1, 2, 3)
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(0)))
    stream.fleet.gate.wait_for_arrivals(1)
    stream.submit(4)
    stream.fleet.gate.let_one_through()  # the cat's frame 1
    stream.fleet.gate.let_one_through()  # the dog's frame 4
    assert ids(stream.result()) == ["dog"]
    assert dog.seen == [1, 2, 3, 4]
    stream.fleet.gate.open()
    cat = next(made for made in stream.fleet.made if made.started == 0 and made is not dog)
    cat.wait_until_seen(4)
    assert cat.seen == [1, 2, 3, 4]


def test_a_long_backlog_is_thinned_out_evenly(make_stream: MakeStream) -> None:
    settings = SessionSettings(buffer_seconds=1000, init_timeout=PATIENCE, catch_up_frames=5)
    stream = make_stream(settings=settings)
    stream.feed(*range(21))
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    tracker = stream.fleet.started_on(0)
    tracker.wait_until_seen(20)
    assert tracker.seen == [4, 8, 12, 16, 20]


def test_catching_up_ends_while_frames_keep_coming(make_stream: MakeStream) -> None:
    settings = SessionSettings(buffer_seconds=1000, init_timeout=PATIENCE, catch_up_frames=5)
    stream = make_stream(settings=settings)
    stream.feed(*range(21))
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    tracker = stream.fleet.started_on(0)
    newest = 20
    # ten frames come during every single step, far more than it could ever track one by one
    for step in range(1, 6):
        stream.fleet.gate.wait_for_arrivals(step)
        stream.submit(*range(newest + 1, newest + 11))
        newest += 10
        stream.fleet.gate.let_one_through()
        if step < 5:
            assert ids(stream.result()) == []
    stream.fleet.gate.wait_for_arrivals(6)
    stream.fleet.gate.open()
    assert ids(stream.result()) == ["dog"]
    # a fifth of the backlog, then a quarter of what is left, and so on to the newest
    assert tracker.seen == [4, 11, 21, 36, 60, 70]


def test_a_bad_image_in_the_backlog_is_reported_and_passed_over(stream: Stream) -> None:
    stream.feed(0)
    stream.submit(bad_frame(1))
    # nobody needed the image, so nobody has noticed
    stream.result()
    stream.feed(2)
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    assert stream.problem() == "a buffered image was not used: torn to pieces"
    tracker = stream.fleet.started_on(0)
    tracker.wait_until_seen(2)
    assert tracker.seen == [2]


def test_the_frame_nearest_to_the_stamp_is_taken(stream: Stream) -> None:
    stream.feed(0, 1, 2)
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(1) + 30 * MILLISECOND))
    assert stream.fleet.started_on(1)


def test_a_stamp_older_than_the_buffer_is_refused_with_its_span(make_stream: MakeStream) -> None:
    settings = SessionSettings(buffer_seconds=0.3, init_timeout=PATIENCE)
    stream = make_stream(settings=settings)
    stream.feed(*range(10))
    future = stream.session.init_target(BOX, stamp=stamp_of(2))
    with pytest.raises(TargetError) as refused:
        outcome(future)
    assert str(refused.value) == (
        "the stamp 0.300000000 is not among the images kept, which span 0.700000000 to 1.000000000"
    )


def test_a_stamp_far_ahead_is_refused_at_once_with_the_span(stream: Stream) -> None:
    stream.feed(0, 1)
    future = stream.session.init_target(BOX, stamp=stamp_of(1) + int(2 * PATIENCE * 1e9))
    with pytest.raises(TargetError, match=r"which span 0\.100000000 to 0\.200000000"):
        future.result(timeout=PATIENCE / 2)


def test_a_stamp_just_ahead_is_waited_for(stream: Stream) -> None:
    stream.feed(0, 1)
    future = stream.session.init_target(BOX, "dog", stamp=stamp_of(3))
    stream.feed(2)
    assert not future.done()
    (result,) = stream.feed(3)
    assert outcome(future).target_id == "dog"
    assert ids(result) == ["dog"]
    assert stream.fleet.started_on(3)


def test_a_stamp_between_two_frames_is_waited_for_and_starts_on_the_nearest(
    stream: Stream,
) -> None:
    stream.feed(0, 1)
    future = stream.session.init_target(BOX, "dog", stamp=stamp_of(2) + 10 * MILLISECOND)
    stream.feed(2)
    assert not future.done()
    stream.feed(3)
    outcome(future)
    tracker = stream.fleet.started_on(2)
    tracker.wait_until_seen(3)


@pytest.mark.parametrize(
    ("stamp", "frames", "why"),
    [
        (None, [], "no usable image has come within 0.05 s"),
        (None, [0, 1], "no usable image has come within 0.05 s"),
        (130 * MILLISECOND, [], "no usable image has come within 0.05 s"),
        (230 * MILLISECOND, [0, 1], r"the stamp 0\.230000000 is not .* 0\.100000000 to 0\.2000"),
    ],
)
def test_an_init_whose_image_does_not_come_is_refused_in_the_end(
    make_stream: MakeStream, stamp: int | None, frames: list[int], why: str
) -> None:
    stream = make_stream(settings=SessionSettings(init_timeout=0.05))
    stream.feed(*frames)
    with pytest.raises(TargetError, match=why):
        outcome(stream.session.init_target(BOX, stamp=stamp))
    # the stream goes on; another init here would have to be granted within 0.05 s
    stream.feed(5)


@pytest.mark.parametrize("needed", [False, True])
def test_an_init_on_a_bad_image_is_refused(make_stream: MakeStream, needed: bool) -> None:
    stream = make_stream(needs_image=lambda: needed)
    stream.submit(bad_frame(0))
    _ = stream.problem() if needed else stream.result()
    with pytest.raises(ImageError, match="image of that stamp is bad: torn to pieces"):
        outcome(stream.session.init_target(BOX, stamp=stamp_of(0)))


def test_an_init_waiting_for_an_image_that_comes_bad_is_refused(stream: Stream) -> None:
    stream.feed(0)
    future = stream.session.init_target(BOX, stamp=stamp_of(1))
    stream.submit(bad_frame(1))
    with pytest.raises(ImageError, match="an image was not used: torn to pieces"):
        outcome(future)


def test_a_bad_box_is_refused_and_the_running_targets_go_on(stream: Stream) -> None:
    tracker = start(stream)
    future = stream.session.init_target(Box(500, 500, 10, 10), "dog")
    (result,) = stream.feed(1)
    with pytest.raises(BoxError, match="outside the 64x48 image"):
        outcome(future)
    assert ids(result) == ["dog"]
    stream.feed(2)
    assert tracker.seen == [1, 2]


def test_more_than_max_targets_are_refused(make_stream: MakeStream) -> None:
    stream = make_stream(max_targets=1)
    start(stream)
    future = stream.session.init_target(BOX, "cat")
    stream.feed(1)
    with pytest.raises(TargetError, match="1 targets already"):
        outcome(future)


def test_a_tracker_that_cannot_start_refuses_the_init_and_the_stream_goes_on(
    stream: Stream,
) -> None:
    stream.fleet.fails_on = {0}
    future = stream.session.init_target(BOX)
    stream.feed(0)
    with pytest.raises(TargetError, match="could not start on this box: cannot start"):
        outcome(future)
    start(stream, 1)


def test_a_target_started_again_while_it_catches_up_forgets_the_old_start(stream: Stream) -> None:
    stream.feed(*range(4))
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    stream.fleet.gate.wait_for_arrivals(1)
    again = stream.session.init_target(Box(30, 10, 9, 9), "dog")
    stream.submit(4)
    stream.fleet.gate.open()
    outcome(again)
    stream.result()
    (result,) = stream.feed(5)
    assert [(each.id, each.track.box.x) for each in result.targets] == [("dog", 31)]
    assert stream.fleet.started_on(4).seen == [5]
    assert len(stream.fleet.started_on(0).seen) <= 2


def test_a_target_started_again_on_a_past_image_is_reported_lost_until_it_has_caught_up(
    stream: Stream,
) -> None:
    start(stream)
    stream.feed(1, 2, 3)
    stream.fleet.gate.shut()
    again = stream.session.init_target(Box(30, 10, 9, 9), "dog", "terrier", stamp_of(1))
    stream.fleet.gate.wait_for_arrivals(1)  # about to track frame 2
    outcome(again)
    for number in (4, 5):
        stream.submit(number)
        stream.fleet.gate.let_one_through()
        (dog,) = stream.result().targets
        assert (dog.id, dog.label, dog.frames_since_seen) == ("dog", "terrier", number - 3)
        assert dog.track.state is TrackState.LOST
        assert dog.track.box.x == 13  # where it was in frame 3
    stream.fleet.gate.open()
    stream.fleet.started_on(1).wait_until_seen(5)
    (result,) = stream.feed(6)
    (dog,) = result.targets
    assert (dog.track.state, dog.track.box.x) == (TrackState.TRACKING, 35)


def test_a_target_started_again_twice_is_reported_as_it_was_before_both(stream: Stream) -> None:
    start(stream)
    stream.feed(1, 2, 3)
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(Box(30, 10, 9, 9), "dog", stamp=stamp_of(1)))
    stream.fleet.gate.wait_for_arrivals(1)  # about to track frame 2
    again = stream.session.init_target(Box(40, 10, 9, 9), "dog", stamp=stamp_of(2))
    for number in (4, 5):
        stream.submit(number)
        stream.fleet.gate.let_one_through()
        (dog,) = stream.result().targets
        assert (dog.track.state, dog.track.box.x) == (TrackState.LOST, 13)
        assert dog.frames_since_seen == number - 3
    outcome(again)
    stream.fleet.gate.open()


def test_a_target_started_twice_before_it_was_ever_reported_is_left_out_as_after_once(
    stream: Stream,
) -> None:
    stream.feed(0, 1, 2)
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    stream.fleet.gate.wait_for_arrivals(1)  # about to track frame 1
    again = stream.session.init_target(Box(30, 10, 9, 9), "dog", stamp=stamp_of(1))
    for number in (3, 4):
        stream.submit(number)
        stream.fleet.gate.let_one_through()
        assert stream.result().targets == ()
    outcome(again)
    stream.fleet.gate.open()
    stream.fleet.started_on(1).wait_until_seen(4)
    (result,) = stream.feed(5)
    assert [(dog.id, dog.track.box.x) for dog in result.targets] == [("dog", 34)]


def test_reports_follow_requests_without_an_image(stream: Stream) -> None:
    start(stream)
    stream.feed(1)
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(1)))
    outcome(stream.session.set_tracker_parameters({}))  # the turn after it
    assert [report.id for report in stream.session.reports] == ["dog", "cat"]
    outcome(stream.session.remove_target("dog"))
    outcome(stream.session.set_tracker_parameters({}))
    assert [report.id for report in stream.session.reports] == ["cat"]


def test_a_stream_whose_stamps_start_again_is_tracked_on(stream: Stream) -> None:
    start(stream, 50)
    stream.feed(51, 3, 4)
    assert stream.fleet.started_on(50).seen == [51, 3, 4]
    assert "went back by 4.800 s" in stream.problem()
    with pytest.raises(TargetError, match=r"span 0\.400000000 to 0\.500000000"):
        outcome(stream.session.init_target(BOX, stamp=int(100e9)))


def test_images_without_a_stamp_are_tracked_and_cannot_be_named(make_stream: MakeStream) -> None:
    stream = make_stream()
    future = stream.session.init_target(BOX, "dog")
    for number in range(3):
        stream.submit(FakeFrame(number, stamp=0))
        assert ids(stream.result()) == ["dog"]
    assert outcome(future).target_id == "dog"
    assert stream.fleet.started_on(0).seen == [1, 2]
    hasty = make_stream(settings=SessionSettings(init_timeout=0.05))
    hasty.submit(FakeFrame(0, stamp=0))
    hasty.result()
    with pytest.raises(TargetError, match="the images carry no stamp"):
        outcome(hasty.session.init_target(BOX, "cat", stamp=5))


def test_an_image_without_a_stamp_among_others_takes_nothing_from_a_late_init(
    stream: Stream,
) -> None:
    stream.feed(0, 1)
    future = stream.session.init_target(BOX, "dog")
    stream.submit(FakeFrame(2, stamp=0))
    assert ids(stream.result()) == ["dog"]
    assert outcome(future).target_id == "dog"
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(0)))
    stream.fleet.started_on(0).wait_until_seen(1)


def test_images_that_come_while_a_tracker_is_at_work_take_no_more_memory_than_allowed(
    make_stream: MakeStream,
) -> None:
    stream = make_stream(settings=SessionSettings(buffer_bytes=500, init_timeout=PATIENCE))
    start(stream)
    stream.fleet.gate.shut()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    for number in range(2, 40):
        stream.submit(number)
    held = stream.session._arrived
    assert len(held) == 5  # of 100 bytes each
    stream.fleet.gate.open()
    stream.result()
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(36)))


# -- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["fails_check", "fails_decode"])
def test_a_bad_image_is_counted_and_reported_and_the_session_goes_on(
    stream: Stream, where: str
) -> None:
    tracker = start(stream)
    bad = FakeFrame(1)
    setattr(bad, where, ImageError("torn to pieces"))
    stream.submit(bad)
    assert stream.problem() == "an image was not used: torn to pieces"
    stream.feed(2)
    assert tracker.seen == [2]
    assert stream.session.statistics == Statistics(received=3, tracked=2, skipped=0, bad=1)


def test_a_decoder_that_breaks_does_not_stop_the_session(stream: Stream) -> None:
    tracker = start(stream)
    broken = FakeFrame(1)
    broken.fails_decode = RuntimeError("the library below is broken")
    stream.submit(broken)
    assert "the library below is broken" in stream.problem()
    stream.feed(2)
    assert tracker.seen == [2]


def test_an_init_on_a_frame_that_breaks_the_decoder_is_refused(stream: Stream) -> None:
    broken = FakeFrame(0)
    broken.fails_decode = RuntimeError("the library below is broken")
    stream.feed(broken)
    with pytest.raises(Exception, match="the library below is broken"):
        outcome(stream.session.init_target(BOX, stamp=stamp_of(0)))
    start(stream, 1)


def test_a_target_whose_tracker_fails_is_lost_for_that_frame_and_the_others_go_on(
    stream: Stream,
) -> None:
    start(stream, 0, "dog")
    stream.fleet.fails_on = {1}
    (failed,) = stream.feed(1)
    assert stream.problem() == "the tracker of target 'dog' failed: out of luck"
    (healed,) = stream.feed(2)
    states = [result.targets[0].track.state for result in (failed, healed)]
    assert states == [TrackState.LOST, TrackState.TRACKING]


def test_a_lost_target_is_still_reported(stream: Stream) -> None:
    start(stream)
    stream.fleet.lost_on = {1, 2}
    results = stream.feed(1, 2)
    assert [result.targets[0].frames_since_seen for result in results] == [1, 2]


def test_an_image_of_another_size_loses_the_target_and_the_session_goes_on(
    stream: Stream,
) -> None:
    start(stream)
    large = FakeFrame(1)
    large.size = (80, 60)
    (result,) = stream.feed(large)
    assert result.targets[0].track.is_lost
    assert "initialised on 64x48 images and is lost on 80x60" in stream.problem()
    (result,) = stream.feed(2)
    assert not result.targets[0].track.is_lost


def test_an_exception_in_the_callback_does_not_stop_the_session(stream: Stream) -> None:
    def fail(result: FrameResult) -> None:
        raise RuntimeError("nobody listens")

    stream.on_result = fail
    stream.feed(0)
    problem = stream.problem()
    assert problem.startswith("internal error: ")
    assert "nobody listens" in problem
    stream.on_result = lambda result: None
    start(stream, 1)


# -- other requests -----------------------------------------------------------------------------


def test_a_target_is_removed_without_an_image(stream: Stream) -> None:
    tracker = start(stream)
    assert outcome(stream.session.remove_target("dog")) is None
    (result,) = stream.feed(1)
    assert ids(result) == []
    assert tracker.seen == []
    with pytest.raises(TargetError, match="no target 'dog'; targets: none"):
        outcome(stream.session.remove_target("dog"))


def test_all_targets_are_cleared_also_those_catching_up(stream: Stream) -> None:
    dog = start(stream, 0, "dog")
    stream.feed(1, 2)
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "cat", stamp=stamp_of(0)))
    stream.fleet.gate.wait_for_arrivals(1)
    cleared = stream.session.clear_targets()
    stream.fleet.gate.open()
    assert outcome(cleared) == 2
    (result,) = stream.feed(3)
    assert ids(result) == []
    cat = next(made for made in stream.fleet.made if made.started == 0 and made is not dog)
    assert (dog.seen, cat.seen) == ([1, 2], [1])


def test_targets_whose_init_still_waits_are_cleared_and_removed_too(stream: Stream) -> None:
    start(stream)
    removed = stream.session.init_target(BOX, "cat")
    outcome(stream.session.remove_target("cat"))
    with pytest.raises(TargetError, match="removed meanwhile"):
        outcome(removed)
    cleared = stream.session.init_target(BOX, "cow")
    assert outcome(stream.session.clear_targets()) == 1
    with pytest.raises(TargetError, match="cleared meanwhile"):
        outcome(cleared)
    (result,) = stream.feed(1)
    assert ids(result) == []


def test_a_target_whose_restart_still_waits_is_removed_with_it(stream: Stream) -> None:
    tracker = start(stream)
    again = stream.session.init_target(BOX, "dog")
    outcome(stream.session.remove_target("dog"))
    with pytest.raises(TargetError, match="removed meanwhile"):
        outcome(again)
    (result,) = stream.feed(1)
    assert ids(result) == []
    assert tracker.seen == []


def test_a_target_removed_while_it_catches_up_is_tracked_no_more(stream: Stream) -> None:
    stream.feed(*range(6))
    stream.fleet.gate.shut()
    outcome(stream.session.init_target(BOX, "dog", stamp=stamp_of(0)))
    stream.fleet.gate.wait_for_arrivals(1)
    removed = stream.session.remove_target("dog")
    stream.fleet.gate.open()
    outcome(removed)
    (result,) = stream.feed(6)
    assert ids(result) == []
    assert stream.fleet.started_on(0).seen == [1]


def test_parameters_are_changed_on_every_tracker(stream: Stream) -> None:
    start(stream)
    outcome(stream.session.set_tracker_parameters({"gain": 0.25}))
    assert [tracker.parameters.gain for tracker in stream.fleet.made] == [0.25] * 4


def test_a_cancelled_init_starts_nothing_and_the_next_is_served(stream: Stream) -> None:
    cancelled = stream.session.init_target(BOX, "cat")
    waiting = stream.session.init_target(BOX, "dog")
    assert cancelled.cancel()
    (result,) = stream.feed(0)
    assert outcome(waiting).target_id == "dog"
    assert ids(result) == ["dog"]
    assert stream.nothing_more


def test_a_cancelled_init_that_would_be_refused_does_not_keep_the_next_from_it(
    stream: Stream,
) -> None:
    stream.feed(0)
    cancelled, waiting = (stream.session.init_target(BOX, stamp=stamp_of(1)) for _ in range(2))
    assert cancelled.cancel()
    stream.submit(bad_frame(1))
    with pytest.raises(ImageError, match="torn to pieces"):
        outcome(waiting)
    assert stream.problem() == "an image was not used: torn to pieces"
    assert stream.nothing_more


def test_a_cancelled_command_is_not_run_and_the_next_is(stream: Stream) -> None:
    start(stream)
    stream.fleet.gate.shut()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    cancelled = stream.session.remove_target("dog")
    cleared = stream.session.clear_targets()
    assert cancelled.cancel()
    stream.fleet.gate.open()
    assert outcome(cleared) == 1


def test_requests_are_served_on_one_thread(make_stream: MakeStream, fleet: Fleet) -> None:
    stream = make_stream(needs_image=fleet.note_thread)
    stream.on_result = fleet.note_thread
    stream.feed(0)
    tracker = start(stream, 1)
    fleet.gate.shut()
    stream.submit(2)
    fleet.gate.wait_for_arrivals(1)
    requests: list[Future[Any]] = [
        stream.session.init_target(BOX, "cat"),
        stream.session.set_tracker_parameters({"gain": 0.25}),
        stream.session.remove_target("dog"),
    ]
    for request in requests:
        # called by whoever serves the request, or here and now if that has been done already
        request.add_done_callback(fleet.note_thread)
    stream.submit(3)
    fleet.gate.open()
    _, last = stream.result(), stream.result()
    assert ids(last) == ["cat"]
    assert tracker.parameters.gain == 0.25
    assert len(fleet.threads) == 1
    assert threading.get_ident() not in fleet.threads


# -- the end ------------------------------------------------------------------------------------


def test_close_refuses_an_init_that_waits(stream: Stream) -> None:
    future = stream.session.init_target(BOX)
    stream.session.close()
    with pytest.raises(TargetError, match="the session is closed"):
        future.result(timeout=0)


def test_close_passes_over_an_init_that_was_cancelled(stream: Stream) -> None:
    cancelled, waiting = (stream.session.init_target(BOX) for _ in range(2))
    assert cancelled.cancel()
    stream.session.close()
    with pytest.raises(TargetError, match="the session is closed"):
        waiting.result(timeout=0)


def test_close_answers_commands_that_wait(stream: Stream) -> None:
    start(stream)
    stream.fleet.gate.shut()
    stream.submit(1)
    stream.fleet.gate.wait_for_arrivals(1)
    waiting = [stream.session.remove_target("dog"), stream.session.clear_targets()]
    closing = threading.Thread(target=stream.session.close)
    closing.start()
    # close has been heard as soon as new requests are refused
    while not (late := stream.session.clear_targets()).done():
        waiting.append(late)
    stream.fleet.gate.open()
    closing.join(PATIENCE)
    assert not closing.is_alive()
    for future in waiting:
        with pytest.raises(TargetError, match="the session is closed"):
            future.result(timeout=0)


def test_requests_after_close_are_refused_and_close_may_be_called_again(stream: Stream) -> None:
    stream.session.close()
    stream.session.close()
    for future in (
        stream.session.init_target(BOX),
        stream.session.remove_target("dog"),
        stream.session.clear_targets(),
        stream.session.set_tracker_parameters({"gain": 0.1}),
    ):
        with pytest.raises(TargetError, match="the session is closed"):
            future.result(timeout=0)
