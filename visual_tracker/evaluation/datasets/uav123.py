"""UAV123, UAV20L, UAV123_10fps: `anno/VERSION/NAME.txt` and `data_seq/FOLDER/*.jpg`.

Boxes are 1-based x, y, w, h with NaN rows while the target is out of view. Long videos are cut
into several sequences (`bird1_1`, `bird1_2`, ..) of one image folder (`bird1`); where each starts
is read from the dataset's own `configSeqs.m`, which its publisher keeps beside `anno`. Without that
file only sequences with an image folder of their own, of the truth's length, can be read.
"""

from __future__ import annotations

import re
from pathlib import Path

from visual_tracker.evaluation.datasets.files import check_lengths, image_files, read_boxes
from visual_tracker.evaluation.metrics import has_box
from visual_tracker.evaluation.sequences import DatasetError, FileFrames, Sequence

CONFIG_FILE = "configSeqs.m"
#: struct('name','bird1_2','path','..\bird1\','startFrame',775,..
CONFIG_ENTRY = re.compile(
    r"'name'\s*,\s*'(?P<name>[^']+)'\s*,\s*'path'\s*,\s*'(?P<path>[^']+)'"
    r"\s*,\s*'startFrame'\s*,\s*(?P<start>\d+)"
)


def detect(root: Path) -> bool:
    """Say if a folder is the dataset's root."""
    return (root / "anno").is_dir() and (root / "data_seq").is_dir()


def read(root: Path) -> list[Sequence]:
    """Read every sequence; `root` is the dataset's root or a folder of `anno` in it.

    Raises:
        SourceError: if something is malformed (see `files`), or `anno` holds several versions.
    """
    annotations = _annotation_folder(root)
    top = annotations.parent.parent if annotations.parent.name == "anno" else annotations.parent
    starts = _read_starts(top, annotations.name)
    return [
        _read_sequence(file, top / "data_seq", starts) for file in sorted(annotations.glob("*.txt"))
    ]


def _annotation_folder(root: Path) -> Path:
    if root.resolve().parent.name == "anno":
        return root.resolve()
    anno = root / "anno"
    versions = sorted(path for path in anno.iterdir() if any(path.glob("*.txt")))
    if not versions and any(anno.glob("*.txt")):
        return anno
    if len(versions) != 1:
        names = ", ".join(str(path) for path in versions) or "none"
        raise DatasetError(f"{anno} holds several versions; name one of the folders: {names}")
    return versions[0]


def _read_starts(top: Path, version: str) -> dict[str, tuple[str, int]]:
    """Image folder and first frame (1-based) of each sequence, from configSeqs.m."""
    file = top / CONFIG_FILE
    if not file.is_file():
        return {}
    entries = []
    for entry in CONFIG_ENTRY.finditer(file.read_text(errors="replace")):
        path = re.split(r"[\\/]+", entry["path"].strip("\\/"))
        entries.append((entry["name"], path, int(entry["start"])))
    # one file may list several versions, told apart by a folder in the path
    own = [entry for entry in entries if version in entry[1]] or entries
    return {name: (path[-1], start) for name, path, start in reversed(own)}


def _read_sequence(file: Path, data: Path, starts: dict[str, tuple[str, int]]) -> Sequence:
    folder_name, start = starts.get(file.stem, (file.stem, 1))
    images = image_files(_image_folder(data, file, folder_name))
    truth = read_boxes(file, one_based=True)
    if file.stem in starts:
        images = images[start - 1 : start - 1 + len(truth)] or images
    check_lengths(file, len(truth), images)
    try:
        return Sequence(file.stem, FileFrames(images), truth, has_box(truth))
    except DatasetError as error:
        raise DatasetError(f"{file}: {error}") from None


def _image_folder(data: Path, file: Path, name: str) -> Path:
    found = sorted(path for path in (data / name, *data.glob(f"*/{name}")) if path.is_dir())
    if not found:
        raise DatasetError(
            f"{file}: there is no image folder {name} in {data}; where several sequences share "
            f"one, put the dataset's {CONFIG_FILE} beside {data.name}"
        )
    return found[0]
