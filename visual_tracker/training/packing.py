"""Writing a pack (:mod:`visual_tracker.training.packs`)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors.numpy import save_file

from visual_tracker.annotations import MIN_SIDE, Collection, DataError, View
from visual_tracker.boxes import Box
from visual_tracker.crops import context_side
from visual_tracker.images import Image
from visual_tracker.training.exclusions import thumbnail
from visual_tracker.training.images import ImageStore
from visual_tracker.training.packs import ANNOTATIONS, JPEG, STARTS, SUFFIX, THUMBNAILS


@dataclass(frozen=True)
class PackSettings:
    """How much of the images is kept.

    Attributes:
        side: pixels of a template crop; more than an object needs for it is thrown away.
        detail: times as many pixels, for crops that magnify or show parts of an object.
        reach: side of the square kept around an object, in sides of its template crop.
        quality: of the JPEG.
    """

    side: int = 129
    detail: float = 1.25
    reach: float = 4.0
    quality: int = 80


class PackWriter:
    """Collects images and annotations of a collection, and writes the file.

    Args:
        images: reads the images; what it refuses is left out.
        settings: how much is kept.
    """

    def __init__(self, images: ImageStore, settings: PackSettings) -> None:
        self._images = images
        self._settings = settings
        self._jpegs: list[bytes] = []
        self._thumbnails: list[Image] = []
        self._moves: dict[Path, _Move | None] = {}

    def write(
        self, collection: Collection, path: Path, progress: Callable[[], None] = lambda: None
    ) -> int:
        """Write a collection; `progress` is called after each image.

        Returns:
            How many images the pack holds.

        Raises:
            DataError: if no image can be used or the file's name is not one of a pack.
        """
        if path.suffix != SUFFIX:
            raise DataError(f"a pack's name ends in {SUFFIX}; {path} does not")
        for file, views in _views_by_image(collection).items():
            self._moves[file] = self._pack(file, views)
            progress()
        if not self._jpegs:
            raise DataError("none of the images can be used")
        document = self._document(collection)
        starts = np.cumsum([0, *map(len, self._jpegs)], dtype=np.int64)
        jpeg = np.frombuffer(b"".join(self._jpegs), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        metadata = {ANNOTATIONS: json.dumps(document, separators=(",", ":"))}
        tensors = {JPEG: jpeg, STARTS: starts, THUMBNAILS: np.stack(self._thumbnails)}
        save_file(tensors, partial, metadata)
        partial.replace(path)
        return len(self._jpegs)

    def _pack(self, file: Path, views: list[View]) -> _Move | None:
        image = self._images.get(file)
        if image is None:
            return None
        left, top, right, bottom = _region(views, image, self._settings.reach)
        scale = _scale(views, self._settings)
        width, height = (
            max(1, round((high - low) * scale)) for low, high in ((left, right), (top, bottom))
        )
        part = image[top:bottom, left:right]
        if scale < 1:
            part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality]
        self._jpegs.append(cv2.imencode(".jpg", part, quality)[1].tobytes())
        # of a pack that is packed anew it is the first one's
        whole = self._images.whole(file)
        self._thumbnails.append(thumbnail(image if whole is None else whole))
        # The scale is that of whole pixels, so that boxes stay exactly on their objects.
        across, down = width / (right - left), height / (bottom - top)
        return _Move(str(len(self._jpegs) - 1), left, top, across, down)

    def _document(self, collection: Collection) -> dict[str, Any]:
        videos, stills = [], []
        for track in collection.tracks:
            frames = [
                [move.file, move.box(view.box), number]
                for number, view in track.frames
                if (move := self._moves[view.path]) is not None
            ]
            if frames:
                videos.append({"name": track.name, "label": track.label, "frames": frames})
        for still in collection.stills:
            move = self._moves[still.objects[0].path]
            if move is not None:
                objects = [
                    {
                        "name": view.label,
                        "box": move.box(view.box),
                        "poly": [move.points(outline) for outline in view.polygons],
                    }
                    for view in still.objects
                ]
                stills.append({"file": move.file, "source": still.source, "objects": objects})
        return {"videos": videos, "images": stills}


@dataclass(frozen=True, slots=True)
class _Move:
    """From an image's pixels to its pixels in the pack."""

    file: str
    left: int
    top: int
    across: float
    down: float

    def box(self, box: Box) -> list[float]:
        return [
            round(value, 3)
            for value in (
                (box.x - self.left) * self.across,
                (box.y - self.top) * self.down,
                box.width * self.across,
                box.height * self.down,
            )
        ]

    def points(self, outline: tuple[float, ...]) -> list[float]:
        points = np.asarray(outline, dtype=float).reshape(-1, 2) - (self.left, self.top)
        moved: list[float] = np.round(points * (self.across, self.down), 2).ravel().tolist()
        return moved


def _views_by_image(collection: Collection) -> dict[Path, list[View]]:
    views: dict[Path, list[View]] = {path: [] for path in collection.paths()}
    for track in collection.tracks:
        for _, view in track.frames:
            views[view.path].append(view)
    for still in collection.stills:
        for view in still.objects:
            views[view.path].append(view)
    return views


def _region(views: list[View], image: Image, reach: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what crops of the objects can show."""
    height, width = image.shape[:2]
    squares = [
        Box.from_center(*view.box.center, *[reach * _context(view)] * 2).xyxy for view in views
    ]
    low, high = np.min(squares, axis=0)[:2], np.max(squares, axis=0)[2:]
    left, top = (
        min(max(0, math.floor(low[0])), width - 1),
        min(max(0, math.floor(low[1])), height - 1),
    )
    right = max(left + 1, min(width, math.ceil(high[0])))
    bottom = max(top + 1, min(height, math.ceil(high[1])))
    return left, top, right, bottom


def _scale(views: list[View], settings: PackSettings) -> float:
    """The smallest scale, 1 at most, that shows every object in enough pixels."""
    enough = max(settings.side * settings.detail / _context(view) for view in views)
    # Rounding to whole pixels must not make a box too small to be used.
    usable = max(1.1 * MIN_SIDE / min(view.box.width, view.box.height) for view in views)
    return min(1.0, max(enough, usable))


def _context(view: View) -> float:
    return context_side(view.box.width, view.box.height)
