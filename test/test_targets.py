"""The set of targets: names, limits, failures and the reuse of trackers."""

from __future__ import annotations

import pytest

from test.fakes import Fleet, picture
from visual_tracker.boxes import Box, BoxError
from visual_tracker.targets import TargetError, TargetSet
from visual_tracker.trackers import TrackState

BOX = Box(10, 10, 20, 20)


@pytest.fixture
def targets(fleet: Fleet) -> TargetSet:
    return TargetSet(fleet.new_tracker, max_targets=2)


def test_all_trackers_are_made_beforehand_and_used_again(fleet: Fleet, targets: TargetSet) -> None:
    assert len(fleet.made) == 3
    for round_number in range(5):
        targets.init(picture(round_number), BOX, "a")
        targets.init(picture(round_number), BOX, "b")
        targets.remove("b")
    assert targets.clear() == 1
    assert len(fleet.made) == 3
    assert {id(tracker) for tracker in targets.trackers()} == {id(made) for made in fleet.made}
    assert len(targets.trackers()) == 3


def test_targets_without_a_name_get_new_ones(targets: TargetSet) -> None:
    assert targets.init(picture(0), BOX).id == "target_1"
    assert targets.init(picture(0), BOX).id == "target_2"
    targets.remove("target_2")
    assert targets.init(picture(0), BOX).id == "target_3"


def test_a_name_in_use_is_passed_over(targets: TargetSet) -> None:
    targets.init(picture(0), BOX, "target_1")
    assert targets.init(picture(0), BOX).id == "target_2"


def test_a_target_keeps_the_name_and_label_given(targets: TargetSet) -> None:
    report = targets.init(picture(0), BOX, "dog", "animal").report()
    assert (report.id, report.label, report.frames_since_seen) == ("dog", "animal", 0)
    assert (report.track.box, report.track.state) == (BOX, TrackState.TRACKING)


def test_the_box_is_kept_as_clipped(targets: TargetSet) -> None:
    assert targets.init(picture(0), Box(-5, -6, 20, 20)).track.box == Box(0, 0, 15, 14)


def test_more_than_max_targets_are_refused(targets: TargetSet) -> None:
    targets.init(picture(0), BOX, "a")
    targets.init(picture(0), BOX, "b")
    with pytest.raises(TargetError, match="there are 2 targets already"):
        targets.init(picture(0), BOX, "c")
    with pytest.raises(TargetError, match="there are 2 targets already"):
        targets.init(picture(0), BOX)
    assert list(targets.targets) == ["a", "b"]


def test_a_target_can_be_started_again_even_where_there_are_max_targets(
    targets: TargetSet, fleet: Fleet
) -> None:
    targets.init(picture(0), BOX, "a", "first")
    targets.init(picture(0), BOX, "b")
    moved = targets.init(picture(3), Box(1, 2, 9, 9), "a", "second")
    assert targets.targets["a"] is moved
    assert (moved.label, moved.track.box) == ("second", Box(1, 2, 9, 9))
    assert moved.tracker is fleet.started_on(3)
    assert len(targets.trackers()) == 3


@pytest.mark.parametrize(
    ("image", "box", "error"),
    [
        (picture(1), Box(100, 100, 9, 9), BoxError),
        (picture(1), Box(1, 1, 2, 9), BoxError),
        (picture(66), BOX, RuntimeError),
    ],
)
def test_a_refused_restart_leaves_the_old_target_as_it_was(
    targets: TargetSet, fleet: Fleet, image: object, box: Box, error: type[Exception]
) -> None:
    fleet.fails_on = {66}
    old = targets.init(picture(0), BOX, "a")
    old.follow(picture(1))
    with pytest.raises(error):
        targets.init(image, box, "a")  # type: ignore[arg-type]
    assert targets.targets == {"a": old}
    assert old.follow(picture(2)) is None
    assert old.track.box == Box(12, 10, 20, 20)
    assert fleet.started_on(0).seen == [1, 2]
    assert len(targets.trackers()) == 3


def test_frames_since_seen_counts_the_frames_in_which_it_is_lost(
    targets: TargetSet, fleet: Fleet
) -> None:
    fleet.lost_on = {2, 3, 5}
    target = targets.init(picture(0), BOX)
    counts = []
    for number in range(1, 7):
        assert target.follow(picture(number)) is None
        counts.append((target.track.is_lost, target.report().frames_since_seen))
    assert counts == [(False, 0), (True, 1), (True, 2), (False, 0), (True, 1), (False, 0)]


def test_a_tracker_that_fails_loses_its_target_for_that_frame_only(
    targets: TargetSet, fleet: Fleet
) -> None:
    fleet.fails_on = {2}
    target = targets.init(picture(0), BOX, "dog")
    assert target.follow(picture(1)) is None
    held = target.track.box
    problem = target.follow(picture(2))
    assert problem == "the tracker of target 'dog' failed: out of luck"
    assert (target.track.box, target.track.is_lost, target.frames_since_seen) == (held, True, 1)
    assert target.follow(picture(3)) is None
    assert (target.track.is_lost, target.frames_since_seen) == (False, 0)


def test_an_image_of_another_size_loses_the_target_and_is_not_tracked(
    targets: TargetSet, fleet: Fleet
) -> None:
    target = targets.init(picture(0), BOX, "dog")
    problem = target.follow(picture(1, width=80, height=60))
    assert problem == (
        "target 'dog' was initialised on 64x48 images and is lost on 80x60; initialise it again"
    )
    assert target.track.is_lost
    assert target.frames_since_seen == 1
    assert target.follow(picture(2)) is None
    assert not target.track.is_lost
    assert fleet.started_on(0).seen == [2]


def test_removing_an_unknown_target_is_refused_with_those_known(targets: TargetSet) -> None:
    with pytest.raises(TargetError, match="no target 'cat'; targets: none"):
        targets.remove("cat")
    targets.init(picture(0), BOX, "dog")
    with pytest.raises(TargetError, match="no target 'cat'; targets: dog"):
        targets.remove("cat")
    targets.remove("dog")
    assert targets.targets == {}


def test_clear_says_how_many_there_were(targets: TargetSet) -> None:
    assert targets.clear() == 0
    targets.init(picture(0), BOX)
    targets.init(picture(0), BOX)
    assert targets.clear() == 2
    assert targets.targets == {}


def test_a_name_once_given_by_the_user_is_not_given_again(fleet: Fleet) -> None:
    targets = TargetSet(fleet.new_tracker, max_targets=2)
    targets.init(picture(0), Box(10, 10, 20, 20), target_id="target_1")
    targets.remove("target_1")
    assert targets.init(picture(0), Box(10, 10, 20, 20)).id == "target_2"
