"""Readers of the four layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from test.training.factories import write_native
from visual_tracker.annotations import DataError
from visual_tracker.boxes import Box
from visual_tracker.sources import SourceError
from visual_tracker.training.data import read_collection


def test_our_own_format(tmp_path: Path) -> None:
    collection = read_collection(write_native(tmp_path))
    assert [track.name for track in collection.tracks] == ["v0", "v1"]
    number, view = collection.tracks[0].frames[2]
    assert (number, view.box, view.scene) == (2, Box(46, 46, 32, 32), "v0")
    assert view.path.is_file()
    assert [still.objects[0].label for still in collection.stills] == ["cup", "cup", "cat"]
    assert len(list(collection.paths())) == 2 * 6 + 3


def test_small_and_broken_boxes_are_left_out_and_counted(tmp_path: Path) -> None:
    frames = [["a.jpg", [0, 0, 7, 50]], ["b.jpg", None], ["c.jpg", [1, 2, 8, 8]]]
    document = {"videos": [{"name": "v", "label": "cat", "frames": frames}]}
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    collection = read_collection(tmp_path)
    assert [number for number, _ in collection.tracks[0].frames] == [2]
    assert collection.skipped == {"box under 8 pixels": 1, "no box": 1}


def test_coco(tmp_path: Path) -> None:
    document = {
        "categories": [{"id": 3, "name": "car"}],
        "images": [{"id": 9, "file_name": "9.jpg"}],
        "annotations": [
            {"image_id": 9, "category_id": 3, "iscrowd": 0, "bbox": [1, 2, 30, 40],
             "segmentation": [[1, 2, 31, 2, 31, 42]]},
            {"image_id": 9, "category_id": 3, "iscrowd": 1, "bbox": [0, 0, 99, 99],
             "segmentation": {"counts": [1]}},
        ],
    }  # fmt: skip
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="needs its images in"):
        read_collection(tmp_path)
    (tmp_path / "val2017").mkdir()
    (still,) = read_collection(tmp_path).stills
    (view,) = still.objects
    assert view.path == tmp_path / "val2017" / "9.jpg"
    assert (view.box, view.label) == (Box(1, 2, 30, 40), "car")
    assert view.polygons == ((1, 2, 31, 2, 31, 42),)


def make_video(folder: Path, images: str, lines: list[str]) -> None:
    (folder / images).mkdir(parents=True)
    for number in range(len(lines)):
        (folder / images / f"{number + 1:08d}.jpg").touch()
    (folder / "groundtruth.txt").write_text("\n".join(lines))


def test_got10k_leaves_absent_frames_out(tmp_path: Path) -> None:
    video = tmp_path / "GOT-10k_Train_000001"
    make_video(video, ".", ["10,20,30,40", "0,0,0,0", "12.5,20,30,40"])
    (video / "absence.label").write_text("0\n1\n0\n")
    collection = read_collection(tmp_path)
    (track,) = collection.tracks
    assert [(number, view.box.x) for number, view in track.frames] == [(0, 10), (2, 12.5)]
    assert track.frames[1][1].path.name == "00000003.jpg"
    assert collection.skipped == {"target hidden": 1}


def test_lasot_is_one_based_and_hides_frames(tmp_path: Path) -> None:
    video = tmp_path / "airplane" / "airplane-1"
    make_video(video, "img", ["11,21,30,40", "1,1,9,9", "1,1,9,9"])
    (video / "full_occlusion.txt").write_text("0,1,0")
    (video / "out_of_view.txt").write_text("0,0,1")
    (track,) = read_collection(tmp_path).tracks
    assert [(number, view.box) for number, view in track.frames] == [(0, Box(10, 20, 30, 40))]
    assert track.label == "airplane"


def test_a_class_of_lasot_is_no_got10k(tmp_path: Path) -> None:
    make_video(tmp_path / "airplane" / "airplane-1", "img", ["11,21,30,40"])
    (track,) = read_collection(tmp_path / "airplane").tracks
    assert track.frames[0][1].box == Box(10, 20, 30, 40)
    assert track.label == "airplane"


def test_images_are_in_the_order_of_their_numbers_whatever_they_are_called(tmp_path: Path) -> None:
    video = tmp_path / "mine"
    make_video(video, ".", [f"{10 * number},20,30,40" for number in range(12)])
    for number in range(1, 13):
        (video / f"{number:08d}.jpg").rename(video / f"{number}.PNG")
    (track,) = read_collection(tmp_path).tracks
    assert [(view.path.stem, view.box.x) for _, view in track.frames] == [
        (str(number + 1), 10 * number) for number in range(12)
    ]


@pytest.mark.parametrize("set_name", ["got10k", "lasot"])
def test_boxes_are_never_put_on_other_images(tmp_path: Path, set_name: str) -> None:
    video = tmp_path / "mine" if set_name == "got10k" else tmp_path / "cat" / "cat-1"
    images = "." if set_name == "got10k" else "img"
    make_video(video, images, ["10,20,30,40"] * 5)
    (video / images / "00000003.jpg").unlink()
    with pytest.raises(SourceError, match=r"5 lines but .* 4 images; 00000003\.jpg"):
        read_collection(tmp_path)
    (video / images / "00000003.jpg").touch()
    (video / "groundtruth.txt").write_text("x,y,w,h\n" + "10,20,30,40\n" * 5)
    with pytest.raises(SourceError, match=r"groundtruth\.txt:1: expected x,y,w,h"):
        read_collection(tmp_path)


def test_an_unknown_layout_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotations\.json"):
        read_collection(tmp_path)


@pytest.mark.parametrize("text", ["{", '{"videos": [{}]}', "[]"])
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(DataError) as error:
        read_collection(tmp_path)
    assert "\n" not in str(error.value)
