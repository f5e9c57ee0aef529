"""Which views make pairs; and that no evaluation sequence is among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from visual_tracker.boxes import Box
from visual_tracker.training.data import Still, Track, View, read_collection
from visual_tracker.training.exclusions import fingerprint, near_duplicates
from visual_tracker.training.pairs import PairSampler, part_of, split_tracks
from visual_tracker.training.recipe import Recipe

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
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


def test_a_fingerprint_survives_size_and_compression_but_not_content() -> None:
    rng = np.random.default_rng(0)
    images = [
        cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), (320, 240)) for _ in range(2)
    ]
    _, data = cv2.imencode(".jpg", images[0], [cv2.IMWRITE_JPEG_QUALITY, 50])
    small = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR), (200, 150))
    assert near_duplicates([fingerprint(images[0])], [fingerprint(small)])
    assert not near_duplicates([fingerprint(images[0])], [fingerprint(images[1])])


@pytest.mark.skipif(not (SHARED / "training").is_dir(), reason="needs ../shared/data")
def test_no_evaluation_sequence_is_trained_on() -> None:
    collection = read_collection(SHARED / "training")
    sequences = [path for path in (SHARED / "sequences").iterdir() if path.is_dir()]
    names = {path.name.lower() for path in sequences}
    assert len(names) == 14
    # DAVIS has a "dog" too, another film than OTB's; its name carries the set's.
    trained = {t.name.lower().removeprefix("otb_") for t in collection.tracks}
    assert not names & trained
    evaluation = [
        fingerprint(cv2.imread(str(path)))
        for sequence in sequences
        for path in sorted((sequence / "img").glob("*.jpg"))[::40]
    ]
    videos = [path for t in collection.tracks for path in [t.frames[0][1].path]]
    training = [fingerprint(cv2.imread(str(path))) for path in videos]
    assert len(evaluation) > 80
    assert near_duplicates(evaluation, training) == []
