"""Small sequences, datasets and trackers for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.parameters import Parameters
from visual_tracker.trackers import Track, Tracker, TrackState

WIDTH, HEIGHT = 96, 64


def picture(index: int, box: Iterable[float], seed: int = 0) -> np.ndarray:
    """A dim noisy background with a bright chequered target on the box."""
    random = np.random.default_rng([seed, 7])
    image = random.integers(40, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y, width, height = (round(value) for value in box)
    target = np.indices((height, width)).sum(axis=0) // 4 % 2 * 150 + 100
    patch = image[max(y, 0) : y + height, max(x, 0) : x + width]
    patch[:] = target[: patch.shape[0], : patch.shape[1], None]
    # the index is written into a corner, to tell the frames apart
    image[0, 0] = index % 256
    return image


def moving_boxes(frames: int, side: float = 16) -> np.ndarray:
    """A target that moves to the right a pixel a frame."""
    return np.array([[10.0 + index, 20.0, side, side] for index in range(frames)])


@dataclass(frozen=True)
class DrawnFrames:
    """Frames drawn from boxes."""

    boxes: tuple[tuple[float, ...], ...]
    seed: int = 0

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> np.ndarray:
        return picture(index, self.boxes[index], self.seed)


def drawn_sequence(frames: int = 12, name: str = "drawn", hidden: Iterable[int] = ()) -> Sequence:
    """A sequence without files; the truth is NaN in the hidden frames."""
    truth = moving_boxes(frames)
    images = DrawnFrames(tuple(map(tuple, truth.tolist())), seed=len(name))
    truth[list(hidden)] = np.nan
    return Sequence(name, images, truth, ~np.isnan(truth).any(axis=1))


def write_images(
    folder: Path, boxes: np.ndarray, pattern: str = "{:04d}.png", first: int = 1
) -> None:
    """Draw one image a box into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, box in enumerate(np.nan_to_num(boxes, nan=4.0)):
        cv2.imwrite(str(folder / pattern.format(index + first)), picture(index, box))


def rows(boxes: np.ndarray, shift: int = 0, separator: str = ",") -> str:
    """Boxes as lines of text, corners moved by `shift`."""
    moved = boxes + np.array([shift, shift, 0, 0])
    return "".join(separator.join(f"{value:g}" for value in row) + "\n" for row in moved)


def write_otb(root: Path, name: str = "One", frames: int = 5) -> Path:
    """An OTB sequence; returns its folder."""
    boxes = moving_boxes(frames)
    write_images(root / name / "img", boxes)
    (root / name / "groundtruth_rect.txt").write_text(rows(boxes, 1))
    return root / name


class ScriptedTracker(Tracker):
    """Says what a script tells it to; unnamed, and so not registered.

    Args:
        script: frame number (of calls of `track` since the last init, from 1) and last track ->
            what to say.
        spend: called with that number before each answer; a fake clock moves here.
    """

    parameters_class = Parameters

    def __init__(
        self,
        script: Callable[[int, Track], Track] = lambda number, last: last,
        spend: Callable[[int], None] = lambda number: None,
    ) -> None:
        super().__init__()
        self.script, self.spend = script, spend
        self.started_on: list[tuple[int, Box]] = []
        self.seen: list[int] = []

    def _init(self, image: np.ndarray, box: Box) -> None:
        self.started_on.append((int(image[0, 0, 0]), box))
        self._number = 0
        self.spend(0)

    def _track(self, image: np.ndarray, last: Track) -> Track:
        self._number += 1
        self.seen.append(int(image[0, 0, 0]))
        self.spend(self._number)
        return self.script(self._number, last)


def tracked(x: float, y: float = 20, side: float = 16) -> Track:
    """TRACKING on a square."""
    return Track(Box(x, y, side, side), None, TrackState.TRACKING)
