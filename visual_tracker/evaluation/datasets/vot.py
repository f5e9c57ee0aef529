"""VOT: `NAME/groundtruth.txt` beside the images or beside `color/`, with `*.tag` flag files.

A line of truth is a box x, y, w, h, a polygon x1, y1, x2, y2, .. of four corners or more, a mask
(`m` and x, y, w, h, run lengths), or something else (NaN, a single code) where there is no truth.
Coordinates are taken as they stand, as vot-toolkit takes them. The box of a polygon is the smallest
that holds it, which vot-toolkit too gives to a tracker of boxes; overlaps in the supervised mode
are measured against the polygon itself. Of a mask the box is used.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from visual_tracker.boxes import BoxArray
from visual_tracker.evaluation.datasets.files import (
    check_lengths,
    folder_name,
    image_files,
    listed_folders,
    read_flags,
)
from visual_tracker.evaluation.metrics import FloatArray, has_box
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence
from visual_tracker.sources import read_lines

TRUTH_FILE = "groundtruth.txt"
IMAGE_FOLDER = "color"


def detect(root: Path) -> bool:
    """Say if a folder is a VOT dataset or one of its sequences."""
    return (root / TRUTH_FILE).is_file() or any(root.glob(f"*/{TRUTH_FILE}"))


def read(root: Path) -> list[Sequence]:
    """Read every sequence of a folder (in list.txt's order), or the folder as one sequence.

    Raises:
        SourceError: if something is malformed; see `files`.
    """
    return [_read_folder(folder) for folder in listed_folders(root, TRUTH_FILE)]


def _read_folder(folder: Path) -> Sequence:
    file = folder / TRUTH_FILE
    truth, polygons = _read_regions(file)
    color = folder / IMAGE_FOLDER
    images = image_files(color if color.is_dir() else folder)
    check_lengths(file, len(truth), images)
    tags = {
        path.stem: read_flags(path, len(truth))
        for path in sorted([*folder.glob("*.tag"), *folder.glob("*.label")])
    }
    try:
        return Sequence(
            folder_name(folder), FileFrames(images), truth, has_box(truth), polygons, tags
        )
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None


def _read_regions(file: Path) -> tuple[BoxArray, tuple[FloatArray | None, ...]]:
    lines = read_lines(file)
    boxes = np.full((len(lines), 4), np.nan)
    polygons: list[FloatArray | None] = [None] * len(lines)
    for index, line in enumerate(lines):
        try:
            values = _numbers(line)
        except ValueError:
            raise DatasetError(f"{file}:{index + 1}: no region of VOT: {line!r}") from None
        if len(values) == 4:
            boxes[index] = values
        elif np.isfinite(values).all() and len(values) > 1:
            corners = values.reshape(-1, 2)
            polygons[index] = corners
            boxes[index] = [*corners.min(axis=0), *np.ptp(corners, axis=0)]
    boxes[~has_box(boxes)] = np.nan
    return boxes, tuple(polygons)


def _numbers(line: str) -> FloatArray:
    """The numbers of a region: 1 (a code), 4 (a box, also of a mask) or 8 and more, even."""
    mask = line.startswith("m")
    values = np.array([float(part) for part in re.split(r"[,\s]+", line.lstrip("m").strip())])
    if mask:
        return values[:4]
    if len(values) not in (1, 4) and (len(values) < 6 or len(values) % 2):
        raise ValueError(len(values))
    return values
