"""Evaluation sequences stay out of the training data: by name, by file, by picture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from test.training.factories import TinySiamRpn, textured, write_native
from visual_tracker.annotations import Collection, DataError, Still, Track, View
from visual_tracker.boxes import Box
from visual_tracker.cli import main
from visual_tracker.training import exclusions as room
from visual_tracker.training import run
from visual_tracker.training.data import read_collection
from visual_tracker.training.exclusions import (
    MAX_DIFFERENCE,
    OTB_100,
    Exclusions,
    drop_unusable_frames,
    fingerprint,
    leave_out,
    video_name,
)
from visual_tracker.training.images import ImageStore
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.run import read_collections
from visual_tracker.training.trainer import Machine

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def write_evaluation(folder: Path, name: str = "Corridor", frames: int = 4) -> Path:
    """An OTB-like sequence of textured images."""
    rng = np.random.default_rng(3)
    (folder / name / "img").mkdir(parents=True)
    for number in range(1, frames + 1):
        cv2.imwrite(str(folder / name / "img" / f"{number:04d}.jpg"), textured(rng, 90, 120))
    return folder


def track(name: str, *paths: Path) -> Track:
    box = Box(10, 10, 30, 30)
    return Track(name, name, tuple((n, View(p, box, name)) for n, p in enumerate(paths)))


def test_the_built_in_list_is_otb_100() -> None:
    assert len(set(OTB_100)) == 98  # Jogging and Skating2 have two targets each


@pytest.mark.parametrize(
    "name",
    ["Dog", "Girl2", "Girl2_0001-0150", "Jogging-2", "Jogging.1", "Skating2-1", "otb_Suv"],
)  # fmt: skip
def test_names_are_known_with_their_additions(name: str) -> None:
    assert Exclusions().names_video(name)


@pytest.mark.parametrize("name", ["dog", "davis_dog", "Dog-20", "lasot_airplane-1", "v0", "Boxes"])
def test_other_names_are_not(name: str) -> None:
    assert not Exclusions().names_video(name)


def test_a_videos_name_is_its_folders() -> None:
    assert video_name(Path("/data/OTB/Dog/img/0001.jpg")) == "Dog"
    assert video_name(Path("/data/got10k/GOT-10k_Train_000001/00000001.jpg")) == (
        "GOT-10k_Train_000001"
    )


def test_videos_are_left_out_by_name_and_by_folder(tmp_path: Path) -> None:
    collection = Collection(
        [
            track("Basketball", tmp_path / "a" / "1.jpg"),
            track("renamed", tmp_path / "Suv" / "img" / "1.jpg"),
            track("mine", tmp_path / "mine" / "1.jpg"),
        ]
    )
    leave_out(collection, Exclusions())
    assert [kept.name for kept in collection.tracks] == ["mine"]
    assert collection.skipped[room.REASON] == 2


def test_folders_of_the_user_exclude_names_and_copies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_evaluation(tmp_path / "evaluation")
    copy, still = tmp_path / "copy" / "x.jpg", tmp_path / "stills" / "y.jpg"
    other = tmp_path / "stills" / "z.jpg"
    for path in (copy, still):
        path.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "Corridor" / "img" / "0002.jpg", path)
    cv2.imwrite(str(other), textured(np.random.default_rng(9), 90, 120))
    box = Box(10, 10, 30, 30)
    collection = Collection(
        [track("Corridor", other), track("hidden", other, copy), track("mine", other)],
        [Still("", (View(path, box, str(path)),)) for path in (still, other)],
    )
    leave_out(collection, Exclusions.read([folder]))
    assert [kept.name for kept in collection.tracks] == ["mine"]
    assert [kept.objects[0].path for kept in collection.stills] == [other]
    assert collection.skipped[room.REASON] == 3
    for named in ("Corridor", "hidden", str(copy), str(still)):
        assert named in caplog.text


def test_folders_are_looked_into_through_links(tmp_path: Path) -> None:
    disk = write_evaluation(tmp_path / "disk")
    folder = write_evaluation(tmp_path / "evaluation")
    (folder / "Corridor").rename(folder / "Garage")
    (folder / "Kitchen").symlink_to(disk / "Corridor")
    (folder / "round").symlink_to(folder)  # leads back
    exclusions = Exclusions.read([folder])
    for name in ("Garage", "Kitchen", "Corridor"):
        assert exclusions.names_video(name)
    assert len(exclusions.prints) == 2 * len(Exclusions.read([disk]).prints)


def test_pictures_compressed_anew_are_found_when_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_evaluation(tmp_path / "evaluation")
    image = cv2.imread(str(folder / "Corridor" / "img" / "0003.jpg"))
    small = cv2.resize(image, (100, 75))
    cv2.imwrite(str(tmp_path / "again.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(str(tmp_path / "other.jpg"), textured(np.random.default_rng(9), 90, 120))
    images = ImageStore(1 << 20, Exclusions.read([folder]).shows)
    images.preload([tmp_path / "again.jpg", tmp_path / "other.jpg"])
    assert images.get(tmp_path / "again.jpg") is None
    assert images.get(tmp_path / "other.jpg") is not None
    assert images.excluded == {tmp_path / "again.jpg"}
    assert caplog.text.count("again.jpg") == 1


def test_fingerprints_are_kept_until_the_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_evaluation(tmp_path / "evaluation")
    first = Exclusions.read([folder], tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(room, "_file_fingerprint", lambda path: pytest.fail("read again"))
        second = Exclusions.read([folder], tmp_path / "run")
    assert np.array_equal(first.prints, second.prints)
    (folder / "Corridor" / "img" / "0001.jpg").unlink()
    assert len(Exclusions.read([folder], tmp_path / "run").prints) == len(first.prints) - 1
    (tmp_path / "run" / "excluded.npz").write_bytes(b"rubbish")
    assert len(Exclusions.read([folder], tmp_path / "run").prints) == len(first.prints) - 1


def test_folders_that_exclude_nothing_are_refused(tmp_path: Path) -> None:
    assert Exclusions.read([]).names == set(OTB_100)
    with pytest.raises(DataError, match="no image to exclude"):
        Exclusions.read([tmp_path])
    (tmp_path / "bad.jpg").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"bad.jpg is to be excluded"):
        Exclusions.read([tmp_path])


def test_a_fingerprint_survives_size_and_compression_but_not_content() -> None:
    rng = np.random.default_rng(0)
    images = [
        cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), (320, 240)) for _ in range(2)
    ]
    _, data = cv2.imencode(".jpg", images[0], [cv2.IMWRITE_JPEG_QUALITY, 50])
    small = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR), (200, 150))
    exclusions = Exclusions(prints=fingerprint(images[0])[None])
    assert exclusions.shows(small)
    assert not exclusions.shows(images[1])


@pytest.mark.parametrize(
    ("bits", "shown"), [(0, True), (MAX_DIFFERENCE, True), (MAX_DIFFERENCE + 1, False)]
)
def test_a_picture_is_known_by_the_bits_in_which_it_differs(bits: int, shown: bool) -> None:
    rng = np.random.default_rng(0)
    image = textured(rng, 90, 120)
    near, far = fingerprint(image), ~fingerprint(image)
    near[rng.permutation(len(near))[:bits]] ^= True
    assert Exclusions(prints=np.stack([far, near, far])).shows(image) == shown
    assert not Exclusions().shows(image)


def test_training_uses_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video of the evaluation data within the data folder never reaches a sample."""
    data = write_native(tmp_path / "data", stills=2)
    document = json.loads((data / "annotations.json").read_text())
    document["videos"][0]["name"] = "Dog"
    (data / "annotations.json").write_text(json.dumps(document))
    shutil.copytree(data / "videos", tmp_path / "evaluation" / "Corridor")
    first = tmp_path / "evaluation" / "Corridor"
    for path in first.glob("v1_*"):
        path.unlink()
    # a still that is a frame of the excluded video, compressed anew
    image = cv2.imread(str(first / "v0_3.png"))
    cv2.imwrite(str(data / "images" / "i0.png"), cv2.resize(image, (140, 105)))
    exclusions = Exclusions.read([tmp_path / "evaluation"])
    collection = read_collections([data], exclusions)
    assert [kept.name for kept in collection.tracks] == ["v1"]
    monkeypatch.setattr(run, "create_network", lambda kind, name: TinySiamRpn())
    training = run.prepare(
        "siamrpn", "lite", collection, Recipe(validation_share=0.0), tmp_path / "run",
        Machine(workers=0), 1 << 24, exclusions=exclusions,
    )  # fmt: skip
    images = training._maker._images
    assert {path.name for path in images.excluded} == {"i0.png"}


