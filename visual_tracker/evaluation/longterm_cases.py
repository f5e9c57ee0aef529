"""Long-term cases made from any sequence: the target goes away, comes back, and it is known when.

Both are deterministic by a seed, and truth and visibility follow exactly.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from visual_tracker.boxes import BoxArray, clip_boxes
from visual_tracker.evaluation.metrics import BoolArray, FloatArray, has_box
from visual_tracker.evaluation.sequences import DatasetError, Frames, Sequence
from visual_tracker.images import Image, size_of

#: frames of the other clip in a splice
SPLICE_FRAMES = 60

#: side of the virtual camera's image as a share of the frame's
VIEW_SHARE = 0.5
#: frames that the virtual camera keeps the target in view, looks away, and pans in between
FRAMES_IN_VIEW, FRAMES_AWAY, FRAMES_PAN = 50, 30, 8
#: frames between the pans in which it wanders from one place away to another
FRAMES_WANDER = FRAMES_AWAY - 2 * FRAMES_PAN
#: share of the target's area that must be in the view for it to count as visible
MIN_IN_VIEW = 0.25


@dataclass(frozen=True)
class SplicedFrames:
    """A clip, a stretch of another clip scaled to the first one's image size, the clip's rest.

    Attributes:
        clip: the target's.
        other: shown in between.
        cut: index in `clip` at which `other` comes in.
        first: index in `other` at which the stretch begins.
        count: frames of the stretch.
    """

    clip: Frames
    other: Frames
    cut: int
    first: int
    count: int

    @property
    def files(self) -> tuple[Path, ...]:
        """The clip's, and those of the stretch."""
        return self.clip.files + self.other.files[self.first : self.first + self.count]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.clip) + self.count

    def __getitem__(self, index: int) -> Image:
        """The image of a frame."""
        place = index - self.cut
        if place < 0:
            return self.clip[index]
        if place >= self.count:
            return self.clip[index - self.count]
        image = self.other[self.first + place]
        size = size_of(self.clip[0])
        return image if size_of(image) == size else cv2.resize(image, size)


@dataclass(frozen=True)
class ViewFrames:
    """What a camera sees that looks at a part of each frame.

    Attributes:
        frames: the whole ones.
        corners: (frames, 2) whole pixels of each view's top-left corner.
        size: width and height of the view in pixels.
    """

    frames: Frames
    corners: FloatArray
    size: tuple[int, int]

    @property
    def files(self) -> tuple[Path, ...]:
        """Those of the whole frames."""
        return self.frames.files

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        """The view of a frame, a copy of its pixels."""
        left, top = self.corners[index].astype(int)
        width, height = self.size
        return np.ascontiguousarray(self.frames[index][top : top + height, left : left + width])


def splice(sequences: list[Sequence], seed: int, frames: int = SPLICE_FRAMES) -> list[Sequence]:
    """Cut a stretch of another sequence into the middle of each one.

    The target is not visible, and has no truth, in the stretch. Which sequence is cut in, and from
    where, depends on the seed, the target's sequence and which others there are.

    Args:
        sequences: two or more.
        seed: any integer.
        frames: of the stretch, at most; as many as the other sequence has if it is shorter.

    Raises:
        DatasetError: if there is only one sequence.
    """
    if len(sequences) < 2:
        raise DatasetError("splicing needs two sequences or more")
    return [_splice_one(sequence, sequences, seed, frames) for sequence in sequences]


def virtual_camera(sequences: list[Sequence], seed: int) -> list[Sequence]:
    """Look at each sequence through a camera that wanders, away from the target and back.

    The view is VIEW_SHARE of the frame, but no smaller than the first target with a margin. It
    keeps the target in sight for a while, pans to where the target is not, on to another such
    place, and back, so that the target re-enters elsewhere in the image. The truth is the part of
    the true box in view; the target is visible where that is MIN_IN_VIEW of the box or more, and
    has no truth elsewhere.

    Args:
        sequences: any number.
        seed: any integer.
    """
    return [_view_one(sequence, seed) for sequence in sequences]


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one sequence, the same wherever and in whatever order it is made."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _splice_one(sequence: Sequence, sequences: list[Sequence], seed: int, frames: int) -> Sequence:
    random = generator(seed, sequence.name)
    others = [other for other in sequences if other.name != sequence.name]
    other = others[random.integers(len(others))]
    count = min(frames, len(other))
    first = int(random.integers(len(other) - count + 1))
    cut = len(sequence) // 2
    polygons = sequence.polygons
    if polygons:
        polygons = (*polygons[:cut], *[None] * count, *polygons[cut:])
    return replace(
        sequence,
        name=f"{sequence.name}-spliced",
        frames=SplicedFrames(sequence.frames, other.frames, cut, first, count),
        truth=np.insert(sequence.truth, cut, np.full((count, 4), np.nan), axis=0),
        visible=np.insert(sequence.visible, cut, np.zeros(count, bool)),
        polygons=polygons,
        tags={},
    )


