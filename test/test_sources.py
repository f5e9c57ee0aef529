"""Videos, image folders and sequences with truth."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from test.fakes import forbid, number_of, picture, textured_square
from visual_tracker.boxes import Box
from visual_tracker.sources import (
    DEFAULT_FPS,
    ImageFolder,
    SourceError,
    Video,
    open_source,
    read_truth,
)


def write_images(folder: Path, *names: str) -> None:
    """Images that carry their place in `names`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), picture(number))


def write_truth(folder: Path, text: str) -> Path:
    path = folder / "groundtruth_rect.txt"
    path.write_text(text)
    return path


def test_a_video_gives_its_frames_in_order_with_rate_and_length(square_video: Path) -> None:
    source = open_source(str(square_video))
    assert isinstance(source, Video)
    assert (source.name, source.fps, source.length, source.truth) == ("square", 25, 12, ())
    images = list(source)
    assert len(images) == 12
    for image, expected in zip(images, textured_square(12)[0], strict=True):
        assert image.dtype == np.uint8
        assert image.shape == expected.shape
        # what is left is the loss of the codec
        assert np.abs(image.astype(int) - expected).mean() < 8


def test_the_images_of_a_folder_come_in_natural_order(tmp_path: Path) -> None:
    write_images(tmp_path / "walk", "img1.png", "img2.png", "img10.png", "img011.PNG", "img100.png")
    (tmp_path / "walk" / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path / "walk"))
    assert isinstance(source, ImageFolder)
    assert (source.name, source.fps, source.length) == ("walk", DEFAULT_FPS, 5)
    assert [number_of(image) for image in source] == [0, 1, 2, 3, 4]


def test_names_that_begin_with_numbers_letters_and_other_digits_can_be_sorted(
    tmp_path: Path,
) -> None:
    names = ["10.png", "9.png", "a.png", "a9.png", "²3.png"]
    write_images(tmp_path, *names)
    found = [path.name for path in ImageFolder(tmp_path).files]
    assert sorted(found) == sorted(names)
    assert found.index("9.png") < found.index("10.png")


def test_names_of_equal_numbers_come_in_the_same_order_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["img1.png", "img01.png", "img001.png", "img1.bmp"]
    write_images(tmp_path, *names)
    listed = Path.iterdir
    orders = []
    for backwards in (False, True):
        monkeypatch.setattr(
            Path, "iterdir", lambda path, b=backwards: iter(sorted(listed(path), reverse=b))
        )
        orders.append([path.name for path in ImageFolder(tmp_path).files])
    assert orders[0] == orders[1]


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_a_sequence_folder_brings_its_truth(tmp_path: Path, separator: str) -> None:
    write_images(tmp_path / "Dog" / "img", "0001.png", "0002.png")
    rows = [["140", "113", "51", "36"], ["139.5", "113", "51", "36"]]
    write_truth(tmp_path / "Dog", "\n".join(separator.join(row) for row in rows) + "\n")
    source = open_source(str(tmp_path / "Dog"))
    assert source.name == "Dog"
    assert source.truth == (Box(139, 112, 51, 36), Box(138.5, 112, 51, 36))
    assert len(list(source)) == source.length == 2


@pytest.mark.parametrize("line", ["NaN,NaN,NaN,NaN", "0,0,0,0", "5,5,0,9", "5,5,9,-1"])
def test_a_frame_without_a_target_has_no_truth(tmp_path: Path, line: str) -> None:
    path = write_truth(tmp_path, f"1,1,5,5\n{line}\n2,2,5,5\n")
    assert read_truth(path) == (Box(0, 0, 5, 5), None, Box(1, 1, 5, 5))


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,x", "1;2;3;4"])
def test_malformed_truth_is_refused_with_file_and_line(tmp_path: Path, line: str) -> None:
    path = write_truth(tmp_path, f"1,1,5,5\n{line}\n")
    with pytest.raises(SourceError, match=r"groundtruth_rect\.txt:2: expected x,y,w,h, found"):
        read_truth(path)


def test_truth_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth_rect.txt"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SourceError, match=r"groundtruth_rect\.txt"):
        read_truth(path)


@pytest.mark.parametrize("name", ["missing.mp4", "missing/folder", "/dev/video99"])
def test_a_source_that_does_not_exist_is_refused_by_name(name: str) -> None:
    with pytest.raises(SourceError, match=f"no file, folder or camera '{name}'"):
        open_source(name)


