"""ADNet at work: follows, loses, finds, learns in slices, and the same every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from test.fakes import textured_square
from visual_tracker.adnet.history import empty_histories
from visual_tracker.boxes import Box
from visual_tracker.trackers import (
    Track,
    Tracker,
    TrackerUnavailableError,
    TrackState,
    create_tracker,
    tracker_class,
)
from visual_tracker.trackers.adnet import (
    AdnetFastParameters,
    AdnetParameters,
    AdnetTracker,
    _Found,
)

NAMES = ("adnet", "adnet_fast")

#: a start that takes a fraction of a second
SHORT = {"first_positives": 40, "first_negatives": 80, "first_steps": 20, "policy_steps": 6}


def run(tracker: Tracker, frames: int = 8) -> list[Track]:
    images, boxes = textured_square(frames)
    tracker.init(images[0], boxes[0])
    return [tracker.track(image) for image in images[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_a_moving_textured_square_is_followed(name: str) -> None:
    _, boxes = textured_square(12)
    tracks = run(create_tracker(name, "cpu", **SHORT), 12)
    assert not any(track.is_lost for track in tracks)
    assert tracks[-1].box.iou(boxes[-1]) > 0.6
    # standing still would not do
    assert boxes[0].iou(boxes[-1]) < 0.2
    for track in tracks:
        assert track.confidence is not None
        assert 0.5 <= track.confidence <= 1
        assert track.search_region is not None
        # the aspect is kept
        assert track.box.width == pytest.approx(track.box.height)


@pytest.mark.parametrize("far_regions", [0, 4])
def test_the_fewest_boxes_of_the_first_frame_are_enough_to_start(far_regions: int) -> None:
    fewest = {"first_positives": 1, "first_negatives": 1, "far_regions": far_regions}
    tracks = run(create_tracker("adnet_fast", "cpu", **{**SHORT, **fewest}), 3)
    assert all(track.confidence is not None for track in tracks)


def test_the_same_images_and_seed_give_the_same_boxes() -> None:
    first, second = (create_tracker("adnet_fast", "cpu", **SHORT) for _ in range(2))
    tracks = run(first)
    assert run(second) == tracks
    assert run(first) == tracks  # a second target starts anew


def test_a_target_that_is_gone_is_lost_where_it_was_and_found_again() -> None:
    images, boxes = textured_square(6, step=(2, 1))
    tracker = create_tracker("adnet_fast", "cpu", largest_search=6.0)
    tracker.init(images[0], boxes[0])
    held = [tracker.track(image) for image in images[1:4]][-1]
    empty = np.full_like(images[0], 125)
    lost = [tracker.track(empty) for _ in range(3)]
    assert {track.state for track in lost} == {TrackState.LOST}
    assert {track.box for track in lost} == {held.box}
    # where it is looked for grows
    areas = [track.search_region.area for track in lost if track.search_region is not None]
    assert areas[0] < areas[-1]
    found = [tracker.track(images[4]) for _ in range(2)][-1]
    assert found.state is TrackState.TRACKING
    assert found.box.iou(boxes[4]) > 0.4


def test_a_target_that_is_lost_for_hours_is_still_looked_for() -> None:
    images, boxes = textured_square(2)
    tracker = create_tracker("adnet_fast", "cpu", **SHORT)
    tracker.init(images[0], boxes[0])
    tracker.set_parameters({"lost_threshold": 1.0, "found_threshold": 1.0})
    assert tracker.track(images[1]).is_lost
    tracker._failures = 500_000  # type: ignore[attr-defined]
    assert tracker.track(images[1]).is_lost
    tracker.set_parameters({"lost_threshold": 0.5, "found_threshold": 0.5})
    assert not tracker.track(images[1]).is_lost


@pytest.mark.parametrize("name", ["mdnet", "adnet_fast"])
def test_a_caller_who_infers_with_torch_does_not_keep_it_from_learning(name: str) -> None:
    import torch

    expected = run(create_tracker(name, "cpu", **_short_of(name)))
    with torch.inference_mode():
        assert run(create_tracker(name, "cpu", **_short_of(name))) == expected
        assert torch.is_inference_mode_enabled()


def _short_of(name: str) -> dict[str, int]:
    fields = tracker_class(name).parameters_class.specs()
    return {key: value for key, value in SHORT.items() if key in {one.name for one in fields}}


@pytest.mark.parametrize("region", [3.8, 6.0])
def test_a_lost_target_is_looked_for_in_every_new_image(
    region: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, boxes = textured_square(2)
    tracker = create_tracker("adnet", "cpu", region=region, **SHORT)
    tracker.init(images[0], boxes[0])
    tracker.set_parameters({"lost_threshold": 1.0, "found_threshold": 1.0})
    seen: list[int] = []
    look = AdnetTracker._look

    def watched(self: AdnetTracker, image: np.ndarray, box: Box, sides: float) -> None:
        seen.append(int(image[0, 0, 0]))
        look(self, image, box, sides)

    monkeypatch.setattr(AdnetTracker, "_look", watched)
    for grey in (10, 20, 30):
        assert tracker.track(np.full_like(images[0], grey)).is_lost
    assert set(seen) == {10, 20, 30}


def test_all_that_a_search_tries_lies_in_the_region_at_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the policy has left the first region, and a second one was encoded there."""
    images, boxes = textured_square(2)
    tracker = create_tracker("adnet", "cpu", **SHORT)
    assert isinstance(tracker, AdnetTracker)
    tracker.init(images[0], boxes[0])
    last = boxes[0]
    away = Box(last.x + 3 * last.width, last.y, last.width, last.height)
    looks: list[Box] = []
    look, search = AdnetTracker._look, AdnetTracker._search

    def moved(self: AdnetTracker, start: Box, size: Any) -> tuple[Box, float]:
        return (away if start == last else start), 0.9

    def looked(self: AdnetTracker, image: np.ndarray, box: Box, sides: float) -> None:
        looks.append(box)
        look(self, image, box, sides)

    def searched(self: AdnetTracker, image: np.ndarray, around: Box) -> tuple[Box, float]:
        found, _ = search(self, image, around)
        assert looks[-1] == around
        return found, 0.1

    monkeypatch.setattr(AdnetTracker, "_moved", moved)
    monkeypatch.setattr(AdnetTracker, "_look", looked)
    monkeypatch.setattr(AdnetTracker, "_search", searched)
    assert tracker.track(images[1]).box == away
    # and what is kept of the target is taken from around where it is
    assert looks == [last, away, last, away]


