"""Occluded cases: what is covered, what stays, and what the truth says."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from test.evaluation.factories import HEIGHT, WIDTH, drawn_sequence, picture
from visual_tracker.evaluation.longterm_cases import MIN_IN_VIEW
from visual_tracker.evaluation.occlusions import OCCLUDED_FRAMES, SLIDE_FRAMES, occlude
from visual_tracker.evaluation.sequences import DatasetError, Sequence


def pair(frames: int = 30) -> list[Sequence]:
    return [drawn_sequence(frames, "clip"), drawn_sequence(12, "the other")]


def test_the_target_is_gone_in_the_middle_and_comes_back() -> None:
    case = occlude(pair(), seed=0)[0]
    assert case.name == "clip-occluded"
    gone = np.flatnonzero(~case.visible)
    assert (gone == np.arange(gone[0], gone[-1] + 1)).all()
    # of frames 10 to 19 those that are covered by more than three quarters
    assert gone.tolist() == list(range(10 + SLIDE_FRAMES - 1, 20 - SLIDE_FRAMES + 1))
    assert np.isnan(case.truth[gone]).all()
    assert not np.isnan(case.truth[case.visible]).any()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_but_the_target_is_covered(seed: int) -> None:
    sequence, other = pair()
    case = occlude([sequence, other], seed)[0]
    for index in range(len(sequence)):
        before, after = sequence.frames[index], case.frames[index]
        changed = np.argwhere((before != after).any(axis=2))
        if not len(changed):
            continue
        x, y, width, height = sequence.truth[index]
        top, left = changed.min(axis=0)
        bottom, right = changed.max(axis=0)
        assert left >= x - 0.15 * width - 3
        assert right <= x + 1.15 * width + 3
        assert top >= y - 0.15 * height - 3
        assert bottom <= y + 1.15 * height + 3


def test_the_patch_hides_the_target_and_frames_are_left_as_they_were() -> None:
    sequence, other = pair()
    kept = picture(15, sequence.truth[15], len("clip"))
    case = occlude([sequence, other], seed=1)[0]
    x, y, width, height = (int(value) for value in sequence.truth[15])
    inner = case.frames[15][y : y + height, x : x + width]
    # the target is bright (100 to 250), its surroundings are dim (40 to 90)
    assert inner.max() < 100
    np.testing.assert_array_equal(sequence.frames[15], kept)


def test_it_slides_on_from_one_side() -> None:
    case = occlude(pair(), seed=0)[0]
    cover = case.frames.cover[8:16]
    assert cover.tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert case.visible[8:16].tolist() == [True] * 5 + [False] * 3
    assert 1 - MIN_IN_VIEW == 0.75


def test_a_long_sequence_is_covered_for_a_while_only() -> None:
    case = occlude(pair(300), seed=0)[0]
    assert (case.frames.cover > 0).sum() == OCCLUDED_FRAMES


def test_a_target_without_room_beside_it_is_covered_by_another_image() -> None:
    truth = np.tile([4.0, 4.0, WIDTH - 8.0, HEIGHT - 8.0], (12, 1))
    large = Sequence("large", drawn_sequence(12).frames, truth, np.ones(12, bool))
    case = occlude([large, drawn_sequence(12, "the other")], seed=0)[0]
    assert case.frames.offset is None
    assert case.frames[5].shape == (HEIGHT, WIDTH, 3)


def test_it_depends_on_the_seed_alone_and_can_be_pickled() -> None:
    one, two = occlude(pair(), 5)[0], occlude(pair(), 5)[0]
    np.testing.assert_array_equal(one.frames[14], two.frames[14])
    restored = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(restored.frames[14], one.frames[14])


def test_it_needs_another_sequence() -> None:
    with pytest.raises(DatasetError, match="two sequences"):
        occlude([drawn_sequence()], 0)