@pytest.mark.parametrize("name", ["99999999999", "9" * 5000])
def test_a_number_beyond_all_cameras_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match=f"(no file, folder or camera '|^){name[:200]}"):
        open_source(name)


def test_a_camera_whose_number_opencv_does_not_take_is_refused() -> None:
    with pytest.raises(SourceError, match="cannot open 99999999999 as a video or camera"):
        Video(99999999999)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("~nobodyxx/f.mp4", "~nobodyxx/f.mp4 cannot be opened: .*home"),
        ("a" * 5000, r"^a{200} cannot be opened: File name too long$"),
    ],
    ids=["home", "long"],
)
def test_a_source_that_the_system_refuses_to_look_for_is_refused(name: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        open_source(name)


@pytest.mark.parametrize(
    ("name", "call"), [("film.mp4", "stat"), ("walk", "stat"), ("walk", "iterdir")]
)
def test_a_source_that_one_may_not_read_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    write_images(tmp_path / "walk", "1.png")
    forbid(monkeypatch, tmp_path / name, call)
    with pytest.raises(SourceError, match=rf"{name} cannot be opened: Permission denied"):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(("name", "why"), [("gone", "No such file"), ("1.png", "Not a directory")])
def test_what_is_no_folder_is_refused_by_name(tmp_path: Path, name: str, why: str) -> None:
    write_images(tmp_path, "1.png")
    with pytest.raises(SourceError, match=rf"{name} cannot be opened: {why}"):
        ImageFolder(tmp_path / name)


def test_an_address_longer_than_a_path_may_be_reaches_opencv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = "http://localhost/film.mp4?key=" + "a" * 5000
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: cv2.VideoWriter())
    with pytest.raises(SourceError, match="OpenCV cannot open 'http://localhost"):
        open_source(address)


def test_a_folder_without_images_is_refused_with_the_suffixes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(SourceError, match=r"holds no image \(.*\.jpg.*\.png"):
        open_source(str(tmp_path))


def test_an_unreadable_image_is_named_when_its_turn_comes(tmp_path: Path) -> None:
    write_images(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").write_bytes(b"no image at all")
    images = iter(open_source(str(tmp_path)))
    assert number_of(next(images)) == 0
    with pytest.raises(SourceError, match=r"2\.png cannot be read as an image"):
        next(images)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_file_that_is_no_video_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot open '.*broken\.mp4' as a video"):
        open_source(str(path))


def test_a_folder_may_have_a_number_for_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("0001", "12345"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "1.png"), picture(7))
    assert [number_of(image) for image in open_source("0001")] == [7]
    with pytest.raises(SourceError, match=r"camera; write \./12345 for the file or folder"):
        open_source("12345")
    assert [number_of(image) for image in open_source("./12345")] == [7]


@pytest.mark.parametrize("told", [0.0, -1.0, math.nan, math.inf, 90000.0])
def test_a_camera_is_opened_by_its_number(monkeypatch: pytest.MonkeyPatch, told: float) -> None:
    class Camera:
        opened: list[object] = []  # noqa: RUF012

        def __init__(self, source: object) -> None:
            self.opened.append(source)
            self.left = [picture(0), picture(1)]
            self.released = False

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def get(self, what: int) -> float:
            return {cv2.CAP_PROP_FPS: told, cv2.CAP_PROP_FRAME_COUNT: -1.0}[what]

        def read(self) -> tuple[bool, object]:
            return (True, self.left.pop(0)) if self.left else (False, None)

        def release(self) -> None:
            self.released = True

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    source = open_source("2")
    assert Camera.opened == [2]
    assert (source.name, source.fps, source.length) == ("camera2", DEFAULT_FPS, None)
    assert [number_of(image) for image in source] == [0, 1]
    assert source._capture.released  # type: ignore[attr-defined]
    assert open_source("rtsp://host/stream").name == "stream"
    assert Camera.opened == [2, "rtsp://host/stream"]


def test_a_video_without_a_frame_is_refused_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Video.__new__(Video)
    source.name = "hollow"
    source._capture = cv2.VideoCapture()
    with pytest.raises(SourceError, match="hollow holds no frame"):
        next(iter(source))


def test_a_blank_line_amid_the_truth_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "groundtruth_rect.txt"
    path.write_text("1,1,5,5\n\n1,1,5,5\n\n")
    with pytest.raises(SourceError, match=r"groundtruth_rect.txt:2: expected x,y,w,h"):
        read_truth(path)
