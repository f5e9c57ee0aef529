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
from visual_tracker.recording import BoxWriter, RecordingError, VideoRecorder
from visual_tracker.trackers import Track, TrackState


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
