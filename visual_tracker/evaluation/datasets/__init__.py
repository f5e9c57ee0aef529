"""Datasets as their publishers lay them out: one module a format, and the choice among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Collection
from fnmatch import fnmatchcase
from pathlib import Path

from visual_tracker.evaluation.datasets import got10k, lasot, otb, uav123, videos, vot
from visual_tracker.evaluation.sequences import DatasetError, Sequence

#: format -> its module; the order in which "auto" tries them (VOT's layout fits GOT-10k and LaSOT)
FORMATS = {
    "videos": videos,
    "uav123": uav123,
    "otb": otb,
    "lasot": lasot,
    "got10k": got10k,
    "vot": vot,
}


def detect_format(root: Path) -> str:
    """The format of a dataset, by the files it has.

    Raises:
        DatasetError: if it fits none.
    """
    for name, module in FORMATS.items():
        if module.detect(root):
            return name
    raise DatasetError(
        f"{root} is no dataset: expected sequence folders with groundtruth_rect.txt (OTB) or "
        "groundtruth.txt (VOT, GOT-10k, LaSOT), folders anno and data_seq (UAV123), or "
        "annotations.json (our training data)"
    )


def read_dataset(
    root: Path, dataset_format: str = "auto", only: Collection[str] = ()
) -> list[Sequence]:
    """Read the sequences of a dataset.

    Args:
        root: the dataset's folder, or that of one sequence.
        dataset_format: a key of FORMATS or "auto".
        only: names of the sequences wanted, or patterns of names; empty for all.

    Raises:
        SourceError: if the folder is missing, empty or malformed, or a name is unknown.
    """
    root = root.expanduser()
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder; name the folder of a dataset")
    name = detect_format(root) if dataset_format == "auto" else dataset_format
    sequences = FORMATS[name].read(root)
    if not sequences:
        raise DatasetError(f"{root} holds no sequence in the form of {name}")
    _check_names(root, sequences)
    return matching(sequences, only) if only else sequences


def _check_names(root: Path, sequences: list[Sequence]) -> None:
    """Refuse names that cannot be files' names, which they become, and two of one name.

    Raises:
        DatasetError: naming one of them.
    """
    counts = Counter(sequence.name for sequence in sequences)
    for name, count in counts.items():
        if count > 1:
            raise DatasetError(f"{root} holds {count} sequences of the name {name}; rename them")
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise DatasetError(
                f"{root} names a sequence {name!r}, which cannot be a file's name; rename it"
            )


def matching(sequences: list[Sequence], patterns: Collection[str]) -> list[Sequence]:
    """The sequences whose names fit one of the patterns, in the order of the patterns.

    Args:
        sequences: to choose from.
        patterns: names; `*`, `?` and `[...]` stand for what they do in a shell.

    Raises:
        DatasetError: if a pattern fits none.
    """
    chosen: dict[str, Sequence] = {}
    for pattern in patterns:
        fitting = [one for one in sequences if fnmatchcase(one.name, pattern)]
        if not fitting:
            known = ", ".join(sequence.name for sequence in sequences)
            raise DatasetError(f"there is no sequence {pattern}; known: {known}")
        chosen.update((sequence.name, sequence) for sequence in fitting)
    return list(chosen.values())


__all__ = ["FORMATS", "DatasetError", "Sequence", "detect_format", "matching", "read_dataset"]
