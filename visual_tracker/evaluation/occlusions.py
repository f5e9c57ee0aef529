"""Long-term cases in which something of the scene covers the target for a while.

A splice and a camera that looks away change the whole image; a target that goes behind a tree does
not: its surroundings stay, and with them all that may be taken for it. Here a patch of its own
surroundings (or of another sequence, where the target leaves no room for one) slides over the
target from one side, moves along with it, and slides off. Deterministic by a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.evaluation.longterm_cases import MIN_IN_VIEW, generator
from visual_tracker.evaluation.metrics import FloatArray
from visual_tracker.evaluation.sequences import DatasetError, Frames, Sequence
from visual_tracker.images import Image, size_of

#: most frames of an occlusion, and frames in which it slides on, and off
OCCLUDED_FRAMES, SLIDE_FRAMES = 25, 4
#: the patch is larger than the target by this share of its sides at each side
_MARGIN = 0.15
#: how far away, in target sides, the patch is taken from
_DISTANCES = (1.4, 2.2)
#: places tried for it
_PLACES = 16
#: share of the patch's shorter side over which its border fades
_FADE = 0.07


@dataclass(frozen=True)
class OccludedFrames:
    """Frames with a patch over the target.

    Attributes:
        frames: without it.
        truth: (frames, 4) the target's boxes.
        cover: (frames,) share of the target's width that is covered, 0 for none.
        offset: (2,) from the target to where the patch is taken from, in target sides; None: it is
            taken from `other`.
        other: another sequence, whose first image it is taken from.
        from_left: the side that it comes from and goes to.
    """

    frames: Frames
    truth: FloatArray
    cover: FloatArray
    offset: FloatArray | None
    other: Frames
    from_left: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """Those without the patch, and the one it may be taken from."""
        return self.frames.files + self.other.files[:1]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        """The image of a frame."""
        image = self.frames[index]
        cover = float(self.cover[index])
        if cover <= 0:
            return image
        left, top, right, bottom = _outer(self.truth[index])
        patch = self._patch(image, index)
        mask = _mask(right - left, bottom - top, cover, self.from_left)
        width, height = size_of(image)
        inside = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        of_patch = (
            slice(inside[0].start - top, inside[0].stop - top),
            slice(inside[1].start - left, inside[1].stop - left),
        )
        share = mask[of_patch][..., None]
        result = image.copy()
        mixed = image[inside] * (1 - share) + patch[of_patch] * share
        result[inside] = np.rint(mixed).astype(np.uint8)
        return result

    def _patch(self, image: Image, index: int) -> Image:
        left, top, right, bottom = _outer(self.truth[index])
        width, height = right - left, bottom - top
        if self.offset is None:
            size = tuple(np.maximum(size_of(image), (width, height)).tolist())
            return cv2.resize(self.other[0], size)[:height, :width]
        x, y = np.rint((left, top) + self.offset * self.truth[index, 2:]).astype(int)
        whole = size_of(image)
        x, y = np.clip(x, 0, max(whole[0] - width, 0)), np.clip(y, 0, max(whole[1] - height, 0))
        return cv2.resize(image[y : y + height, x : x + width], (width, height))


def occlude(sequences: list[Sequence], seed: int) -> list[Sequence]:
    """Cover the target in the middle third of each sequence, for OCCLUDED_FRAMES at most.

    Where more than 1 - MIN_IN_VIEW of it is covered it is not visible and has no truth.

    Args:
        sequences: two or more, with truth in every frame.
        seed: any integer.

    Raises:
        DatasetError: if there is only one sequence.
    """
    if len(sequences) < 2:
        raise DatasetError("occlusions need two sequences or more")
    return [_occlude_one(sequence, sequences, seed) for sequence in sequences]


def _occlude_one(sequence: Sequence, sequences: list[Sequence], seed: int) -> Sequence:
    name, image_size = f"{sequence.name}-occluded", sequence.image_size()
    if image_size is None:
        return replace(sequence, name=name)
    random = generator(seed, f"{sequence.name} occluded")
    count = len(sequence)
    begin = count // 3
    end = min(2 * count // 3, begin + OCCLUDED_FRAMES)
    steps = np.arange(count)
    slid = np.minimum(steps - begin + 1, end - steps) / SLIDE_FRAMES
    # a frame without truth has nothing to cover
    cover = np.where(np.isnan(sequence.truth).any(axis=1), 0, np.clip(slid, 0, 1))
    others = [other for other in sequences if other.name != sequence.name]
    other = others[random.integers(len(others))].frames
    covered = sequence.truth[cover > 0]
    offset = _free_offset(covered, image_size, random)
    frames = OccludedFrames(
        sequence.frames, sequence.truth, cover, offset, other, bool(random.integers(2))
    )
    gone = cover > 1 - MIN_IN_VIEW
    return replace(
        sequence,
        name=name,
        frames=frames,
        truth=np.where(gone[:, None], np.nan, sequence.truth),
        visible=sequence.visible & ~gone,
        polygons=(),
        tags={},
    )


def _free_offset(
    boxes: FloatArray, size: tuple[int, int], random: np.random.Generator
) -> FloatArray | None:
    """Where, seen from the target, there is room for a patch beside it in every frame."""
    for turn in random.permutation(_PLACES):
        angle = 2 * np.pi * turn / _PLACES
        offset = random.uniform(*_DISTANCES) * np.array([np.cos(angle), np.sin(angle)])
        if np.abs(offset).max() < 1 + 2 * _MARGIN:
            continue  # it would show the target
        corners = boxes[:, :2] + (offset - _MARGIN) * boxes[:, 2:]
        far = corners + (1 + 2 * _MARGIN) * boxes[:, 2:]
        if (corners >= 0).all() and (far <= size).all():
            return np.asarray(offset)
    return None


def _outer(row: FloatArray) -> tuple[int, int, int, int]:
    """Whole pixels of the patch over a box: left, top, right, bottom."""
    x, y, width, height = row
    margin_x, margin_y = _MARGIN * width + 2, _MARGIN * height + 2
    box = Box(x - margin_x, y - margin_y, width + 2 * margin_x, height + 2 * margin_y)
    left, top, right, bottom = (round(value) for value in box.xyxy)
    return left, top, right, bottom


def _mask(width: int, height: int, cover: float, from_left: bool) -> NDArray[np.float32]:
    """How much of the patch shows in each pixel, (height, width)."""
    fade = _FADE * min(width, height) + 1
    edge_x = np.minimum(np.arange(width), np.arange(width)[::-1]) + 1
    edge_y = np.minimum(np.arange(height), np.arange(height)[::-1]) + 1
    # the front edge of the part that has slid on
    ahead = np.arange(width) if from_left else np.arange(width)[::-1]
    front = np.clip((cover * width - ahead) / fade + 0.5, 0, 1) if cover < 1 else np.ones(width)
    border_x, border_y = np.clip(edge_x / fade, 0, 1), np.clip(edge_y / fade, 0, 1)
    return np.asarray(np.outer(border_y, border_x * front), dtype=np.float32)
