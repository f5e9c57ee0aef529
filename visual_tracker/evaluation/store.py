"""What a run leaves on disk: boxes in OTB's text form and a record beside them.

`boxes/LABEL/SEQUENCE.txt` holds a line x,y,w,h a frame, 1-based, which other toolkits read; of a
supervised run VOT's form, where a line holds one code instead of a box at a start (1), a failure
(2) and the frames skipped after it (0). `records/LABEL/SEQUENCE.json` holds the rest: states,
confidences, times, and the fingerprint of what was run.

Figures are always computed from these files, never from memory, so that an evaluation that was
interrupted and resumed gives what an uninterrupted one gives.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visual_tracker.boxes import BoxArray
from visual_tracker.evaluation.passes import Run
from visual_tracker.evaluation.sequences import DatasetError
from visual_tracker.evaluation.vot_metrics import Phase

#: digits after the point in the boxes' text form
DIGITS = 4
#: what OTB adds to a 0-based box
ONE_BASED = np.array([1.0, 1.0, 0.0, 0.0])

Fingerprint = dict[str, object]


@dataclass(frozen=True)
class Store:
    """The folder of one evaluation.

    Attributes:
        root: made on demand.
    """

    root: Path

    def boxes_file(self, label: str, sequence: str) -> Path:
        """Where the boxes of a candidate on a sequence lie."""
        return self.root / "boxes" / label / f"{sequence}.txt"

    def record_file(self, label: str, sequence: str) -> Path:
        """Where the rest of a run lies."""
        return self.root / "records" / label / f"{sequence}.json"

    def save(self, label: str, sequence: str, run: Run, fingerprint: Fingerprint) -> None:
        """Write a run; the record comes last, so that half a run never counts as done."""
        text = "\n".join(_lines(run)) + "\n"
        _write(self.boxes_file(label, sequence), text)
        record = {
            "fingerprint": fingerprint,
            "image_size": list(run.image_size),
            "init_seconds": run.init_seconds,
            "supervised": run.supervised,
            "phases": run.phases.astype(int).tolist(),
            "lost": run.lost.astype(int).tolist(),
            "confidence": run.confidence,
            "seconds": [None if np.isnan(value) else value for value in run.seconds.tolist()],
        }
        _write(self.record_file(label, sequence), json.dumps(record))

    def is_done(self, label: str, sequence: str, fingerprint: Fingerprint) -> bool:
        """Whether a run of exactly this lies here already."""
        if not self.boxes_file(label, sequence).is_file():
            return False
        try:
            record = json.loads(self.record_file(label, sequence).read_text())
        except (OSError, ValueError):
            return False
        # compared as JSON, which has no tuples
        return bool(record.get("fingerprint") == json.loads(json.dumps(fingerprint)))

    def load(self, label: str, sequence: str) -> Run:
        """Read a run back.

        Raises:
            DatasetError: if its files are missing or damaged.
        """
        file = self.record_file(label, sequence)
        try:
            record = json.loads(file.read_text())
            phases = np.array(record["phases"], float)
            return Run(
                boxes=_read_boxes(self.boxes_file(label, sequence), len(phases)),
                lost=np.array(record["lost"], bool),
                confidence=record["confidence"],
                seconds=np.array(record["seconds"], float),
                init_seconds=record["init_seconds"],
                image_size=tuple(record["image_size"]),
                phases=phases,
                supervised=record["supervised"],
            )
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{file} or its boxes are damaged ({error}); use --fresh") from None


def _lines(run: Run) -> list[str]:
    lines = []
    for box, phase in zip(run.boxes, run.phases, strict=True):
        if np.isnan(box).any() or (run.supervised and phase == Phase.START):
            lines.append(str(int(phase)))
        else:
            lines.append(",".join(f"{value:.{DIGITS}f}" for value in box + ONE_BASED))
    return lines


def _read_boxes(file: Path, frames: int) -> BoxArray:
    boxes = np.full((frames, 4), np.nan)
    lines = file.read_text().splitlines()
    if len(lines) != frames:
        raise ValueError(f"{len(lines)} boxes for {frames} frames")
    for index, line in enumerate(lines):
        values = [float(part) for part in line.split(",")]
        if len(values) == 4:
            boxes[index] = values
    return boxes - ONE_BASED


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(file.suffix + ".part")
    partial.write_text(text)
    partial.replace(file)
