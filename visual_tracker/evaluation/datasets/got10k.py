"""GOT-10k: `NAME/*.jpg` and `NAME/groundtruth.txt` (x, y, w, h as they stand), with label files.

`absence.label` flags frames without the target and `cover.label` gives the visible part in eighths;
frames that are absent or covered wholly have no truth, as in the got10k toolkit. The test split
has the first box only: its boxes are written, and its accuracy is not known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visual_tracker.boxes import BoxArray
from visual_tracker.evaluation.datasets.files import (
    check_lengths,
    folder_name,
    image_files,
    listed_folders,
    read_boxes,
    read_flags,
    read_levels,
)
from visual_tracker.evaluation.metrics import BoolArray, has_box
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence

TRUTH_FILE = "groundtruth.txt"
SPLITS = ("train", "val", "test")
LABEL_FILES = ("absence.label", "cover.label", "meta_info.ini")


def detect(root: Path) -> bool:
    """Say if a folder is a split of GOT-10k or one of its sequences."""
    if root.resolve().name.startswith("GOT-10k_") or any(root.glob("GOT-10k_*")):
        return True
    return any((*root.glob(label), *root.glob(f"*/{label}")) for label in LABEL_FILES)


def read(root: Path) -> list[Sequence]:
    """Read every sequence of a split, or the folder as one sequence.

    Raises:
        SourceError: if something is malformed; see `files`.
    """
    splits = [split for split in SPLITS if (root / split).is_dir()]
    if splits:
        raise DatasetError(f"{root} holds the splits {', '.join(splits)}; name one of them")
    return [_read_folder(folder) for folder in listed_folders(root, TRUTH_FILE)]


def _read_folder(folder: Path) -> Sequence:
    file = folder / TRUTH_FILE
    images = image_files(folder)
    truth = read_boxes(file, one_based=False)
    if len(truth) == 1:
        truth = np.vstack([truth, np.full((len(images) - 1, 4), np.nan)])
    check_lengths(file, len(truth), images)
    truth[_unseen(folder, truth)] = np.nan
    try:
        return Sequence(folder_name(folder), FileFrames(images), truth, has_box(truth))
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None


def _unseen(folder: Path, truth: BoxArray) -> BoolArray:
    unseen = np.zeros(len(truth), bool)
    if (folder / "absence.label").is_file():
        unseen |= read_flags(folder / "absence.label", len(truth))
    if (folder / "cover.label").is_file():
        unseen |= read_levels(folder / "cover.label", len(truth)) == 0
    return unseen
