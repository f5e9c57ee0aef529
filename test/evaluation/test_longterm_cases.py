"""Spliced sequences and the virtual camera: exact truth, deterministic."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from test.evaluation.factories import DrawnFrames, drawn_sequence
from visual_tracker.evaluation.longterm_cases import MIN_IN_VIEW, splice, virtual_camera
from visual_tracker.evaluation.sequences import DatasetError, Sequence


def wandering(frames: int = 300, name: str = "wander", side: float = 10) -> Sequence:
    """A target on a curve through the image."""
    angle = np.linspace(0, 9, frames)
    corners = np.round(np.column_stack([40 + 35 * np.sin(angle), 26 + 22 * np.cos(1.7 * angle)]))
    truth = np.hstack([corners, np.full((frames, 2), side)])
    frames_of = DrawnFrames(tuple(map(tuple, truth.tolist())))
    return Sequence(name, frames_of, truth, np.ones(frames, bool))


def test_splice_is_clip_other_clip() -> None:
    sequences = [drawn_sequence(12, "clip"), drawn_sequence(30, "the other")]
    spliced = splice(sequences, seed=3, frames=7)[0]
    assert spliced.name == "clip-spliced"
    assert len(spliced) == 19
    assert spliced.visible.tolist() == [True] * 6 + [False] * 7 + [True] * 6
    for index in (*range(6), *range(13, 19)):
        source = index if index < 6 else index - 7
        np.testing.assert_array_equal(spliced.frames[index], sequences[0].frames[source])
        np.testing.assert_array_equal(spliced.truth[index], sequences[0].truth[source])
    numbers = [int(spliced.frames[index][0, 0, 0]) for index in range(6, 13)]
    assert numbers == list(range(numbers[0], numbers[0] + 7))
    np.testing.assert_array_equal(spliced.frames[6], sequences[1].frames[numbers[0]])
    assert np.isnan(spliced.truth[6:13]).all()


def test_splice_takes_what_a_short_clip_has() -> None:
    sequences = [drawn_sequence(12, "clip"), drawn_sequence(4, "short one")]
    assert len(splice(sequences, seed=0)[0]) == 16


def test_splice_depends_on_the_seed_alone() -> None:
    sequences = [drawn_sequence(70 + len(name), name) for name in ("a", "bb", "ccc", "dddd")]
    once, again = splice(sequences, 1), splice(sequences, 1)
    assert [case.frames for case in once] == [case.frames for case in again]
    assert [case.frames for case in once] != [case.frames for case in splice(sequences, 2)]


def test_splice_needs_another_clip() -> None:
    with pytest.raises(DatasetError, match="two sequences"):
        splice([drawn_sequence()], 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_camera_shows_exactly_a_part_of_each_frame(seed: int) -> None:
    sequence = wandering()
    case = virtual_camera([sequence], seed)[0]
    assert case.name == "wander-camera"
    width, height = case.frames.size
    for index in range(0, len(case), 13):
        left, top = case.frames.corners[index].astype(int)
        view = sequence.frames[index][top : top + height, left : left + width]
        assert view.shape == (height, width, 3)  # the view never leaves the frame
        np.testing.assert_array_equal(case.frames[index], view)


@pytest.mark.parametrize("seed", range(5))
def test_the_camera_counts_a_target_by_its_pixels_in_view(seed: int) -> None:
    sequence = wandering()
    case = virtual_camera([sequence], seed)[0]
    width, height = case.frames.size
    for index, box in enumerate(sequence.truth.astype(int)):
        # the target painted on an empty frame, seen through the view
        canvas = np.zeros((64, 96), bool)
        canvas[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
        left, top = case.frames.corners[index].astype(int)
        seen = np.argwhere(canvas[top : top + height, left : left + width])
        assert case.visible[index] == (len(seen) >= MIN_IN_VIEW * canvas.sum())
        if case.visible[index]:
            first, last = seen.min(axis=0), seen.max(axis=0) + 1
            expected = [*first[::-1], *(last - first)[::-1]]
            assert case.truth[index].tolist() == expected
        else:
            assert np.isnan(case.truth[index]).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_target_leaves_and_comes_back_elsewhere(seed: int) -> None:
    case = virtual_camera([wandering()], seed)[0]
    steps = np.diff(case.visible.astype(int))
    leaves, returns = np.flatnonzero(steps == -1), np.flatnonzero(steps == 1) + 1
    assert len(returns) >= 3
    assert (returns[: len(leaves)] - leaves[: len(returns)]).min() >= 10
    # how far from where it was last seen it comes back, in widths of the target
    centers = case.truth[:, :2] + case.truth[:, 2:] / 2
    pairs = zip(leaves, returns, strict=False)
    moved = [np.linalg.norm(centers[back] - centers[leave]) for leave, back in pairs]
    assert np.median(moved) > case.truth[0, 2]


def test_the_camera_starts_on_the_whole_target_and_does_not_jump() -> None:
    case = virtual_camera([wandering()], 0)[0]
    np.testing.assert_array_equal(case.truth[0, 2:], [10, 10])
    assert np.abs(np.diff(case.frames.corners, axis=0)).max() <= max(case.frames.size) / 3


def test_a_hidden_target_stays_hidden_in_the_view() -> None:
    sequence = wandering()
    sequence.visible[5:9] = False
    case = virtual_camera([sequence], 0)[0]
    assert not case.visible[5:9].any()
    assert case.visible[4]


def test_the_camera_depends_on_the_seed_alone() -> None:
    sequences = [wandering(), wandering(200, "another")]
    together = virtual_camera(sequences, 4)[1]
    alone = pickle.loads(pickle.dumps(virtual_camera(sequences[1:], 4)[0]))
    np.testing.assert_array_equal(together.frames.corners, alone.frames.corners)
    other = virtual_camera(sequences, 5)[1]
    assert (together.frames.corners != other.frames.corners).any()
