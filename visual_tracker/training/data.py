"""Annotated videos and stills, read from the folder layouts that researchers have on disk.

All boxes become 0-based pixels of the stored image. What cannot be used is skipped and counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visual_tracker.boxes import Box, BoxError
from visual_tracker.sources import SourceError

#: boxes with a shorter side show too little to learn from
MIN_SIDE = 8.0


class DataError(SourceError):
    """Training data that cannot be read; the message names the file and what is expected."""


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


def read_collection(folder: Path) -> Collection:
    """Read a folder in any of the known layouts, told apart by their files.

    Raises:
        DataError: if it is none of them or holds nothing usable.
    """
    for is_layout, read in LAYOUTS:
        if is_layout(folder):
            collection = read(folder)
            if not collection.tracks and not collection.stills:
                raise DataError(f"{folder} holds no usable box of {MIN_SIDE:g} pixels or more")
            return collection
    raise DataError(
        f"{folder} is in no known layout: expected annotations.json (ours), "
        "annotations/instances_*.json (COCO), */groundtruth.txt (GOT-10k), "
        "*/*/groundtruth.txt (LaSOT), or a pack NAME.safetensors"
    )


def _usable_box(numbers: Any, skipped: Counter[str]) -> Box | None:
    try:
        box = Box.from_xywh(*numbers)
    except (BoxError, TypeError, ValueError):
        skipped["no box"] += 1
        return None
    if min(box.width, box.height) < MIN_SIDE:
        skipped[f"box under {MIN_SIDE:g} pixels"] += 1
        return None
    return box


# Ours ---------------------------------------------------------------------------------------------


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from None


def read_native(folder: Path) -> Collection:
    """Read `annotations.json` with its lists `videos` and `images` (see docs/training.md).

    Raises:
        DataError: if the file is no JSON of that form.
    """
    path = folder / "annotations.json"
    return read_document(_read_json(path), folder, path)


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
    label = video.get("label") or video["name"]
    frames = []
    for place, (path, numbers, *given) in enumerate(video["frames"]):
        box = _usable_box(numbers, collection.skipped)
        if box is not None:
            number = given[0] if given else place
            frames.append((number, View(folder / path, box, video["name"], label)))
    if frames:
        collection.tracks.append(Track(video["name"], label, tuple(frames)))


def _add_native_image(folder: Path, image: dict[str, Any], collection: Collection) -> None:
    objects = []
    for entry in image["objects"]:
        box = None if entry.get("crowd") else _usable_box(entry["box"], collection.skipped)
        if box is not None:
            polygons = tuple(tuple(polygon) for polygon in entry.get("poly") or ())
            path = folder / image["file"]
            objects.append(View(path, box, str(path), entry["name"], polygons))
    if objects:
        collection.stills.append(Still(image.get("source") or "", tuple(objects)))


# COCO ---------------------------------------------------------------------------------------------


def read_coco(folder: Path) -> Collection:
    """Read `annotations/instances_NAME.json` beside the image folders `NAME` or `images/NAME`.

    Raises:
        DataError: if an annotation file is no COCO JSON or its images are not there.
    """
    collection = Collection()
    for path in sorted(folder.glob("annotations/instances_*.json")):
        name = path.stem.removeprefix("instances_")
        choices = [folder / name, folder / "images" / name]
        images = next((choice for choice in choices if choice.is_dir()), None)
        if images is None:
            raise DataError(f"{path} needs its images in {choices[0]} or {choices[1]}")
        try:
            _add_coco(_read_json(path), images, collection)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path} is not in COCO's format ({error!r})") from None
    return collection


def _add_coco(document: dict[str, Any], images: Path, collection: Collection) -> None:
    labels = {entry["id"]: entry["name"] for entry in document["categories"]}
    files = {entry["id"]: images / entry["file_name"] for entry in document["images"]}
    objects: dict[int, list[View]] = {}
    for entry in document["annotations"]:
        box = None if entry.get("iscrowd") else _usable_box(entry["bbox"], collection.skipped)
        if box is None:
            continue
        outlines = entry.get("segmentation")
        polygons = tuple(tuple(outline) for outline in outlines) if _is_list(outlines) else ()
        path = files[entry["image_id"]]
        view = View(path, box, str(path), labels[entry["category_id"]], polygons)
        objects.setdefault(entry["image_id"], []).append(view)
    collection.stills += [Still("COCO", tuple(views)) for views in objects.values()]


def _is_list(outlines: object) -> bool:
    """True for outlines; COCO writes masks of crowds as a run-length dictionary."""
    return isinstance(outlines, list)


# GOT-10k and LaSOT --------------------------------------------------------------------------------


def read_got10k(folder: Path) -> Collection:
    """Read `NAME/groundtruth.txt` with `NAME/00000001.jpg`..., leaving absent frames out."""
    collection = Collection()
    for truth in sorted(folder.glob("*/groundtruth.txt")):
        absent = _flags(truth.parent / "absence.label")
        _add_video(truth, truth.parent, absent, 0.0, truth.parent.name, collection)
    return collection


def read_lasot(folder: Path) -> Collection:
    """Read `CLASS/NAME/groundtruth.txt` (1-based) with `img/00000001.jpg`...

    Frames of full occlusion or out of view are left out.
    """
    collection = Collection()
    for truth in sorted(folder.glob("*/*/groundtruth.txt")):
        video = truth.parent
        hidden = _flags(video / "full_occlusion.txt") | _flags(video / "out_of_view.txt")
        _add_video(truth, video / "img", hidden, 1.0, video.parent.name, collection)
    return collection


def _add_video(
    truth: Path, images: Path, hidden: set[int], origin: float, label: str, collection: Collection
) -> None:
    files = sorted(images.glob("*.jpg"))
    frames = []
    for number, (path, line) in enumerate(zip(files, truth.read_text().split("\n"), strict=False)):
        if number in hidden:
            collection.skipped["target hidden"] += 1
            continue
        try:
            x, y, width, height = (float(part) for part in line.replace(",", " ").split())
        except ValueError:
            collection.skipped["no box"] += 1
            continue
        box = _usable_box((x - origin, y - origin, width, height), collection.skipped)
        if box is not None:
            frames.append((number, View(path, box, truth.parent.name, label)))
    if frames:
        collection.tracks.append(Track(truth.parent.name, label, tuple(frames)))


def _flags(path: Path) -> set[int]:
    """Numbers of the frames marked 1 in a file of zeros and ones; none if there is no file."""
    if not path.is_file():
        return set()
    marks = path.read_text().replace(",", " ").split()
    return {number for number, mark in enumerate(marks) if mark == "1"}


def _has(*patterns: str) -> Callable[[Path], bool]:
    return lambda folder: any(_any(folder.glob(pattern)) for pattern in patterns)


def _any(paths: Iterable[Path]) -> bool:
    return next(iter(paths), None) is not None


LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Collection]], ...] = (
    (_has("annotations.json"), read_native),
    (_has("annotations/instances_*.json"), read_coco),
    (_has("*/groundtruth.txt"), read_got10k),
    (_has("*/*/groundtruth.txt"), read_lasot),
)
