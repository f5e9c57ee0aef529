"""Readers of datasets, on tiny folders of every format, well formed and not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from test.evaluation.factories import HEIGHT, WIDTH, moving_boxes, rows, write_images, write_otb
from visual_tracker.evaluation.datasets import DatasetError, detect_format, read_dataset
from visual_tracker.sources import SourceError

BOXES = moving_boxes(5)


def write_got10k(root: Path, name: str = "GOT-10k_Val_000001") -> Path:
    folder = root / name
    write_images(folder, BOXES, "{:08d}.png")
    (folder / "groundtruth.txt").write_text(rows(BOXES))
    (folder / "absence.label").write_text("0\n0\n1\n0\n0\n")
    (folder / "cover.label").write_text("8\n7\n0\n0\n8\n")
    return folder


def write_lasot(root: Path, name: str = "bird-1") -> Path:
    folder = root / "bird" / name
    write_images(folder / "img", BOXES, "{:08d}.png")
    (folder / "groundtruth.txt").write_text(rows(BOXES, 1))
    (folder / "full_occlusion.txt").write_text("0,0,1,0,0")
    (folder / "out_of_view.txt").write_text("0,0,0,1,0")
    return folder


def write_vot(root: Path, name: str = "ball", color: bool = True) -> Path:
    folder = root / name
    write_images(folder / "color" if color else folder, BOXES, "{:08d}.png")
    (folder / "groundtruth.txt").write_text(rows(BOXES))
    return folder


def write_uav(root: Path) -> None:
    write_images(root / "data_seq" / "UAV123" / "bike1", BOXES, "{:06d}.png")
    write_images(root / "data_seq" / "UAV123" / "bird1", moving_boxes(9), "{:06d}.png")
    annotations = root / "anno" / "UAV123"
    annotations.mkdir(parents=True)
    (annotations / "bike1.txt").write_text(rows(BOXES, 1))
    (annotations / "bird1_1.txt").write_text(rows(moving_boxes(3), 1))
    (annotations / "bird1_2.txt").write_text("18,21,16,16\nNaN,NaN,NaN,NaN\n20,21,16,16\n")
    (root / "configSeqs.m").write_text(
        r"seqUAV123={struct('name','bike1','path','..\data_seq\UAV123\bike1\','startFrame',1,'endFrame',5),..."
        "\n"
        r"struct('name','bird1_1','path','..\data_seq\UAV123\bird1\','startFrame',1,'endFrame',3),..."
        "\n"
        r"struct('name','bird1_2','path','..\data_seq\UAV123\bird1\','startFrame',7,'endFrame',9)};"
    )


# OTB


def test_otb(tmp_path: Path) -> None:
    write_otb(tmp_path, "Two")
    write_otb(tmp_path, "One")
    first, second = read_dataset(tmp_path)
    assert (first.name, second.name) == ("One", "Two")
    np.testing.assert_array_equal(first.truth, BOXES)  # 0-based
    assert first.visible.all()
    assert [image[0, 0, 0] for image in map(first.frames.__getitem__, range(5))] == [0, 1, 2, 3, 4]
    assert first.frames[0].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_otb_separators(tmp_path: Path, separator: str) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").write_text(rows(BOXES, 1, separator) + "\n\n")
    np.testing.assert_array_equal(read_dataset(tmp_path)[0].truth, BOXES)


def test_one_sequence_is_a_dataset_too(tmp_path: Path) -> None:
    assert [sequence.name for sequence in read_dataset(write_otb(tmp_path))] == ["One"]


def test_otb_of_two_targets(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").rename(folder / "groundtruth_rect.1.txt")
    (folder / "groundtruth_rect.2.txt").write_text(rows(BOXES + 2, 1))
    first, second = read_dataset(tmp_path)
    assert (first.name, second.name) == ("One.1", "One.2")
    np.testing.assert_array_equal(second.truth, BOXES + 2)


def test_otb_skips_an_empty_truth_beside_another(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").rename(folder / "groundtruth_rect.2.txt")
    (folder / "groundtruth_rect.1.txt").write_text("\n")
    assert [sequence.name for sequence in read_dataset(tmp_path)] == ["One"]


def test_otb_cuts_to_the_published_range(tmp_path: Path) -> None:
    folder = tmp_path / "Football1"
    write_images(folder / "img", moving_boxes(80))
    (folder / "groundtruth_rect.txt").write_text(rows(moving_boxes(74), 1))
    (sequence,) = read_dataset(tmp_path)
    assert len(sequence) == 74
    assert sequence.frames[73][0, 0, 0] == 73


def test_otb_hidden_frames(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    hidden = {"comment": "by eye", "One": [[2, 3], [5, 5]]}
    (tmp_path / "hidden.json").write_text(json.dumps(hidden))
    for root in (tmp_path, folder):
        (sequence,) = read_dataset(root)
        assert sequence.visible.tolist() == [True, False, False, True, False]
        assert np.isfinite(sequence.truth).all()  # the truth keeps its boxes


def test_rows_that_are_no_box_have_no_truth(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    text = "11,21,16,16\nNaN,NaN,NaN,NaN\n0,0,0,0\n14,21,16,-1\n15,21,16,16\n"
    (folder / "groundtruth_rect.txt").write_text(text)
    (sequence,) = read_dataset(tmp_path)
    assert sequence.visible.tolist() == [True, False, False, False, True]
    assert np.isnan(sequence.truth[1:4]).all()


# the others


def test_got10k(tmp_path: Path) -> None:
    folder = write_got10k(tmp_path)
    (tmp_path / "list.txt").write_text(folder.name + "\n")
    (sequence,) = read_dataset(tmp_path)
    assert detect_format(tmp_path) == "got10k"
    np.testing.assert_array_equal(sequence.truth[0], BOXES[0])  # as it stands
    assert sequence.visible.tolist() == [True, True, False, False, True]


def test_got10k_test_split(tmp_path: Path) -> None:
    folder = write_got10k(tmp_path)
    for file in folder.glob("*.label"):
        file.unlink()
    (folder / "groundtruth.txt").write_text(rows(BOXES[:1]))
    (sequence,) = read_dataset(tmp_path)
    assert len(sequence) == 5
    assert sequence.visible.tolist() == [True, False, False, False, False]


def test_got10k_asks_for_a_split(tmp_path: Path) -> None:
    write_got10k(tmp_path / "val")
    with pytest.raises(DatasetError, match="name one of them"):
        read_dataset(tmp_path, "got10k")


def test_lasot(tmp_path: Path) -> None:
    write_lasot(tmp_path)
    (sequence,) = read_dataset(tmp_path)
    assert detect_format(tmp_path) == "lasot"
    np.testing.assert_array_equal(sequence.truth[0], BOXES[0])  # 0-based
    assert sequence.visible.tolist() == [True, True, False, False, True]
    assert np.isnan(sequence.truth[2:4]).all()
    assert sequence.tags["out_of_view"].tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("color", [True, False])
def test_vot(tmp_path: Path, color: bool) -> None:
    folder = write_vot(tmp_path, color=color)
    (folder / "occlusion.tag").write_text("0\n1\n")
    (sequence,) = read_dataset(tmp_path)
    assert detect_format(tmp_path) == "vot"
    np.testing.assert_array_equal(sequence.truth, BOXES)  # as it stands
    assert sequence.tags["occlusion"].tolist() == [False, True, False, False, False]


def test_vot_regions(tmp_path: Path) -> None:
    folder = write_vot(tmp_path)
    (folder / "groundtruth.txt").write_text(
        "10,20,14,16,12,26,8,22\n"  # a polygon
        "nan,nan,nan,nan\n0\n"  # no truth, and a code
        "m5,6,3,4,1,2,3\n"  # a mask in a box
        "1,2,3,4\n"
    )
    (sequence,) = read_dataset(tmp_path)
    assert sequence.truth[0].tolist() == [8, 16, 6, 10]
    assert sequence.polygons[0].tolist() == [[10, 20], [14, 16], [12, 26], [8, 22]]
    assert sequence.polygons[3] is None
    assert sequence.truth[3:].tolist() == [[5, 6, 3, 4], [1, 2, 3, 4]]
    assert sequence.visible.tolist() == [True, False, False, True, True]


def test_vot_order_is_that_of_its_list(tmp_path: Path) -> None:
    write_vot(tmp_path, "a")
    write_vot(tmp_path, "b")
    (tmp_path / "list.txt").write_text("b\na\n")
    assert [sequence.name for sequence in read_dataset(tmp_path)] == ["b", "a"]


def test_uav123(tmp_path: Path) -> None:
    write_uav(tmp_path)
    assert detect_format(tmp_path) == "uav123"
    bike, first, second = read_dataset(tmp_path)
    assert [bike.name, first.name, second.name] == ["bike1", "bird1_1", "bird1_2"]
    assert [first.frames[0][0, 0, 0], second.frames[0][0, 0, 0]] == [0, 6]
    assert second.truth[0].tolist() == [17, 20, 16, 16]  # 0-based
    assert second.visible.tolist() == [True, False, True]


def test_uav123_version_can_be_named(tmp_path: Path) -> None:
    write_uav(tmp_path)
    other = tmp_path / "anno" / "UAV20L"
    other.mkdir()
    (other / "bike1.txt").write_text(rows(BOXES, 1))
    with pytest.raises(DatasetError, match="several versions"):
        read_dataset(tmp_path)
    assert [sequence.name for sequence in read_dataset(other, "uav123")] == ["bike1"]


def test_only_some_sequences(tmp_path: Path) -> None:
    for name in ("One", "Three", "Two"):
        write_otb(tmp_path, name)
    chosen = read_dataset(tmp_path, only=("Two", "One"))
    assert [sequence.name for sequence in chosen] == ["Two", "One"]
    with pytest.raises(DatasetError, match="no sequence Four; known: One, Three, Two"):
        read_dataset(tmp_path, only=("Four",))


# malformed


def fails(root: Path, *parts: str) -> None:
    """The dataset is refused, in one line that holds all the parts."""
    with pytest.raises(SourceError) as caught:
        read_dataset(root)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_no_folder(tmp_path: Path) -> None:
    fails(tmp_path / "nowhere", str(tmp_path / "nowhere"), "no folder")


def test_empty_folder(tmp_path: Path) -> None:
    fails(tmp_path, str(tmp_path), "groundtruth_rect.txt")


def test_folder_of_another_format(tmp_path: Path) -> None:
    write_vot(tmp_path)
    with pytest.raises(DatasetError, match="no sequence in the form of otb"):
        read_dataset(tmp_path, "otb")


def test_missing_image_is_named(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "img" / "0003.png").unlink()
    fails(tmp_path, "groundtruth_rect.txt has 5 lines", "holds 4 images", "0003.png")


def test_truth_too_long(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").write_text(rows(moving_boxes(7), 1))
    fails(tmp_path, "groundtruth_rect.txt has 7 lines", "holds 5 images")


def test_truth_too_short(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").write_text(rows(moving_boxes(2), 1))
    fails(tmp_path, "groundtruth_rect.txt has 2 lines")


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5", "1,2,three,4", ""])
def test_bad_line_is_named(tmp_path: Path, line: str) -> None:
    folder = write_otb(tmp_path)
    lines = rows(BOXES, 1).splitlines()
    lines[2] = line
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines))
    fails(tmp_path, "groundtruth_rect.txt:3")


@pytest.mark.parametrize("first", ["NaN,NaN,NaN,NaN", "10,10,0,5"])
def test_first_frame_needs_a_truth(tmp_path: Path, first: str) -> None:
    folder = write_otb(tmp_path)
    lines = [first, *rows(BOXES, 1).splitlines()[1:]]
    (folder / "groundtruth_rect.txt").write_text("\n".join(lines))
    fails(tmp_path, "groundtruth_rect.txt", "in the first")


def test_empty_truth(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").write_text("")
    fails(tmp_path, "groundtruth_rect.txt", "no box")


def test_binary_truth(tmp_path: Path) -> None:
    folder = write_vot(tmp_path)
    (folder / "groundtruth.txt").write_bytes(b"\xff\xfe\x00\x80")
    fails(tmp_path, "groundtruth.txt", "cannot be read")


def test_no_images(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    for file in (folder / "img").iterdir():
        file.unlink()
    fails(tmp_path, str(folder / "img"), "no image")
    (folder / "img").rmdir()
    fails(tmp_path, str(folder / "img"), "missing")


def test_unreadable_image_is_named_when_its_turn_comes(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    broken = folder / "img" / "0004.png"
    broken.write_bytes(b"no picture")
    (sequence,) = read_dataset(tmp_path)
    assert sequence.frames[2] is not None
    with pytest.raises(DatasetError, match=r"0004\.png cannot be read"):
        sequence.frames[3]


def test_bad_hidden_list(tmp_path: Path) -> None:
    write_otb(tmp_path)
    (tmp_path / "hidden.json").write_text("[1, 2]")
    fails(tmp_path, "hidden.json")
    (tmp_path / "hidden.json").write_text('{"One": [[1, 2, 3]]}')
    fails(tmp_path, "hidden.json", "One")


def test_bad_flags(tmp_path: Path) -> None:
    folder = write_lasot(tmp_path)
    (folder / "out_of_view.txt").write_text("0,0,0,1,0,1")
    fails(tmp_path, "out_of_view.txt", "5 flags")
    (folder / "out_of_view.txt").write_text("0,0,7,1,0")
    fails(tmp_path, "out_of_view.txt")


def test_bad_cover(tmp_path: Path) -> None:
    folder = write_got10k(tmp_path)
    (folder / "cover.label").write_text("8\n8\n")
    fails(tmp_path, "cover.label", "5 numbers, found 2")


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5,6,7", "x"])
def test_bad_vot_region(tmp_path: Path, line: str) -> None:
    folder = write_vot(tmp_path)
    lines = [*rows(BOXES).splitlines()[:4], line]
    (folder / "groundtruth.txt").write_text("\n".join(lines))
    fails(tmp_path, "groundtruth.txt:5")


def test_listed_sequence_is_missing(tmp_path: Path) -> None:
    write_vot(tmp_path)
    (tmp_path / "list.txt").write_text("ball\nbat\n")
    fails(tmp_path, "list.txt", "bat")


def test_uav123_without_its_configuration(tmp_path: Path) -> None:
    write_uav(tmp_path)
    (tmp_path / "configSeqs.m").unlink()
    fails(tmp_path, "bird1_1.txt", "configSeqs.m")


def write_videos(root: Path) -> None:
    for name in ("one", "small"):
        write_images(root / name, BOXES, "{:d}.png")
    boxes = BOXES.tolist()
    frames = [[f"one/{number}.png", box] for number, box in enumerate(boxes, 1)]
    frames[2][1] = [1.0, 1.0, 7.0, 20.0]
    small = [[f"small/{number}.png", [1.0, 1.0, 4.0, 4.0]] for number in range(1, 6)]
    videos = [{"name": "one", "frames": frames}, {"name": "small", "frames": small}]
    (root / "annotations.json").write_text(json.dumps({"videos": videos, "images": []}))


def test_videos_of_the_training_data_without_tiny_boxes(tmp_path: Path) -> None:
    write_videos(tmp_path)
    assert detect_format(tmp_path) == "videos"
    (sequence,) = read_dataset(tmp_path)
    assert sequence.name == "one"
    np.testing.assert_array_equal(sequence.truth, np.delete(BOXES, 2, axis=0))
    assert [file.name for file in sequence.frames.files] == ["1.png", "2.png", "4.png", "5.png"]
    assert sequence.visible.all()


def test_videos_may_number_their_frames_and_leave_boxes_out(tmp_path: Path) -> None:
    frames = [["1.png", [1, 2, 30, 40], 0], ["2.png", None, 5], ["3.png", [2, 2, 30, 40], 10]]
    videos = [{"name": "a", "frames": frames}, {"name": "short", "frames": frames[:2]}]
    (tmp_path / "annotations.json").write_text(json.dumps({"videos": videos}))
    (sequence,) = read_dataset(tmp_path)
    assert [file.name for file in sequence.frames.files] == ["1.png", "3.png"]
    np.testing.assert_array_equal(sequence.truth, [[1, 2, 30, 40], [2, 2, 30, 40]])


@pytest.mark.parametrize("text", ["{", '{"images": []}', "[]", '{"videos": [{"name": "a"}]}'])
def test_a_malformed_annotation_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(DatasetError, match=r"annotations\.json is not in the form"):
        read_dataset(tmp_path)


def test_lasot_is_read_through_links(tmp_path: Path) -> None:
    write_lasot(tmp_path / "disk", "bird-1")
    write_lasot(tmp_path / "elsewhere", "bird-2")
    chosen = tmp_path / "disk" / "cat"
    chosen.symlink_to(tmp_path / "elsewhere" / "bird")
    assert [one.name for one in read_dataset(tmp_path / "disk")] == ["bird-1", "bird-2"]
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "one").symlink_to(tmp_path / "disk" / "bird" / "bird-1")
    assert detect_format(flat) == "lasot"
    (sequence,) = read_dataset(flat)
    # of a link its own name
    assert sequence.name == "one"
    assert sequence.visible.tolist() == [True, True, False, False, True]


def test_two_sequences_of_one_name_are_refused(tmp_path: Path) -> None:
    video = {"name": "twin", "frames": [["a.png", [1, 1, 20, 20]], ["b.png", [1, 1, 20, 20]]]}
    (tmp_path / "annotations.json").write_text(json.dumps({"videos": [video, video]}))
    with pytest.raises(DatasetError, match="2 sequences of the name twin"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["../escaped", "cat/01", "..", ""])
def test_names_that_cannot_be_files_are_refused(tmp_path: Path, name: str) -> None:
    video = {"name": name, "frames": [["a.png", [1, 1, 20, 20]], ["b.png", [1, 1, 20, 20]]]}
    (tmp_path / "annotations.json").write_text(json.dumps({"videos": [video]}))
    with pytest.raises(DatasetError, match="cannot be a file's name"):
        read_dataset(tmp_path)


def test_truth_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder = write_otb(tmp_path)
    (folder / "groundtruth_rect.txt").write_text(rows(BOXES, 1), encoding="utf-16")
    with pytest.raises(SourceError, match=r"groundtruth_rect\.txt cannot be read as text"):
        read_dataset(tmp_path)


def test_names_may_be_patterns(tmp_path: Path) -> None:
    for name in ("car_1", "car_2", "dog"):
        write_otb(tmp_path, name)
    names = [one.name for one in read_dataset(tmp_path, only=["dog", "car_*"])]
    assert names == ["dog", "car_1", "car_2"]
