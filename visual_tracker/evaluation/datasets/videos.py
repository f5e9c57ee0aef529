"""Our training data's videos: `annotations.json` with `videos`, 0-based x, y, w, h.

For choosing parameters: trackers are tuned on videos that the evaluation's figures do not come
from. Frames whose box has a side under MIN_SIDE are left out, as in training.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence

FILE = "annotations.json"
#: least side of a box in pixels
MIN_SIDE = 8.0


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
        videos = json.loads(path.read_text())["videos"]
        read = [_read_video(root, video) for video in videos]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not in the form of our training data ({error})") from None
    return [sequence for sequence in read if sequence is not None]


def _read_video(root: Path, video: dict[str, object]) -> Sequence | None:
    name, frames = str(video["name"]), list(video["frames"])  # type: ignore[call-overload]
    boxes = np.array([box for _, box in frames], dtype=np.float64).reshape(-1, 4)
    usable = np.flatnonzero(boxes[:, 2:].min(axis=1) >= MIN_SIDE)
    files = [root / frames[index][0] for index in usable]
    if len(files) < 2:
        return None
    truth = boxes[usable]
    return Sequence(name, FileFrames(tuple(files)), truth, np.ones(len(truth), bool))
