"""What a run leaves for people to look at: an annotated video, a contact sheet, boxes as CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import TextIO

import cv2

from visual_tracker.drawing import contact_sheet
from visual_tracker.images import Image, size_of
from visual_tracker.trackers import Track


class RecordingError(OSError):
    """An output file cannot be written; the message names it."""


class VideoRecorder:
    """Writes images to an MP4, and keeps every so many for a contact sheet.

    Args:
        path: the video to write; its folder must exist.
        fps: frames per second.
        frames_expected: length of the run, over which the sheet's images are spread.
        sheet_images: images on the contact sheet.
    """

    def __init__(
        self, path: Path, fps: float, frames_expected: int | None = None, sheet_images: int = 12
    ) -> None:
        self.path = path
        self._fps = fps
        self._every = max(1, (frames_expected or 10 * sheet_images) // sheet_images)
        self._sheet: list[Image] = []
        self._sheet_images = sheet_images
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self.count = 0

    def write(self, image: Image) -> None:
        """Append one image; one of another size than the first is scaled to it.

        Raises:
            RecordingError: if the video cannot be written.
        """
        if self._writer is None:
            self._size = size_of(image)
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self.path), codec, self._fps, self._size)
            if not self._writer.isOpened():
                raise RecordingError(f"cannot write the video {self.path}; is its folder there?")
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
        if not self._sheet or not cv2.imwrite(str(path), contact_sheet(self._sheet)):
            raise RecordingError(f"cannot write the contact sheet {path}")

    def close(self) -> None:
        """Finish the video file."""
        if self._writer is not None:
            self._writer.release()

    def __enter__(self) -> VideoRecorder:
        """For `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the video file, also after an error."""
        self.close()


class BoxWriter:
    """Writes a line a frame: frame (0-based), x, y, width, height (0-based px), confidence, state.

    A tracker without confidence leaves that column empty.

    Raises:
        RecordingError: if the file cannot be written.
    """

    HEADER = ("frame", "x", "y", "width", "height", "confidence", "state")

    def __init__(self, path: Path) -> None:
        try:
            self._file: TextIO = path.open("w", newline="")
        except OSError as error:
            raise RecordingError(f"cannot write the boxes: {error}") from error
        self._rows = csv.writer(self._file)
        self._rows.writerow(self.HEADER)

    def write(self, frame: int, track: Track) -> None:
        """Append the outcome for one frame."""
        numbers = [f"{number:.3f}" for number in track.box.xywh]
        confidence = "" if track.confidence is None else f"{track.confidence:.4f}"
        self._rows.writerow([frame, *numbers, confidence, track.state.value])

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def __enter__(self) -> BoxWriter:
        """For `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, also after an error."""
        self.close()
