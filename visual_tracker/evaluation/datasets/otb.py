"""OTB: `NAME/img/*.jpg` and `NAME/groundtruth_rect.txt`, 1-based x, y, w, h.

Numbers are separated by commas, tabs or spaces. Several truth files (`groundtruth_rect.1.txt`, ..)
are several targets, named NAME.1, NAME.2; an empty file among them is skipped (Human4 has one).
Sequences whose truth covers only a part of the images, by OTB's publication, are cut to it.

`hidden.json` beside the sequences lists frames in which the target cannot be seen though the truth
keeps a box: `{"NAME": [[first, last], ..]}`, 1-based, inclusive.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from visual_tracker.evaluation.datasets.files import (
    check_lengths,
    folder_name,
    image_files,
    listed_folders,
    read_boxes,
)
from visual_tracker.evaluation.metrics import BoolArray
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence
from visual_tracker.sources import read_lines

TRUTH_FILES = "groundtruth_rect*.txt"
HIDDEN_FILE = "hidden.json"

#: frames that the truth covers, 1-based inclusive, where it is not all of them
PUBLISHED_RANGES = {
    "David": (300, 770),
    "Diving": (1, 215),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
}


def detect(root: Path) -> bool:
    """Say if a folder is an OTB dataset or one of its sequences."""
    return any(root.glob(TRUTH_FILES)) or any(root.glob(f"*/{TRUTH_FILES}"))


def read(root: Path) -> list[Sequence]:
    """Read every sequence of a folder, or the folder as one sequence.

    Raises:
        SourceError: if something is malformed; see `files`.
    """
    one_sequence = any(root.glob(TRUTH_FILES))
    hidden = _read_hidden(root.resolve().parent if one_sequence else root)
    sequences = []
    for folder in listed_folders(root, TRUTH_FILES):
        sequences += _read_folder(folder, hidden)
    return sequences


def _read_folder(folder: Path, hidden: dict[str, list[list[int]]]) -> list[Sequence]:
    files = sorted(folder.glob(TRUTH_FILES))
    used = [file for file in files if read_lines(file)]
    if not used:
        raise DatasetError(f"{files[0] if files else folder / TRUTH_FILES} holds no box")
    images = image_files(folder / "img")
    sequences = []
    for number, file in enumerate(used, start=1):
        name = folder_name(folder) + (f".{number}" if len(used) > 1 else "")
        truth = read_boxes(file, one_based=True)
        part = _published_part(folder_name(folder), images, len(truth))
        check_lengths(file, len(truth), part)
        try:
            visible = ~_mask(hidden.get(name, []), len(truth))
            sequences.append(Sequence(name, FileFrames(part), truth, visible))
        except DatasetError as error:
            raise DatasetError(f"{file}: {error}") from None
    return sequences


def _published_part(name: str, images: tuple[Path, ...], boxes: int) -> tuple[Path, ...]:
    first, last = PUBLISHED_RANGES.get(name, (1, len(images)))
    if len(images) == boxes or len(images) < last:
        return images
    return images[first - 1 : last]


def _read_hidden(root: Path) -> dict[str, list[list[int]]]:
    path = root / HIDDEN_FILE
    if not path.is_file():
        return {}
    try:
        return {name: ranges for name, ranges in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is not an object of frame ranges: {error}") from None


def _mask(ranges: list[list[int]], count: int) -> BoolArray:
    mask = np.zeros(count, bool)
    try:
        for first, last in ranges:
            mask[first - 1 : last] = True
    except (TypeError, ValueError):
        raise DatasetError(f"{HIDDEN_FILE} gives it no list of [first, last]: {ranges}") from None
    return mask
