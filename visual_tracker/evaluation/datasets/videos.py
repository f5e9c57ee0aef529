"""Our training data's videos: `annotations.json` with `videos`, 0-based x, y, w, h.

For choosing parameters: trackers are tuned on videos that the evaluation's figures do not come
from. Frames without a usable box are left out, as in training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visual_tracker.annotations import FILE, DataError, Track, read_document, read_json
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence


def detect(root: Path) -> bool:
    """Say if a folder holds such an annotation file."""
    return (root / FILE).is_file()


def read(root: Path) -> list[Sequence]:
    """Read every video with two usable frames or more.

    Raises:
        DatasetError: if the file is malformed.
    """
    path = root / FILE
    try:
        videos = {"videos": read_json(path)["videos"]}
        tracks = read_document(videos, root, path).tracks
    except (DataError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not in the form of our training data ({error})") from None
    return [sequence_of(track) for track in tracks if len(track.frames) >= 2]


def sequence_of(track: Track) -> Sequence:
    """A video as a sequence of its frames with a usable box, two or more.

    Raises:
        DatasetError: if there are fewer.
    """
    views = [view for _, view in track.frames]
    truth = np.array([view.box.xywh for view in views], dtype=np.float64)
    frames = FileFrames(tuple(view.path for view in views))
    return Sequence(track.name, frames, truth, np.ones(len(views), bool))
