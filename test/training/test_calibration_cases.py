"""The cases that a confidence is learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from test.training.moving_square import video
from visual_tracker.annotations import Collection, DataError
from visual_tracker.training.calibration_cases import CASE_FRAMES, make_cases
from visual_tracker.training.recipe import Recipe


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection([video(tmp_path, name, count) for name, count in (("a", 14), ("bb", 55))])


def test_every_video_comes_in_every_kind_it_is_long_enough_for(collection: Collection) -> None:
    cases = make_cases(collection, Recipe(validation_share=0.5))
    names = [case.sequence.name for case in cases]
    # a camera needs longer to look away and back than the shorter one lasts
    assert sorted(names) == [
        *("a", "a-occluded", "a-spliced", "bb", "bb-camera", "bb-occluded", "bb-spliced"),
    ]
    assert {case.sequence.name[0] for case in cases if case.held_out} in ({"a"}, {"b"})
    for case in cases:
        hidden = (~case.sequence.visible).sum()
        assert case.sequence.visible[0]
        assert (hidden > 0) == ("-" in case.sequence.name)
        assert hidden < len(case.sequence)


def test_videos_are_slowed_and_cut_to_length(collection: Collection) -> None:
    lengths = {
        case.sequence.name: len(case.sequence) for case in make_cases(collection, Recipe(), slow=3)
    }
    assert lengths["a"] == lengths["a-occluded"] == 3 * 13 + 1
    assert lengths["bb"] == 3 * 54 + 1
    assert CASE_FRAMES - 3 < lengths["bb-occluded"] <= CASE_FRAMES
    fast = {
        case.sequence.name: len(case.sequence) for case in make_cases(collection, Recipe(), slow=1)
    }
    assert fast["a"] == 14


def test_an_odd_seed_plays_them_backwards(collection: Collection) -> None:
    def starts(seed: int) -> dict[str, np.ndarray]:
        cases = make_cases(collection, Recipe(), seed=seed)
        return {case.sequence.name: case.sequence.truth for case in cases}

    there, back = starts(0), starts(1)
    assert np.allclose(there["a"], back["a"][::-1])
    assert np.allclose(there["a-spliced"][0], back["a-spliced"][0])


def test_some_of_the_others_or_none(collection: Collection) -> None:
    with pytest.raises(DataError, match="two videos"):
        make_cases(collection, Recipe(validation_share=0.5), others=0)


def test_short_videos_are_left_out(collection: Collection, tmp_path: Path) -> None:
    both = Collection([*collection.tracks, video(tmp_path, "short", 5)])
    names = {case.sequence.name for case in make_cases(both, Recipe())}
    assert not any(name.startswith("short") for name in names)