def test_the_command_refuses_data_that_is_nothing_else(tmp_path: Path) -> None:
    data = write_native(tmp_path / "data", videos=1, stills=0)
    evaluation = tmp_path / "evaluation" / "v0"
    shutil.copytree(data / "videos", evaluation)
    arguments = ["train", "siamrpn", "--data", str(data), "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [*arguments, "--exclude", str(evaluation.parent)])
    assert result.exit_code == 2
    assert "nothing is left to train on" in result.output


@pytest.mark.skipif(not (SHARED / "training").is_dir(), reason="needs ../shared/data")
def test_the_shared_training_data_holds_no_evaluation_sequence() -> None:
    exclusions = Exclusions.read([SHARED / "sequences"])
    collection = read_collection(SHARED / "training")
    leave_out(collection, exclusions)
    assert collection.skipped[room.REASON] == 0
    assert {"Suv", "Girl2"} <= exclusions.names
    images = ImageStore(0, exclusions.shows)
    for path in [track.frames[0][1].path for track in collection.tracks]:
        assert images.get(path) is not None
    assert not images.excluded


def test_frames_that_show_an_excluded_picture_are_dropped(tmp_path: Path) -> None:
    excluded = write_evaluation(tmp_path / "evaluation", "Corridor", 2) / "Corridor" / "img"
    seen = cv2.imread(str(excluded / "0002.jpg"))
    rng = np.random.default_rng(8)
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for path in paths:
        cv2.imwrite(str(path), textured(rng, 90, 120))
    cv2.imwrite(str(paths[1]), cv2.resize(seen, (240, 180)))  # larger, and of another format
    paths[2].write_bytes(b"rubbish")
    collection = Collection([track("kept", *paths), track("gone", paths[1])])
    images = ImageStore(is_excluded=Exclusions.read([tmp_path / "evaluation"]).shows)
    drop_unusable_frames(collection, images)
    (kept,) = collection.tracks
    assert [(number, view.path) for number, view in kept.frames] == [(0, paths[0]), (3, paths[3])]
    assert images.excluded == {paths[1]}
    with pytest.raises(DataError, match="no picture of a video is left"):
        drop_unusable_frames(Collection([track("gone", paths[1])]), images)


def test_a_name_that_ends_like_a_targets_number_is_known_as_it_is(tmp_path: Path) -> None:
    exclusions = Exclusions.read([write_evaluation(tmp_path, "Street-1", 1)])
    assert exclusions.names_video("Street-1")
    assert not exclusions.names_video("Street")
    assert not exclusions.names_video("Street-2")


def test_a_file_of_the_same_size_is_not_the_same_file(tmp_path: Path) -> None:
    folder = write_evaluation(tmp_path / "evaluation", frames=1)
    content = (folder / "Corridor" / "img" / "0001.jpg").read_bytes()
    exclusions = Exclusions.read([folder])
    (tmp_path / "same.jpg").write_bytes(content)
    (tmp_path / "other.jpg").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert exclusions.holds_file(tmp_path / "same.jpg")
    assert not exclusions.holds_file(tmp_path / "other.jpg")
    assert not exclusions.holds_file(tmp_path / "missing.jpg")
