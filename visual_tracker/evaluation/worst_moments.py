"""Where a tracker failed longest, and pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box, overlaps
from visual_tracker.drawing import TRUTH_COLOR, contact_sheet, draw_box, draw_text, draw_track
from visual_tracker.evaluation.metrics import BoolArray, has_box
from visual_tracker.evaluation.passes import Run
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.images import Image
from visual_tracker.trackers import Track, TrackState

#: IoU below which a frame counts as failed
FAILED_IOU = 0.2
#: frames of a strip, counted from the first failed one
OFFSETS = (-8, -2, 0, 4, 12, 30)
TILE_WIDTH = 260


@dataclass(frozen=True)
class Moment:
    """The longest stretch of failed frames of one run.

    Attributes:
        label: of the candidate.
        sequence: name.
        frame: index of the first failed frame.
        length: failed frames, those without truth in between not counted.
        share: of the sequence's frames with truth.
    """

    label: str
    sequence: str
    frame: int
    length: int
    share: float


def worst_moment(label: str, run: Run, sequence: Sequence) -> Moment | None:
    """Find the longest stretch of failed frames; None if no frame failed.

    Frames without truth, and those in which the target cannot be seen, neither count nor end it.
    """
    judged = np.flatnonzero(sequence.visible & has_box(sequence.truth) & has_box(run.boxes))
    failed = overlaps(run.boxes, sequence.truth)[judged] < FAILED_IOU
    if not failed.any():
        return None
    begin, length = _longest_run(failed)
    return Moment(label, sequence.name, int(judged[begin]), length, length / len(judged))


def strip(moment: Moment, run: Run, sequence: Sequence) -> Image:
    """Frames around a moment in one row, the truth in white, the tracker's box in its colour."""
    last = len(sequence) - 1
    frames = sorted({min(max(moment.frame + offset, 0), last) for offset in OFFSETS})
    return contact_sheet(
        [_drawn(run, sequence, frame) for frame in frames], columns=len(OFFSETS), width=TILE_WIDTH
    )


def _drawn(run: Run, sequence: Sequence, frame: int) -> Image:
    image = sequence.frames[frame].copy()
    if has_box(sequence.truth)[frame]:
        draw_box(image, sequence.box(frame), TRUTH_COLOR)
    if has_box(run.boxes)[frame]:
        state = TrackState.LOST if run.lost[frame] else TrackState.TRACKING
        draw_track(image, Track(Box(*run.boxes[frame]), run.confidence[frame], state))
    draw_text(image, f"frame {frame + 1}", 2, 2, TRUTH_COLOR)
    return image


def _longest_run(flags: BoolArray) -> tuple[int, int]:
    """Start and length of the longest run of True; the first one of equals."""
    steps = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    longest = int((ends - starts).argmax())
    return int(starts[longest]), int(ends[longest] - starts[longest])
