"""Reading what datasets keep in files: lists of images, boxes, flags, levels.

Rules for what is malformed, the same in every format:

- no image, a missing folder or an unreadable table: an error that names it;
- a line that is not the numbers expected: an error with file and line; blank lines are allowed
  at the end only, because one in between would shift the frames;
- another number of boxes than images: an error that names the truth's file, and a gap in the
  images' numbering if there is one;
- NaN or a side that is not positive: no truth in that frame; in the first frame an error;
- an image that cannot be read: an error when its turn comes, which ends that sequence only.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from visual_tracker.boxes import BoxArray
from visual_tracker.evaluation.metrics import BoolArray, FloatArray, has_box
from visual_tracker.evaluation.sequences import DatasetError
from visual_tracker.sources import ImageFolder, read_lines, read_rows


def image_files(folder: Path) -> tuple[Path, ...]:
    """The images of a folder in the order of their names.

    Raises:
        DatasetError: if there is no such folder.
        SourceError: if it holds no image.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is missing; the images are expected there")
    return tuple(ImageFolder(folder).files)


def read_boxes(path: Path, one_based: bool) -> BoxArray:
    """Boxes x, y, width, height, a line each, as (frames, 4) 0-based; NaN rows where none is.

    Raises:
        SourceError: if a line is not four numbers.
    """
    rows = read_rows(path, length=4, expected="x,y,w,h")
    boxes = np.array(rows, float).reshape(-1, 4)
    boxes[~has_box(boxes)] = np.nan
    return boxes - [1, 1, 0, 0] if one_based else boxes


def read_flags(path: Path, count: int) -> BoolArray:
    """Flags 0 and 1 in any arrangement (a line each, or all on one line), padded with False.

    Raises:
        DatasetError: if there are more flags than `count`, or other numbers.
    """
    values = [value for row in read_rows(path) for value in row]
    if len(values) > count or not set(values) <= {0.0, 1.0}:
        raise DatasetError(f"{path}: expected {count} flags 0 or 1, found {len(values)} numbers")
    return np.array(values + [0.0] * (count - len(values))) > 0


def read_levels(path: Path, count: int) -> FloatArray:
    """One number a frame.

    Raises:
        DatasetError: if there are not `count` of them.
    """
    values = [value for row in read_rows(path) for value in row]
    if len(values) != count:
        raise DatasetError(f"{path}: expected {count} numbers, found {len(values)}")
    return np.array(values, float)


def check_lengths(truth_file: Path, boxes: int, images: tuple[Path, ...]) -> None:
    """Refuse a sequence whose truth and images differ in number.

    Raises:
        DatasetError: naming the truth's file, and the first image missing if the numbering tells.
    """
    if boxes == len(images):
        return
    missing = _first_gap(images)
    hint = f"; {missing} seems to be missing" if missing else ""
    raise DatasetError(
        f"{truth_file} has {boxes} lines but {images[0].parent} holds {len(images)} images{hint}"
    )


def folder_name(folder: Path) -> str:
    """The name of a sequence's folder; of a link its own, not that of what it leads to."""
    name = folder.absolute().name
    return folder.resolve().name if name == ".." else name


def listed_folders(root: Path, truth_name: str) -> list[Path]:
    """The sequence folders of a dataset: `root` itself, those of its list.txt, or its children.

    Args:
        root: the dataset or one sequence.
        truth_name: glob of the truth's file, which makes a folder a sequence.

    Raises:
        DatasetError: if a folder of list.txt is missing.
    """
    if any(root.glob(truth_name)):
        return [root]
    listing = root / "list.txt"
    if not listing.is_file():
        return sorted(folder for folder in root.iterdir() if any(folder.glob(truth_name)))
    folders = [root / name.strip() for name in read_lines(listing) if name.strip()]
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{listing} names {folder.name}, but {folder} is missing")
    return folders


def _first_gap(images: tuple[Path, ...]) -> str | None:
    numbers = [path.stem for path in images]
    if not all(number.isdecimal() for number in numbers):
        return None
    for before, after in pairwise(numbers):
        if int(after) != int(before) + 1:
            return f"{int(before) + 1:0{len(before)}d}{images[0].suffix}"
    return None
