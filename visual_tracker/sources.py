"""Where images come from: a video file, a folder of images, a sequence with truth, or a camera."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})

#: frames per second of a source that does not say (an image folder)
DEFAULT_FPS = 30.0
#: more are not believed
_MOST_FPS = 1000.0

#: the truth beside a folder of images, in OTB's form: a line x,y,w,h a frame, 1-based
TRUTH_FILE = "groundtruth_rect.txt"


class SourceError(ValueError):
    """A source that cannot be opened or read; the message names it and says what is expected."""


class FrameSource(ABC):
    """Images in order. Iterate it once; it closes itself at the end.

    Attributes:
        name: short name for messages and files.
        fps: frames per second of the source.
        length: number of frames, None if unknown (a camera).
        truth: true boxes of the leading frames, empty if there are none; None where a frame's
            truth is not a box.
    """

    name: str
    fps: float = DEFAULT_FPS
    length: int | None = None
    truth: tuple[Box | None, ...] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Image]:
        """Yield the images, BGR uint8 (height, width, 3)."""


class ImageFolder(FrameSource):
    """The images of a folder in natural order of their names; also an OTB sequence folder.

    Raises:
        SourceError: if it is no folder that can be read or there is no image, or while iterating,
            if one cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        with _refusing(folder):
            images = folder / "img" if (folder / "img").is_dir() else folder
            self.files = sorted(
                (path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES),
                key=_natural_key,
            )
            has_truth = (folder / TRUTH_FILE).is_file()
            self.name = folder.resolve().name
        if not self.files:
            raise SourceError(f"{images} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
        self.length = len(self.files)
        if has_truth:
            self.truth = read_truth(folder / TRUTH_FILE)

    def __iter__(self) -> Iterator[Image]:
        """Yield the images."""
        for path in self.files:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise SourceError(f"{path} cannot be read as an image")
            yield image


class Video(FrameSource):
    """A video file, a camera (index or /dev/video*) or a stream address that OpenCV opens.

    Raises:
        SourceError: if it cannot be opened or holds no frame.
    """

    def __init__(self, source: str | int) -> None:
        refusal = f"OpenCV cannot open {source!r} as a video or camera"
        try:
            self._capture = cv2.VideoCapture(source)
        except cv2.error:  # a number beyond all cameras
            raise SourceError(refusal) from None
        if not self._capture.isOpened():
            raise SourceError(refusal)
        self.name = Path(source).stem if isinstance(source, str) else f"camera{source}"
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        # -1, NaN, infinite or a clock's ticks: it does not know
        self.fps = fps if 0 < fps <= _MOST_FPS else DEFAULT_FPS
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = frames if frames > 0 else None

    def __iter__(self) -> Iterator[Image]:
        """Yield the images."""
        try:
            found, image = self._capture.read()
            if not found:
                raise SourceError(f"{self.name} holds no frame that OpenCV can decode")
            while found:
                yield image
                found, image = self._capture.read()
        finally:
            self._capture.release()


def open_source(source: str) -> FrameSource:
    """Open what a person names: a video file, a folder, a camera index or a stream address.

    Raises:
        SourceError: if it does not exist or cannot be opened.
    """
    # OpenCV takes no longer numbers; 0001 is a folder's name
    if re.fullmatch(r"0|[1-9]\d{0,8}", source):
        return _camera(source)
    # before any path: an address can be longer than a path may be
    if "://" in source:
        return Video(source)
    with _refusing(source):
        path = Path(source).expanduser()
        is_folder, exists = path.is_dir(), path.exists()
    if not exists:
        raise SourceError(f"there is no file, folder or camera {source!r}")
    return ImageFolder(path) if is_folder else Video(str(path))


def _camera(number: str) -> Video:
    try:
        return Video(int(number))
    except SourceError as error:
        hint = f"; write ./{number} for the file or folder" if Path(number).exists() else ""
        raise SourceError(f"{error}{hint}") from None


@contextmanager
def _refusing(source: object) -> Iterator[None]:
    """Raise SourceError with the source's name where the system refuses to look at it."""
    try:
        yield
    except OSError as error:
        raise SourceError(f"{source!s:.200} cannot be opened: {error.strerror}") from None
    except RuntimeError as error:  # the home of a user that there is not, a link to itself
        raise SourceError(f"{source!s:.200} cannot be opened: {error}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without empty ones at its end.

    Raises:
        SourceError: if it cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as text: {error}") from None


def read_rows(path: Path, length: int = 0, expected: str = "numbers") -> list[list[float]]:
    """The numbers of each line, separated by commas, tabs or spaces.

    Args:
        path: a text file.
        length: how many there must be in a line; 0 for any.
        expected: what a line holds, for the message.

    Raises:
        SourceError: if the file cannot be read, or a line holds something else; the message names
            file and line.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = [float(part) for part in re.split(r"[,\s]+", line.strip().strip(","))]
        except ValueError:
            row = []
        if not row or (length and len(row) != length):
            raise SourceError(f"{path}:{number}: expected {expected}, found {line!r}")
        rows.append(row)
    return rows


def read_truth(path: Path) -> tuple[Box | None, ...]:
    """Read an OTB truth file: a line x,y,w,h a frame, 1-based; NaN or zero size gives None.

    Raises:
        SourceError: as :func:`read_rows`.
    """
    return tuple(map(_one_based, read_rows(path, length=4, expected="x,y,w,h")))


def _one_based(row: list[float]) -> Box | None:
    try:
        return Box.from_xywh_one_based(*row)
    except BoxError:
        return None


def _natural_key(path: Path) -> tuple[list[tuple[bool, int | str]], str]:
    """Sort key in which img2 comes before img10; names of equal numbers go by their letters."""
    parts = re.split(r"(\d+)", path.stem)
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else part) for part in parts
    ], path.name
