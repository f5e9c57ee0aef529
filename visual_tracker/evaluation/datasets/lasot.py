"""LaSOT: `CATEGORY/NAME/img/*.jpg`, `groundtruth.txt` (1-based x, y, w, h) and two flag files.

`full_occlusion.txt` and `out_of_view.txt` hold a flag a frame; a frame with either flag has no
truth, as in LaSOT's own toolkit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visual_tracker.evaluation.datasets.files import (
    check_lengths,
    folder_name,
    image_files,
    read_boxes,
    read_flags,
)
from visual_tracker.evaluation.metrics import has_box
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence

TRUTH_FILE = "groundtruth.txt"
FLAG_FILES = ("full_occlusion.txt", "out_of_view.txt")


def detect(root: Path) -> bool:
    """Say if a folder is LaSOT, one of its categories or one of its sequences."""
    return any(_folders(root))


def read(root: Path) -> list[Sequence]:
    """Read every sequence below a folder.

    Raises:
        SourceError: if something is malformed; see `files`.
    """
    return [_read_folder(folder) for folder in _folders(root)]


def _folders(root: Path) -> list[Path]:
    """Folders with a flag file: a sequence, those of a category, or of all; also through links."""
    below = ("", "*/", "*/*/")
    found = {
        path.parent for flag in FLAG_FILES for place in below for path in root.glob(place + flag)
    }
    return sorted(found)


def _read_folder(folder: Path) -> Sequence:
    file = folder / TRUTH_FILE
    truth = read_boxes(file, one_based=True)
    images = image_files(folder / "img")
    check_lengths(file, len(truth), images)
    tags = {
        Path(flag).stem: read_flags(folder / flag, len(truth))
        for flag in FLAG_FILES
        if (folder / flag).is_file()
    }
    truth[np.any(list(tags.values()), axis=0)] = np.nan
    try:
        return Sequence(folder_name(folder), FileFrames(images), truth, has_box(truth), tags=tags)
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None
