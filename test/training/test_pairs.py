"""Which views make pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from visual_tracker.annotations import Still, Track, View
from visual_tracker.boxes import Box
from visual_tracker.training.pairs import PairSampler, part_of, split_tracks
from visual_tracker.training.recipe import Recipe

DRAWS = 300


def view(scene: str, label: str, number: int = 0) -> View:
    return View(Path(f"{scene}/{number}.jpg"), Box(0, 0, 20, 20), scene, label)


def track(name: str, label: str, frames: int) -> Track:
    return Track(name, label, tuple((n, view(name, label, n)) for n in range(frames)))


TRACKS = [track("a", "cat", 200), track("b", "cat", 50), track("c", "dog", 50)]
STILLS = [Still("made", (view(f"s{n}", "cup" if n % 2 else "cat"),)) for n in range(6)]


def draws(recipe: Recipe, stills: list[Still] = STILLS) -> list:
    sampler = PairSampler(TRACKS, stills, recipe)
    return [sampler.draw(np.random.default_rng([1, number])) for number in range(DRAWS)]


def test_video_pairs_lie_within_the_gap() -> None:
    pairs = draws(Recipe(video_share=1.0, negative_pairs=0.0, max_gap=10))
    gaps = [abs(int(p.template.path.stem) - int(p.search.path.stem)) for p in pairs]
    assert max(gaps) == 10
    assert min(gaps) == 0
    assert all(pair.positive and pair.template.scene == pair.search.scene for pair in pairs)


def test_stills_are_paired_with_themselves() -> None:
    pairs = draws(Recipe(video_share=0.0, negative_pairs=0.0))
    assert all(pair.still and pair.template == pair.search for pair in pairs)


def test_parts_of_stills_are_targets_too() -> None:
    whole = replace(STILLS[0].objects[0], box=Box(10, 20, 80, 90), polygons=((0.0, 1.0),))
    pairs = draws(Recipe(video_share=0.0, negative_pairs=0.0, parts=0.5), [Still("made", (whole,))])
    parts = [pair.template for pair in pairs if pair.template.box != whole.box]
    assert 0.4 * DRAWS < len(parts) < 0.6 * DRAWS
    for part in parts:
        assert part.box.intersection_area(whole.box) == pytest.approx(part.box.area)
        assert 24 <= part.box.width <= 64
        assert 24 <= part.box.height <= 72
        assert part.scene == whole.scene
        assert not part.label
        assert not part.polygons
    assert part_of(Box(0, 0, 20, 20), np.random.default_rng(0)) is None


@pytest.mark.parametrize("same", [0.0, 1.0])
def test_negatives_are_of_another_scene_and_of_the_wanted_class(same: float) -> None:
    pairs = draws(Recipe(negative_pairs=1.0, same_class=same))
    negatives = [pair for pair in pairs if not pair.positive]
    assert len(negatives) > DRAWS / 2
    for pair in negatives:
        assert pair.template.scene != pair.search.scene
        assert (pair.template.label == pair.search.label) == (same == 1.0)


def test_the_shares_are_kept() -> None:
    pairs = draws(Recipe(video_share=0.7, negative_pairs=0.25))
    assert np.mean([not pair.positive for pair in pairs]) == pytest.approx(0.25, abs=0.08)
    positives = [pair for pair in pairs if pair.positive]
    assert np.mean([not pair.still for pair in positives]) == pytest.approx(0.7, abs=0.08)


def test_sets_with_unboxed_objects_give_no_negatives_of_their_class() -> None:
    stills = [Still("groceries", (view(f"g{n}", "milk"),)) for n in range(4)]
    pairs = draws(Recipe(video_share=0.0, negative_pairs=1.0, same_class=1.0), stills)
    assert all(pair.positive or pair.template.label != pair.search.label for pair in pairs)


def test_left_out_classes_do_not_appear() -> None:
    pairs = draws(Recipe(video_share=0.0, left_out_labels="cup"))
    assert {pair.template.label for pair in pairs} == {"cat"}


def test_light_videos_count_less() -> None:
    recipe = Recipe(video_share=1.0, negative_pairs=0.0, light_videos="a,b", light_weight=0.0)
    assert {pair.template.scene for pair in draws(recipe)} == {"c"}


def test_a_pair_depends_on_its_number_alone() -> None:
    assert draws(Recipe()) == draws(Recipe())


def test_the_split_depends_on_names_alone() -> None:
    tracks = [track(f"v{n}", "x", 1) for n in range(20)]
    training, held_out = split_tracks(tracks, 0.2, ("v0", "v1"))
    assert len(held_out) == round(0.2 * 18)
    assert {t.name for t in training} | {t.name for t in held_out} == {t.name for t in tracks}
    assert not {"v0", "v1"} & {t.name for t in held_out}
    assert split_tracks(tracks[::-1], 0.2, ("v0", "v1"))[1] == held_out[::-1]
