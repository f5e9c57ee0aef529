"""What a run leaves: the video, the contact sheet and the boxes."""

from __future__ import annotations

import csv
import itertools
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from test.fakes import picture
from visual_tracker.boxes import Box
from visual_tracker.images import ImageError
from visual_tracker.recording import BoxWriter, RecordingError, VideoRecorder
from visual_tracker.trackers import Track, TrackState

#: every write to it fails as on a full disk
FULL = Path("/dev/full")


def frames_of(path: Path) -> list[np.ndarray]:
    capture, images = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        images.append(read[1])
    return images


def test_the_video_holds_every_image_in_the_size_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "tracked.mp4"
    with closing(VideoRecorder(path, fps=12)) as recorder:
        for number in range(4):
            recorder.write(picture(60 * number))
        recorder.write(picture(240, width=100, height=90))
        assert recorder.count == 5
    images = frames_of(path)
    assert [image.shape for image in images] == [(48, 64, 3)] * 5
    # the codec keeps flat colours to a few levels
    assert [round(image[..., 0].mean() / 60) for image in images] == [0, 1, 2, 3, 4]
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == 12


@pytest.mark.parametrize("channels", [0, 1, 4])
def test_grey_and_bgra_images_are_in_the_video_too(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "tracked.mp4"
    with closing(VideoRecorder(path, 25)) as recorder:
        for grey in (0, 60, 120):
            recorder.write(np.full((48, 64, channels)[: 2 + bool(channels)], grey, np.uint8))
        recorder.write_sheet(tmp_path / "tracked.png")
        assert recorder.count == 3
    images = frames_of(path)
    assert [round(image.mean() / 60) for image in images] == [0, 1, 2]


def test_what_is_no_image_is_refused_and_not_counted(tmp_path: Path) -> None:
    with closing(VideoRecorder(tmp_path / "tracked.mp4", 25)) as recorder:
        for image in (np.zeros((48, 64, 3)), None):
            with pytest.raises(ImageError):
                recorder.write(image)
        assert recorder.count == 0
        recorder.write(picture(0))
    assert len(frames_of(tmp_path / "tracked.mp4")) == 1


def test_a_video_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "late" / "tracked.mp4"
    recorder = VideoRecorder(path, 25)
    for _ in range(2):
        with pytest.raises(RecordingError, match="is its folder there"):
            recorder.write(picture(0))
    assert recorder.count == 0
    path.parent.mkdir()
    with closing(recorder):
        recorder.write(picture(0))
    assert len(frames_of(path)) == recorder.count == 1


@pytest.mark.parametrize("images", [0, 1])
def test_a_closed_video_takes_no_image(tmp_path: Path, images: int) -> None:
    recorder = VideoRecorder(tmp_path / "tracked.mp4", 25)
    for number in range(images):
        recorder.write(picture(number))
    for _ in range(2):
        recorder.close()
    with pytest.raises(RecordingError, match=r"tracked\.mp4 is closed"):
        recorder.write(picture(9))
    assert recorder.count == images


def test_the_video_is_finished_also_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "tracked.mp4"
    recorder = VideoRecorder(path, 25)
    recorder.write(picture(0))
    with pytest.raises(KeyError), closing(recorder):
        raise KeyError
    assert len(frames_of(path)) == 1


def test_a_video_in_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"missing/tracked\.mp4; is its folder there"):
        VideoRecorder(tmp_path / "missing" / "tracked.mp4", 25).write(picture(0))


@pytest.mark.parametrize("frames", [1, 3, 11, 12, 13, 23, 24, 25, 119, 120])
def test_the_sheet_is_spread_over_the_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    shown: list[int] = []

    def lay_out(images: list[np.ndarray]) -> np.ndarray:
        shown.extend(int(image[0, 0, 0]) for image in images)
        return picture(0)

    monkeypatch.setattr("visual_tracker.recording.contact_sheet", lay_out)
    with closing(VideoRecorder(tmp_path / "tracked.mp4", 25, frames_expected=frames)) as recorder:
        for number in range(frames):
            recorder.write(picture(number))
        recorder.write_sheet(tmp_path / "tracked.png")
    gaps = {after - before for before, after in itertools.pairwise(shown)}
    assert len(gaps) <= 1
    assert shown[0] == 0
    assert len(shown) <= 12
    # the rest of the run is no longer than a gap
    assert frames - shown[-1] <= max(gaps, default=1)


def test_the_sheet_is_a_picture(tmp_path: Path) -> None:
    with closing(VideoRecorder(tmp_path / "tracked.mp4", 25, frames_expected=2)) as recorder:
        recorder.write(picture(0))
        recorder.write(picture(1))
        recorder.write_sheet(tmp_path / "tracked.png")
    assert cv2.imread(str(tmp_path / "tracked.png")).shape == (240, 1280, 3)


def test_a_sheet_without_images_or_folder_is_refused_by_name(tmp_path: Path) -> None:
    recorder = VideoRecorder(tmp_path / "tracked.mp4", 25)
    with pytest.raises(RecordingError, match=r"contact sheet .*sheet\.png"):
        recorder.write_sheet(tmp_path / "sheet.png")
    with closing(recorder):
        recorder.write(picture(0))
        with pytest.raises(RecordingError, match=r"contact sheet .*gone/sheet\.png"):
            recorder.write_sheet(tmp_path / "gone" / "sheet.png")
        with pytest.raises(RecordingError, match=r"contact sheet .*s\.foo; name it \.png"):
            recorder.write_sheet(tmp_path / "s.foo")


def test_a_run_without_a_sheet_is_recorded(tmp_path: Path) -> None:
    with closing(VideoRecorder(tmp_path / "tracked.mp4", 25, sheet_images=0)) as recorder:
        for number in range(3):
            recorder.write(picture(number))
        with pytest.raises(RecordingError, match="no image was kept for it"):
            recorder.write_sheet(tmp_path / "tracked.png")
    assert len(frames_of(tmp_path / "tracked.mp4")) == 3


def test_the_boxes_are_written_a_line_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    with closing(BoxWriter(path)) as writer:
        writer.write(0, Track(Box(1, 2.5, 3, 4), None, TrackState.TRACKING))
        writer.write(7, Track(Box(1.23456, 2, 3, 4), 0.98765, TrackState.LOST))
    assert list(csv.reader(path.open(newline=""))) == [
        ["frame", "x", "y", "width", "height", "confidence", "state"],
        ["0", "1.000", "2.500", "3.000", "4.000", "", "tracking"],
        ["7", "1.235", "2.000", "3.000", "4.000", "0.9877", "lost"],
    ]


def test_boxes_that_cannot_be_written_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot write the boxes: .*missing/boxes\.csv"):
        BoxWriter(tmp_path / "missing" / "boxes.csv")


def write_boxes(writer: BoxWriter, frames: int) -> None:
    for frame in range(frames):
        writer.write(frame, Track(Box(1, 2, 3, 4), None, TrackState.TRACKING))


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_at_the_end_or_when_the_buffer_is_written() -> None:
    full = r"cannot write the boxes: /dev/full: No space left"
    writer = BoxWriter(FULL)
    write_boxes(writer, 1)
    with pytest.raises(RecordingError, match=full):
        writer.close()
    writer = BoxWriter(FULL)
    with pytest.raises(RecordingError, match=full), closing(writer):
        write_boxes(writer, 10000)
