"""Videos and stills with boxes: what they are, and the file in which we keep them.

Training and evaluation share it. All boxes are 0-based pixels of the stored image. What cannot be
used is skipped and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visual_tracker.boxes import Box, BoxError
from visual_tracker.sources import SourceError

#: our annotation file (see docs/training.md)
FILE = "annotations.json"

#: boxes with a shorter side show too little to learn from
MIN_SIDE = 8.0


class DataError(SourceError):
    """Annotations that cannot be read; the message names the file and what is expected."""


@dataclass(frozen=True, slots=True)
class View:
    """One object in one image.

    Attributes:
        path: the image's file.
        box: the object, in pixels of that image.
        scene: the video's name or the image's file; views of two scenes show two objects.
        label: its class, "" if unknown.
        polygons: outlines as flat x, y lists in pixels, empty if unknown.
    """

    path: Path
    box: Box
    scene: str
    label: str = ""
    polygons: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """One object through a video.

    Attributes:
        name: the video's name.
        label: the object's class; the video's name if unknown, for it is unlike other videos'.
        frames: frame number and view, in order; frames without a usable box are left out.
    """

    name: str
    label: str
    frames: tuple[tuple[int, View], ...]


@dataclass(frozen=True, slots=True)
class Still:
    """One image with its objects; `source` is the set that it comes from."""

    source: str
    objects: tuple[View, ...]


@dataclass(slots=True)
class Collection:
    """Everything to train on.

    Attributes:
        tracks: objects through videos.
        stills: single images.
        skipped: how often something was left out, by reason.
    """

    tracks: list[Track] = field(default_factory=list)
    stills: list[Still] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, other: Collection) -> None:
        """Join another collection to this one."""
        self.tracks += other.tracks
        self.stills += other.stills
        self.skipped += other.skipped

    def paths(self) -> Iterator[Path]:
        """Every image once, in order."""
        views = (view for track in self.tracks for _, view in track.frames)
        objects = (view for still in self.stills for view in still.objects)
        yield from dict.fromkeys(view.path for group in (views, objects) for view in group)


def usable_box(numbers: Any, skipped: Counter[str]) -> Box | None:
    """A box of four numbers x, y, width, height; None, and counted, if it cannot be used."""
    try:
        box = Box.from_xywh(*numbers)
    except (BoxError, TypeError, ValueError):
        skipped["no box"] += 1
        return None
    if min(box.width, box.height) < MIN_SIDE:
        skipped[f"box under {MIN_SIDE:g} pixels"] += 1
        return None
    return box


def read_json(path: Path) -> Any:
    """The content of a file.

    Raises:
        DataError: if it cannot be read as JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from None


def read_native(folder: Path) -> Collection:
    """Read `annotations.json` with its lists `videos` and `images` (see docs/training.md).

    Raises:
        DataError: if the file is no JSON of that form.
    """
    path = folder / FILE
    return read_document(read_json(path), folder, path)


def read_document(document: dict[str, Any], root: Path, source: Path) -> Collection:
    """Read annotations in our own format.

    Args:
        document: as in `annotations.json`.
        root: what the files of its images are relative to.
        source: where it comes from, for messages.

    Raises:
        DataError: if the document is not of that form.
    """
    collection = Collection()
    try:
        for video in document.get("videos", []):
            _add_native_video(root, video, collection)
        for image in document.get("images", []):
            _add_native_image(root, image, collection)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{source} is not in our format ({error!r}); see docs/training.md"
        ) from None
    return collection


def _add_native_video(folder: Path, video: dict[str, Any], collection: Collection) -> None:
    name = str(video["name"])
    label = video.get("label") or name
    frames = []
    for place, (path, numbers, *given) in enumerate(video["frames"]):
        box = usable_box(numbers, collection.skipped)
        if box is not None:
            number = given[0] if given else place
            frames.append((number, View(folder / path, box, name, label)))
    if frames:
        collection.tracks.append(Track(name, label, tuple(frames)))


def _add_native_image(folder: Path, image: dict[str, Any], collection: Collection) -> None:
    objects = []
    for entry in image["objects"]:
        box = None if entry.get("crowd") else usable_box(entry["box"], collection.skipped)
        if box is not None:
            polygons = tuple(tuple(polygon) for polygon in entry.get("poly") or ())
            path = folder / image["file"]
            objects.append(View(path, box, str(path), entry["name"], polygons))
    if objects:
        collection.stills.append(Still(image.get("source") or "", tuple(objects)))