def test_what_stood_beside_the_target_is_not_taken_for_it() -> None:
    images, boxes = textured_square(2, step=(0, 0))
    x, y, width, height = (int(value) for value in boxes[0].xywh)
    stripes = np.zeros((height, width, 3), np.uint8)
    stripes[:, ::10] = stripes[:, 1::10] = stripes[:, 2::10] = (40, 200, 250)
    first, later = images[0].copy(), images[0].copy()
    first[y : y + height, x + width + 10 : x + 2 * width + 10] = stripes
    later[y : y + height, x : x + width] = stripes
    tracker = create_tracker("adnet", "cpu")
    tracker.init(first, boxes[0])
    assert tracker.track(first).state is TrackState.TRACKING
    covered = tracker.track(later)
    assert covered.confidence is not None
    assert covered.confidence < 0.5
    assert covered.state is TrackState.LOST


@pytest.mark.parametrize(("way", "looks"), [(0.3, 1), (0.5, 2)])
def test_a_policy_that_leaves_its_region_gets_another(
    way: float, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, boxes = textured_square(1)
    tracker = create_tracker("adnet_fast", "cpu", **SHORT, region=1.8)
    tracker.init(images[0], boxes[0])
    looked: list[Box] = []
    x, y, width, height = boxes[0].xywh
    there = Box(x + way * width, y, width, height)
    monkeypatch.setattr(tracker, "_look", lambda image, box, sides: looked.append(box))
    monkeypatch.setattr(tracker, "_moved", lambda start, size: (there, 0.9))
    assert tracker._follow(images[0], boxes[0]) == (there, 0.9)  # type: ignore[attr-defined]
    assert looked == [boxes[0], there][:looks]


HERE, NEAR, AWAY = Box(50, 50, 40, 40), Box(54, 52, 40, 40), Box(90, 50, 40, 40)


@pytest.mark.parametrize(
    ("threshold", "other", "surer", "expected", "is_followed"),
    [
        (1.0, NEAR, 0.9, NEAR, True),
        (1.0, AWAY, 0.9, AWAY, False),
        (1.0, AWAY, 0.6, HERE, True),
        (0.5, AWAY, 0.9, HERE, True),
    ],
    ids=["surer near by", "surer elsewhere", "no surer", "no doubt"],
)
def test_the_surer_box_is_taken_in_doubt(
    threshold: float,
    other: Box,
    surer: float,
    expected: Box,
    is_followed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, boxes = textured_square(1)
    tracker: Any = create_tracker("adnet_fast", "cpu", **SHORT, doubt_threshold=threshold)
    tracker.init(images[0], boxes[0])
    histories = tracker._histories

    def search(image: np.ndarray, last: Box) -> tuple[Box, float]:
        tracker._histories = histories + 1
        return other, surer

    monkeypatch.setattr(tracker, "_follow", lambda image, last: (HERE, 0.7))
    monkeypatch.setattr(tracker, "_search", search)
    found = tracker._found(images[0], boxes[0])
    assert found == (expected, 0.7 if expected is HERE else surer, True, is_followed)
    # the actions remembered are those that led to the box taken
    np.testing.assert_array_equal(tracker._histories, histories + (expected is not HERE))


@pytest.mark.parametrize(
    ("end", "is_kept"), [(0.85, False), (0.4, True)], ids=["about as sure", "spoiled"]
)
def test_a_candidate_that_the_policy_spoils_is_taken_as_it_is(
    end: float, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, boxes = textured_square(1)
    tracker: Any = create_tracker("adnet_fast", "cpu", **SHORT)
    tracker.init(images[0], boxes[0])
    histories = tracker._histories

    def moved(start: Box, image_size: tuple[int, int]) -> tuple[Box, float]:
        assert start == HERE
        tracker._histories = histories + 1
        return NEAR, end

    monkeypatch.setattr(tracker, "_moved", moved)
    monkeypatch.setattr(tracker, "_confidence", lambda box: 0.9)
    expected = (HERE, 0.9) if is_kept else (NEAR, end)
    assert tracker._improved(HERE, (160, 120)) == expected
    # the actions remembered are those that led to the box taken
    remembered = empty_histories(1) if is_kept else histories + 1
    np.testing.assert_array_equal(tracker._histories, remembered)


def test_a_search_starts_from_the_mean_of_the_best_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, boxes = textured_square(1)
    starts = []
    for best in (1, 4):
        tracker: Any = create_tracker("adnet_fast", "cpu", **SHORT, best=best)
        tracker.init(images[0], boxes[0])
        monkeypatch.setattr(tracker, "_improved", lambda start, size: (start, 0.9))
        starts.append(tracker._search(images[0], boxes[0])[0])
    assert starts[0] != starts[1]
    assert all(start.iou(boxes[0]) > 0.6 for start in starts)


def test_a_threshold_that_no_confidence_reaches_loses_everything() -> None:
    tracks = run(create_tracker("adnet_fast", "cpu", lost_threshold=1.0, **SHORT), 4)
    assert {track.state for track in tracks} == {TrackState.LOST}


def test_learning_takes_a_slice_a_frame() -> None:
    tracker = create_tracker(
        "adnet_fast", "cpu", **SHORT, update_interval=2, update_steps=5, steps_per_frame=2
    )
    images, boxes = textured_square(6)
    tracker.init(images[0], boxes[0])
    learning = []
    for image in images[1:]:
        tracker.track(image)
        learning.append(tracker._learner.is_learning)  # type: ignore[attr-defined]
    # an update of five begins with the second frame and is not begun anew before it has ended
    assert learning == [False, True, True, False, False]


def test_two_targets_share_the_network_and_do_not_disturb_each_other() -> None:
    images, boxes = textured_square(4)
    first, other = (create_tracker("adnet_fast", "cpu", **SHORT) for _ in range(2))
    assert other.network is first.network  # type: ignore[attr-defined]
    alone = run(first, 4)
    first.init(images[0], boxes[0])
    other.init(images[0], Box(100, 20, 30, 60))
    together = []
    for image in images[1:]:
        together.append(first.track(image))
        other.track(image)
    assert together == alone


def test_the_classifiers_file_is_read_once_for_all_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    load = AdnetTracker._load_network.__func__  # type: ignore[attr-defined]

    def counted(cls: type, kind: str, network: str, path: Path) -> object:
        read.append(kind)
        return load(cls, kind, network, path)

    monkeypatch.setattr(AdnetTracker, "_load_network", classmethod(counted))
    images, boxes = textured_square(1)
    first, other = (create_tracker("adnet_fast", "cpu", **SHORT) for _ in range(2))
    for tracker in (first, first, other):
        tracker.init(images[0], boxes[0])
    assert read.count("mdnet") <= 1  # none if another test's tracker still holds it


def test_fast_has_smaller_budgets() -> None:
    slow, fast = AdnetParameters(), AdnetFastParameters()
    for name in ("max_actions", "region", "search_boxes", "policy_steps", "update_steps", "batch"):
        assert getattr(fast, name) < getattr(slow, name), name
    assert fast.doubt_threshold <= fast.lost_threshold  # it never doubts what it follows


def test_vgg_m_asks_for_weights() -> None:
    with pytest.raises(TrackerUnavailableError, match="set its parameter 'weights'"):
        create_tracker("adnet", "cpu", network="vgg-m")


def test_what_was_followed_surely_is_learned_and_the_first_lost_frame_begins_an_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, boxes = textured_square(1)
    tracker: Any = create_tracker(
        "adnet_fast", "cpu", **SHORT, learn_interval=2, update_interval=7, learn_threshold=0.5
    )
    tracker.init(images[0], boxes[0])
    followed, unsure = _Found(HERE, 0.9, True, True), _Found(HERE, 0.5, True, True)
    lost, elsewhere = _Found(AWAY, 0.1, False, False), _Found(AWAY, 0.9, True, False)
    found = [followed, followed, lost, lost, followed, elsewhere, followed, unsure]
    script = iter(found)
    remembered, updates = [], []
    monkeypatch.setattr(tracker, "_found", lambda image, last: next(script))
    monkeypatch.setattr(
        tracker._learner, "remember", lambda frame, box, *rest: remembered.append((frame, box))
    )
    monkeypatch.setattr(
        tracker._learner,
        "start_update",
        lambda short_term, *rest: updates.append((tracker._frame, short_term)),
    )
    tracks = [tracker.track(images[0]) for _ in found]
    assert [track.is_lost for track in tracks] == [not each.is_held for each in found]
    # every second frame, but neither the lost one, nor what was found elsewhere, nor the unsure one
    assert remembered == [(2, HERE)]
    # of the last frames alone after a failure, of all when it is time
    assert updates == [(3, True), (7, False)]


def test_a_lost_target_is_not_followed_and_found_above_a_threshold_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, boxes = textured_square(1)
    tracker: Any = create_tracker(
        "adnet_fast", "cpu", **SHORT, lost_threshold=0.5, found_threshold=0.7
    )
    tracker.init(images[0], boxes[0])
    asked: list[str] = []
    confidences = iter([0.5, 0.49, 0.69, 0.69, 0.7, 0.6])

    def look(name: str) -> Any:
        def answer(image: np.ndarray, last: Box) -> tuple[Box, float]:
            asked.append(name)
            return HERE, next(confidences)

        return answer

    monkeypatch.setattr(tracker, "_follow", look("follow"))
    monkeypatch.setattr(tracker, "_search", look("search"))
    states = [tracker.track(images[0]).is_lost for _ in range(5)]
    assert states == [False, True, True, False, False]
    assert asked == ["follow", "follow", "search", "search", "search", "follow"]
