"""A whole data set in one small file, to carry to the machine that trains.

A pack keeps of every image the part that crops of its objects can show, no larger than they need
it, as JPEG (`packing` writes it). It is a safetensors file: `jpeg`, uint8, all images one behind
the other; `starts`, int64, where each begins, and the end; `thumbnails`, uint8, (images, 16, 17),
of the whole pictures, by which those of evaluation data are known; and in its metadata, under
`annotations`, the text of an `annotations.json` in our own format, in which an image's file is its
number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from visual_tracker.annotations import Collection, DataError, read_document
from visual_tracker.images import Image

#: how a pack's file name ends
SUFFIX = ".safetensors"

#: names within the file
JPEG, STARTS, THUMBNAILS, ANNOTATIONS = "jpeg", "starts", "thumbnails", "annotations"


def is_pack(path: Path) -> bool:
    """True if a path looks like a pack's file."""
    return path.suffix == SUFFIX and path.is_file()


def read_pack(path: Path) -> Collection:
    """Read a pack's annotations; the images' paths are the pack's with their number.

    Raises:
        DataError: if the file is no pack.
    """
    with _open(path) as file:
        text = (file.metadata() or {}).get(ANNOTATIONS)
    if text is None:
        raise DataError(f"{path} is no pack: it has no annotations; see docs/training.md")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: its annotations cannot be read as JSON: {error}") from None
    return read_document(document, path, path)


class PackReader:
    """The images of one pack, decoded one by one.

    Raises:
        DataError: if the file is no pack.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        try:
            self._starts = self._file.get_tensor(STARTS)
            self._jpeg = self._file.get_slice(JPEG)
        except SafetensorError:
            raise DataError(f"{path} is no pack: it holds no images") from None
        # an older pack has none
        held = THUMBNAILS in self._file.keys()  # noqa: SIM118
        self._thumbnails = self._file.get_tensor(THUMBNAILS) if held else None

    def __reduce__(self) -> tuple[type[PackReader], tuple[Path]]:
        """A worker process that shares no memory opens the file anew."""
        return PackReader, (self._path,)

    def image(self, number: int) -> Image | None:
        """BGR uint8 (height, width, 3), or None if it cannot be decoded."""
        start, end = int(self._starts[number]), int(self._starts[number + 1])
        data: NDArray[np.uint8] = self._jpeg[start:end]
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    def thumbnail(self, number: int) -> Image | None:
        """Grey uint8 (16, 17) of the picture that an image is a part of; None in an older pack."""
        return None if self._thumbnails is None else self._thumbnails[number]


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} is no pack ({error})") from None
