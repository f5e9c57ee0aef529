"""Frames put between those of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from test.training.moving_square import drawn, video
from visual_tracker.evaluation.datasets.videos import sequence_of
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.training.slow_motion import slowed


@pytest.fixture
def sequence(tmp_path: Path) -> Sequence:
    return sequence_of(video(tmp_path, "a", 4))


def test_the_videos_own_frames_stay(sequence: Sequence) -> None:
    slow = slowed(sequence, 3)
    assert len(slow) == 10
    for frame in range(4):
        assert np.array_equal(slow.frames[3 * frame], sequence.frames[frame])
        assert slow.box(3 * frame) == sequence.box(frame)


def test_what_is_put_between_is_what_a_camera_would_have_seen(sequence: Sequence) -> None:
    slow = slowed(sequence, 2)
    for frame in (1, 3, 5):
        wanted, box = drawn(frame / 2, seed=1)
        assert slow.box(frame).xywh == pytest.approx(box.xywh)

        def error(image: np.ndarray, wanted: np.ndarray = wanted) -> float:
            return float(np.abs(image.astype(float) - wanted).mean())

        # much nearer than the frames before and after it
        neighbours = [error(slow.frames[frame - 1]), error(slow.frames[frame + 1])]
        assert error(slow.frames[frame]) < 0.4 * min(neighbours)


def test_order_of_reading_does_not_matter(sequence: Sequence) -> None:
    there, back = slowed(sequence, 3).frames, slowed(sequence, 3).frames
    forward = [there[index] for index in range(10)]
    backward = [back[index] for index in range(9, -1, -1)][::-1]
    assert all(np.array_equal(*pair) for pair in zip(forward, backward, strict=True))


def test_a_frame_beside_one_without_truth_has_none(sequence: Sequence) -> None:
    truth = sequence.truth.copy()
    truth[2] = np.nan
    hidden = Sequence("a", sequence.frames, truth, np.array([True, True, False, True]))
    slow = slowed(hidden, 2)
    assert slow.visible.tolist() == [True, True, True, False, False, False, True]
    assert np.isnan(slow.truth).any(axis=1).tolist() == (~slow.visible).tolist()


def test_as_fast_as_it_was(sequence: Sequence) -> None:
    same = slowed(sequence, 1)
    assert np.array_equal(same.truth, sequence.truth)
    assert np.array_equal(same.frames[2], sequence.frames[2])
    with pytest.raises(IndexError):
        same.frames[4]
