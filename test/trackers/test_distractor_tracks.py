"""Distractors followed from frame to frame: drawn boxes, no image."""

from __future__ import annotations

import numpy as np
import pytest

from visual_tracker.boxes import Box
from visual_tracker.trackers.distractor_tracks import Candidates, DistractorTracks

Centre = tuple[float, float]

SIDE = 10.0
TARGET, TWIN, FAR = (0.0, 0.0), (15.0, 0.0), (100.0, 0.0)


def boxes(*centres: Centre) -> np.ndarray:
    return np.array([[x, y, SIDE, SIDE] for x, y in centres]).T


def box(centre: Centre) -> Box:
    return Box.from_center(*centre, SIDE, SIDE)


def found(*centres: Centre, chosen: int = 0, strangeness: float = 0.0) -> Candidates:
    """A search in which all candidates resemble the target."""
    return Candidates(boxes(*centres), np.ones(len(centres), bool), chosen, strangeness)


def with_twin() -> DistractorTracks:
    tracks = DistractorTracks(box(TARGET))
    tracks.update(found(TARGET, TWIN), [], is_sure=True)
    return tracks


def test_before_anything_was_seen_nothing_is_strange() -> None:
    assert DistractorTracks(box(TARGET)).strangeness(boxes(TARGET, FAR)).tolist() == [0, 0]


def test_what_stood_beside_the_target_is_strange_by_its_overlap_with_where_it_stood() -> None:
    tracks = with_twin()
    # the third is shifted by a fifth of its side: 80 of 120 square pixels are shared
    strangeness = tracks.strangeness(boxes(TARGET, TWIN, (17.0, 0.0), FAR))
    assert strangeness == pytest.approx([0, 1, 80 / 120, 0])


def test_the_overlap_with_the_target_speaks_for_a_candidate() -> None:
    tracks = with_twin()
    # 7.5 from both: a quarter of the side is shared with either
    assert tracks.strangeness(boxes((7.5, 0.0))) == pytest.approx([0])
    # 9 from the target and 6 from the twin: 10 of 190, and 40 of 160 square pixels
    assert tracks.strangeness(boxes((9.0, 0.0))) == pytest.approx([0.25 - 10 / 190])


def test_a_distractor_is_followed_where_it_goes() -> None:
    tracks = with_twin()
    for step in range(1, 20):
        tracks.update(found(TARGET, (15.0 + 3 * step, 0.0)), [], is_sure=True)
        assert len(tracks) == 1
    strangeness = tracks.strangeness(boxes(TWIN, (15.0 + 3 * 19, 0.0)))
    assert strangeness == pytest.approx([0, 1])


def test_it_is_followed_while_the_target_is_in_doubt_but_none_is_found_then() -> None:
    tracks = with_twin()
    tracks.update(found(TARGET, (16.0, 0.0), FAR), [], is_sure=False)
    assert len(tracks) == 1
    assert tracks.strangeness(boxes((16.0, 0.0), FAR)) == pytest.approx([1, 0])


def test_the_target_is_where_it_was_seen_last_even_in_doubt() -> None:
    tracks = with_twin()
    for step in range(1, 6):  # it walks up, past nothing
        tracks.update(found((0.0, 3.0 * step), TWIN), [], is_sure=False)
    assert tracks.strangeness(boxes((7.5, 15.0), (15.0, 0.0))) == pytest.approx([0, 1])


def test_one_that_is_not_seen_fades_and_is_forgotten() -> None:
    tracks = with_twin()
    last = 1.0
    for _ in range(8):
        tracks.update(found(TARGET), [], is_sure=True)
        (now,) = tracks.strangeness(boxes(TWIN)).tolist()
        assert 0.5 < now < last
        last = now
    tracks.update(found(TARGET), [], is_sure=True)
    assert len(tracks) == 0


def test_what_does_not_resemble_the_target_is_no_distractor() -> None:
    tracks = DistractorTracks(box(TARGET))
    candidates = Candidates(boxes(TARGET, TWIN), np.array([True, False]), 0, 0.0)
    tracks.update(candidates, [], is_sure=True)
    assert len(tracks) == 0


def test_a_distractor_that_was_taken_for_the_target_stays_one() -> None:
    tracks = with_twin()
    tracks.update(found((16.0, 0.0), strangeness=0.8), [], is_sure=True)
    assert tracks.strangeness(boxes((16.0, 0.0))) == pytest.approx([1])
    # and it is followed as one, while the target is where it was
    for step in range(1, 5):
        place = (16.0 + 3 * step, 0.0)
        tracks.update(found(place, strangeness=0.8), [], is_sure=True)
        assert tracks.strangeness(boxes(place, TARGET)) == pytest.approx([1, 0])


def test_where_the_target_surely_is_a_distractor_that_is_not_seen_is_forgotten() -> None:
    tracks = with_twin()
    # the target walks in front of it: 2 beside it, 80 of 120 square pixels in common
    tracks.update(found((13.0, 0.0)), [], is_sure=True)
    assert len(tracks) == 0


def test_of_two_searches_each_distractor_counts_once_and_the_target_not_at_all() -> None:
    tracks = DistractorTracks(box(TARGET))
    near, wide = found(TARGET, TWIN), found((1.0, 0.0), (15.5, 0.0), FAR)
    tracks.update(near, [wide], is_sure=True)
    assert len(tracks) == 2
    assert tracks.strangeness(boxes(TARGET, TWIN, FAR)) == pytest.approx([0, 1, 1])


def test_two_distractors_that_pass_each_other_each_take_the_nearer_place() -> None:
    tracks = DistractorTracks(box(TARGET))
    tracks.update(found(TARGET, (20.0, 0.0), (24.0, 20.0)), [], is_sure=True)
    tracks.update(found(TARGET, (21.0, 0.0), (23.0, 20.0)), [], is_sure=True)
    assert len(tracks) == 2


@pytest.mark.parametrize("is_sure", [True, False])
def test_what_appears_elsewhere_is_another_one(is_sure: bool) -> None:
    tracks = with_twin()
    tracks.update(found(TARGET, FAR), [], is_sure=is_sure)
    assert len(tracks) == 1 + is_sure
    # the first is remembered where it was seen last
    twin, far = tracks.strangeness(boxes(TWIN, FAR))
    assert 0.9 < twin < 1
    assert far == is_sure