def _view_one(sequence: Sequence, seed: int) -> Sequence:
    name, image_size = f"{sequence.name}-camera", sequence.image_size()
    if image_size is None:
        return replace(sequence, name=name)
    frame_size = np.array(image_size)
    # a view the target does not fill, and an inner margin at which a tracker can still start
    size = np.minimum(
        np.maximum(np.round(frame_size * VIEW_SHARE), np.ceil(sequence.truth[0, 2:] * 1.5)),
        frame_size,
    )
    corners = _camera_path(sequence, frame_size, size, generator(seed, sequence.name))
    truth, in_view = _seen_through(sequence.truth, corners, size)
    return replace(
        sequence,
        name=name,
        frames=ViewFrames(sequence.frames, corners, (int(size[0]), int(size[1]))),
        truth=truth,
        visible=sequence.visible & in_view,
        # an outline cut by the view is no longer the dataset's
        polygons=(),
        tags={},
    )


def _seen_through(
    truth: BoxArray, corners: FloatArray, size: FloatArray
) -> tuple[BoxArray, BoolArray]:
    """Truth in a view's pixels, NaN where too little is in view, and where it is not."""
    moved = truth - np.hstack([corners, np.zeros_like(corners)])
    seen = clip_boxes(moved, *size)
    share = seen[:, 2:].prod(axis=1) / truth[:, 2:].prod(axis=1)
    # not NaN either
    in_view = has_box(seen) & (share >= MIN_IN_VIEW)
    return np.where(in_view[:, None], seen, np.nan), in_view


def _camera_path(
    sequence: Sequence, frame_size: FloatArray, size: FloatArray, random: np.random.Generator
) -> FloatArray:
    """Top-left corner of the view in each frame, whole pixels inside the frame, (frames, 2)."""
    centers = _smooth(_filled(sequence.truth[:, :2] + sequence.truth[:, 2:] / 2))
    corners = np.empty_like(centers)
    room = frame_size - size
    cycle = FRAMES_IN_VIEW + FRAMES_AWAY
    # where in the view the target is, as an offset from its middle; it starts in the middle
    place, away = np.zeros(2), np.zeros((2, 2))
    for frame, center in enumerate(centers):
        step = frame % cycle
        if step == FRAMES_IN_VIEW:
            away = _two_places_away(sequence.truth[frame : frame + FRAMES_AWAY], size, room, random)
        if step == FRAMES_IN_VIEW + FRAMES_AWAY // 2:
            place = random.uniform(-0.25, 0.25, 2)
        looked_away = _blend(step)
        at_target = center + place * size - size / 2
        # over there, from the one place to the other
        wandered = np.clip((step - FRAMES_IN_VIEW - FRAMES_PAN) / FRAMES_WANDER, 0, 1)
        elsewhere = (1 - wandered) * away[0] + wandered * away[1]
        corners[frame] = (1 - looked_away) * at_target + looked_away * elsewhere
    # the whole of the first box, wherever the path was smoothed to
    first = sequence.truth[0]
    corners[0] = np.clip(corners[0], first[:2] + first[2:] - size, first[:2])
    return np.clip(np.round(corners), 0, room)


def _blend(step: int) -> float:
    """0 while the target is in view, 1 while the camera looks away, smooth in between."""
    begin, end = FRAMES_IN_VIEW, FRAMES_IN_VIEW + FRAMES_AWAY
    ramp = min((step - begin + 1) / FRAMES_PAN, (end - step) / FRAMES_PAN)
    ramp = min(max(ramp, 0.0), 1.0)
    return ramp * ramp * (3 - 2 * ramp)


def _two_places_away(
    truth: BoxArray, size: FloatArray, room: FloatArray, random: np.random.Generator
) -> FloatArray:
    """Corners of the view, (2, 2), from which least of the target is seen, far from each other.

    The second one makes the target re-enter from another side.
    """
    grid = np.linspace(0, 1, 5)
    places = np.array([[x, y] for x in grid for y in grid]) * room
    known = truth[has_box(truth)]
    seen = [clip_boxes(known - [*place, 0, 0], *size)[:, 2:].prod(axis=1).sum() for place in places]
    best = places[np.array(seen) <= min(seen) + 1e-9]
    first = best[random.integers(len(best))]
    second = best[np.linalg.norm(best - first, axis=1).argmax()]
    return np.array([first, second])


def _filled(values: FloatArray) -> FloatArray:
    """Replace NaN rows by interpolation between their neighbours."""
    known = ~np.isnan(values).any(axis=1)
    index = np.arange(len(values))
    return np.column_stack([np.interp(index, index[known], values[known, axis]) for axis in (0, 1)])


def _smooth(values: FloatArray, width: int = 15) -> FloatArray:
    """Moving average over `width` rows; a hand that holds a camera does not jump."""
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    kernel = np.full(width, 1 / width)
    return np.column_stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)])
