"""Annotated videos and stills, read from the folder layouts that researchers have on disk.

All boxes become 0-based pixels of the stored image. What cannot be used is skipped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from visual_tracker.annotations import (
    FILE,
    MIN_SIDE,
    Collection,
    DataError,
    Still,
    Track,
    View,
    read_json,
    read_native,
    usable_box,
)
from visual_tracker.evaluation.datasets.files import (
    check_lengths,
    folder_name,
    image_files,
    read_boxes,
    read_flags,
)


def read_collection(folder: Path) -> Collection:
    """Read a folder in any of the known layouts, told apart by their files.

    Raises:
        SourceError: if it is none of them, holds nothing usable or is malformed.
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
            _add_coco(read_json(path), images, collection)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path} is not in COCO's format ({error!r})") from None
    return collection


def _add_coco(document: dict[str, Any], images: Path, collection: Collection) -> None:
    labels = {entry["id"]: entry["name"] for entry in document["categories"]}
    files = {entry["id"]: images / entry["file_name"] for entry in document["images"]}
    objects: dict[int, list[View]] = {}
    for entry in document["annotations"]:
        box = None if entry.get("iscrowd") else usable_box(entry["bbox"], collection.skipped)
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
    """Read `NAME/groundtruth.txt` with `NAME/00000001.jpg`..., leaving absent frames out.

    Raises:
        SourceError: if truth, flags and images of a video do not belong together (see `files` of
            the evaluation's datasets).
    """
    collection = Collection()
    for truth in sorted(folder.glob("*/groundtruth.txt")):
        video = truth.parent
        hidden = [video / "absence.label"]
        _add_video(truth, video, hidden, False, video.name, collection)
    return collection


def read_lasot(folder: Path) -> Collection:
    """Read `CLASS/NAME/groundtruth.txt` (1-based) with `img/00000001.jpg`..., or those of a CLASS.

    Frames of full occlusion or out of view are left out.

    Raises:
        SourceError: as :func:`read_got10k`.
    """
    collection = Collection()
    for truth in sorted((*folder.glob("*/groundtruth.txt"), *folder.glob("*/*/groundtruth.txt"))):
        video = truth.parent
        hidden = [video / "full_occlusion.txt", video / "out_of_view.txt"]
        _add_video(truth, video / "img", hidden, True, folder_name(video.parent), collection)
    return collection


def _add_video(
    truth: Path,
    images: Path,
    hidden: list[Path],
    one_based: bool,
    label: str,
    collection: Collection,
) -> None:
    """Add a video; `hidden` are files of flags, of which any may be missing."""
    files, boxes = image_files(images), read_boxes(truth, one_based)
    check_lengths(truth, len(boxes), files)
    flags = [read_flags(path, len(boxes)) for path in hidden if path.is_file()]
    frames = []
    for number, (path, numbers) in enumerate(zip(files, boxes.tolist(), strict=True)):
        if any(flag[number] for flag in flags):
            collection.skipped["target hidden"] += 1
            continue
        box = usable_box(numbers, collection.skipped)
        if box is not None:
            frames.append((number, View(path, box, truth.parent.name, label)))
    if frames:
        collection.tracks.append(Track(truth.parent.name, label, tuple(frames)))


def _is_lasot(folder: Path) -> bool:
    """Say if a folder is LaSOT or one of its classes, whose images lie in a folder of their own."""
    below = ("*/groundtruth.txt", "*/*/groundtruth.txt")
    return _any(
        path for pattern in below for path in folder.glob(pattern) if (path.parent / "img").is_dir()
    )


def _has(*patterns: str) -> Callable[[Path], bool]:
    return lambda folder: any(_any(folder.glob(pattern)) for pattern in patterns)


def _any(paths: Iterable[Path]) -> bool:
    return next(iter(paths), None) is not None


LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Collection]], ...] = (
    (_has(FILE), read_native),
    (_has("annotations/instances_*.json"), read_coco),
    (_is_lasot, read_lasot),
    (_has("*/groundtruth.txt"), read_got10k),
)
