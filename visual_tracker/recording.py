"""What a run leaves for people to look at: an annotated video, a contact sheet, boxes as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import cv2

from visual_tracker.drawing import contact_sheet
from visual_tracker.images import Image, as_bgr, size_of
from visual_tracker.trackers import Track


class RecordingError(OSError):
    """An output file cannot be written; the message names it."""


class VideoRecorder:
    """Writes images to an MP4, and keeps every so many for a contact sheet.

    Args:
        path: the video to write; its folder must exist.
        fps: frames per second.
        frames_expected: length of the run, over which the sheet's images are spread.
        sheet_images: images on the contact sheet; 0 for a run that wants none.
    """

    def __init__(
        self, path: Path, fps: float, frames_expected: int | None = None, sheet_images: int = 12
    ) -> None:
        self.path = path
        self._fps = fps
        per_sheet = max(1, sheet_images)
        self._every = math.ceil((frames_expected or 10 * per_sheet) / per_sheet)
        self._sheet: list[Image] = []
        self._sheet_images = sheet_images
        self._writer: cv2.VideoWriter | None = None
        self._closed = False
        self._size = (0, 0)
        self.count = 0

    def write(self, image: Image) -> None:
        """Append one image; one of another size than the first is scaled to it.

        Args:
            image: BGR uint8 (height, width, 3); grey and BGRA are converted.

        Raises:
            ImageError: if the image cannot be used.
            RecordingError: if the video cannot be written, or is closed.
        """
        # OpenCV drops what is not of the video's form, without a word
        image = as_bgr(image)
        if self._closed:
            raise RecordingError(f"the video {self.path} is closed; write before that")
        if self._writer is None:
            self._writer = self._open(size_of(image))
            self._size = size_of(image)
        if size_of(image) != self._size:
            image = cv2.resize(image, self._size)
        self._writer.write(image)
        if self.count % self._every == 0 and len(self._sheet) < self._sheet_images:
            self._sheet.append(image.copy())
        self.count += 1

    def write_sheet(self, path: Path) -> None:
        """Write the contact sheet of the images kept.

        Raises:
            RecordingError: if there is none or the file cannot be written.
        """
        refusal = f"cannot write the contact sheet {path}"
        if not self._sheet:
            raise RecordingError(f"{refusal}: no image was kept for it")
        try:
            written = cv2.imwrite(str(path), contact_sheet(self._sheet))
        except cv2.error:
            raise RecordingError(f"{refusal}; name it .png or .jpg") from None
        if not written:
            raise RecordingError(f"{refusal}; is its folder there?")

    def close(self) -> None:
        """Finish the video file."""
        self._closed = True
        if self._writer is not None:
            self._writer.release()

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        """The open video file; raises RecordingError if it cannot be written."""
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self.path), codec, self._fps, size)
        if not writer.isOpened():
            raise RecordingError(f"cannot write the video {self.path}; is its folder there?")
        return writer


class BoxWriter:
    """Writes a line a frame: frame (0-based), x, y, width, height (0-based px), confidence, state.

    A tracker without confidence leaves that column empty.

    Raises:
        RecordingError: if the file cannot be written; on a full disk that may come with any frame,
            or at the end.
    """

    HEADER = ("frame", "x", "y", "width", "height", "confidence", "state")

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._writing():
            self._file: TextIO = path.open("w", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(self.HEADER)

    def write(self, frame: int, track: Track) -> None:
        """Append the outcome for one frame."""
        numbers = [f"{number:.3f}" for number in track.box.xywh]
        confidence = "" if track.confidence is None else f"{track.confidence:.4f}"
        with self._writing():
            self._rows.writerow([frame, *numbers, confidence, track.state.value])

    def close(self) -> None:
        """Finish the file."""
        with self._writing():
            self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordingError(
                f"cannot write the boxes: {self._path}: {error.strerror}"
            ) from error
