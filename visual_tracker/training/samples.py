"""From a pair of views to the arrays that a network is trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.crops import (
    AffineFrame,
    CropFrame,
    context_side,
    draw_crop,
    take_crop,
)
from visual_tracker.images import Image
from visual_tracker.models.anchors import anchor_grid, encode, iou_with
from visual_tracker.models.geometry import Geometry
from visual_tracker.training import augment
from visual_tracker.training.data import View
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import Pair, PairSampler
from visual_tracker.training.recipe import Recipe

#: labels of anchors and cells
NEGATIVE, POSITIVE, IGNORED = 0, 1, -1

#: share of a crop from which on nothing of its border is left to fill
_WHOLE = 0.999

#: draws before a sample is given up
_TRIES = 50

#: an outline is taken for the object's if its bounds overlap the box this much (a target may be a
#: part of the object)
_OUTLINE_FITS = 0.85


class SampleError(RuntimeError):
    """No readable pair was found in many draws."""


class Sample(NamedTuple):
    """One training example.

    Attributes:
        template: BGR uint8 (3, T, T).
        search: BGR uint8 (3, S, S).
        labels: int8, NEGATIVE, POSITIVE or IGNORED; (5, H, W) of anchors or (1, H, W) of cells.
        deltas: float32 (4, 5, H, W) that move each anchor onto the target; zeros without anchors.
        box: float32 (4,) centre x, centre y, width, height of the target in crop pixels from the
            crop's centre; of width 0 in a negative pair.
    """

    template: NDArray[np.uint8]
    search: NDArray[np.uint8]
    labels: NDArray[np.int8]
    deltas: NDArray[np.float32]
    box: NDArray[np.float32]


class Targets(Protocol):
    """Turns the target's box into labels and deltas."""

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels and deltas of a box from the crop's centre, or of a negative pair (None)."""


@dataclass(frozen=True)
class AnchorTargets:
    """SiamRPN's: anchors by their IoU with the target (Li et al., CVPR 2018, section 3.3).

    The best anchor is positive in any case, or a target of an unusual shape would teach nothing.
    """

    geometry: Geometry
    recipe: Recipe

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels (5, H, W) and deltas (4, 5, H, W)."""
        size = self.geometry.response_size(self.geometry.search_size)
        anchors = anchor_grid(size, size, self.geometry.stride)
        if box is None:
            labels = np.full(anchors.shape[1:], NEGATIVE, dtype=np.int8)
            return labels, np.zeros(anchors.shape, dtype=np.float32)
        overlap = iou_with(anchors, box)
        labels = np.full(anchors.shape[1:], IGNORED, dtype=np.int8)
        labels[overlap < self.recipe.negative_iou] = NEGATIVE
        labels[overlap > self.recipe.positive_iou] = POSITIVE
        labels[np.unravel_index(overlap.argmax(), overlap.shape)] = POSITIVE
        return labels, encode(anchors, box)


@dataclass(frozen=True)
class RadiusTargets:
    """SiamFC's: cells within a radius of the target's centre (Bertinetto et al., section 2.2)."""

    geometry: Geometry
    recipe: Recipe

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels (1, H, W) and empty deltas."""
        size = self.geometry.response_size(self.geometry.search_size)
        labels = np.full((1, size, size), NEGATIVE, dtype=np.int8)
        if box is not None:
            cells = (np.arange(size) - (size - 1) / 2) * self.geometry.stride
            distance = np.hypot(cells[None, :] - box[0], cells[:, None] - box[1])
            labels[0][distance <= self.recipe.radius] = POSITIVE
        return labels, np.zeros((0,), dtype=np.float32)


class SampleMaker:
    """Makes the sample of a number: the same number, seed and data give the same sample."""

    def __init__(
        self,
        sampler: PairSampler,
        images: ImageStore,
        geometry: Geometry,
        targets: Targets,
        recipe: Recipe,
    ) -> None:
        self._sampler = sampler
        self._images = images
        self._geometry = geometry
        self._targets = targets
        self._recipe = recipe

    def make(self, number: int) -> Sample:
        """Make one sample; pairs with a corrupt or almost empty crop are drawn anew.

        Raises:
            SampleError: if many draws in a row were unusable.
        """
        rng = np.random.default_rng([self._recipe.seed, number])
        for _ in range(_TRIES):
            sample = self._from_pair(self._sampler.draw(rng), rng)
            if sample is not None:
                return sample
        raise SampleError(
            f"{_TRIES} pairs in a row are corrupt or show next to nothing; check the data"
        )

    def _from_pair(self, pair: Pair, rng: np.random.Generator) -> Sample | None:
        first, second = self._images.get(pair.template.path), self._images.get(pair.search.path)
        if first is None or second is None:
            return None
        recipe, geometry = self._recipe, self._geometry
        template_frame = jittered_frame(pair.template.box, template_jitter(geometry, recipe), rng)
        frame = jittered_frame(pair.search.box, search_jitter(geometry, recipe, pair.still), rng)
        share = shown_share(second, frame)
        if share < recipe.min_content:
            return None
        template = take_crop(first, template_frame, self._images.mean(pair.template.path, first))
        ground = None
        if rng.random() < recipe.backgrounds and share < _WHOLE:
            ground = self._background(pair.search, rng)
        if ground is None:
            search = take_crop(second, frame, self._images.mean(pair.search.path, second))
        else:
            draw_crop(second, frame, search := ground)
        box = target_in_crop(pair.search, frame)
        self._paste(search, box, pair.search, rng)
        template, search, box = self._appearance(template, search, box, rng)
        half = geometry.search_size / 2
        center = box.center
        centered = (center[0] - half, center[1] - half, box.width, box.height)
        labels, deltas = self._targets(centered if pair.positive else None)
        truth = np.asarray(centered if pair.positive else (0, 0, 0, 0), dtype=np.float32)
        return Sample(_planes(template), _planes(search), labels, deltas, truth)

    def _background(self, view: View, rng: np.random.Generator) -> Image | None:
        """Another image to show where the crop reaches beyond its own.

        A flat border would give the target away: it is never there.
        """
        other = self._sampler.another(view, rng)
        image = self._images.get(other.path) if other is not None else None
        if image is None:
            return None
        size = self._geometry.search_size
        large = min(image.shape[:2]) >= 2 * size
        interpolation = cv2.INTER_AREA if large else cv2.INTER_LINEAR
        return cv2.resize(image, (size, size), interpolation=interpolation)

    def _paste(self, search: Image, box: Box, view: View, rng: np.random.Generator) -> None:
        if rng.random() < self._recipe.distractors:
            place = augment.distractor_place(box, self._geometry.search_size, rng)
            if place is not None:
                self._paste_another(search, place, view, rng)
        if rng.random() < self._recipe.occluders:
            self._paste_another(search, augment.occluder_place(box, rng), view, rng)

    def _paste_another(
        self, search: Image, place: Box, view: View, rng: np.random.Generator
    ) -> None:
        other = self._sampler.another(view, rng)
        image = self._images.get(other.path) if other is not None else None
        if other is None or image is None:
            return
        cut = augment.cut_out(image, other.box, other.polygons)
        if cut is not None:
            augment.paste(search, *cut, place)

    def _appearance(
        self, template: Image, search: Image, box: Box, rng: np.random.Generator
    ) -> tuple[Image, Image, Box]:
        template = augment.photometric(template, self._recipe, rng)
        search = augment.photometric(search, self._recipe, rng)
        if rng.random() < self._recipe.grey:
            template, search = augment.grey(template), augment.grey(search)
        if rng.random() < self._recipe.flip:
            template, search = template[:, ::-1], search[:, ::-1]
            box = Box(search.shape[1] - box.x - box.width, box.y, box.width, box.height)
        return template, search, box


@dataclass(frozen=True)
class Jitter:
    """How a crop is taken: its size, its side in template sides, and the random changes.

    `shift` is in crop pixels, `rotation` in degrees, the others are shares.
    """

    size: int
    ratio: float
    shift: float
    scale: float
    stretch: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0


def template_jitter(geometry: Geometry, recipe: Recipe) -> Jitter:
    """Changes of the template crop."""
    return Jitter(geometry.template_size, 1.0, recipe.template_shift, recipe.template_scale)


def search_jitter(geometry: Geometry, recipe: Recipe, still: bool) -> Jitter:
    """Changes of the search crop; videos change shape and attitude by themselves already."""
    part = 1.0 if still else 0.5
    return Jitter(
        geometry.search_size,
        geometry.search_size / geometry.template_size,
        recipe.search_shift,
        recipe.search_scale,
        recipe.stretch * part,
        recipe.rotation * part,
        recipe.shear * part,
    )


def jittered_frame(box: Box, jitter: Jitter, rng: np.random.Generator) -> AffineFrame:
    """Where to take a crop around a box, with all random changes in one affine map."""
    wider = math.exp(augment.spread(rng, jitter.stretch))
    scale = 1 + augment.spread(rng, jitter.scale)
    angle = math.radians(augment.spread(rng, jitter.rotation))
    shear = augment.spread(rng, jitter.shear)
    side = context_side(box.width * wider, box.height) * jitter.ratio * scale
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    change = turn @ np.array([[wider, shear], [0.0, 1.0]])
    frame = AffineFrame.changed(CropFrame.square(box.center, side, jitter.size), change)
    return frame.shifted(augment.spread(rng, jitter.shift), augment.spread(rng, jitter.shift))


def target_in_crop(view: View, frame: AffineFrame) -> Box:
    """Bounds of a view's object in a crop: of its outline where known, or as its box says."""
    if view.polygons:
        points = np.concatenate([np.asarray(outline).reshape(-1, 2) for outline in view.polygons])
        if _bounds(points).iou(view.box) >= _OUTLINE_FITS:
            return _bounds(frame.points_to_crop(points))
    return frame.box_to_crop(view.box)


def _bounds(points: NDArray[np.float64]) -> Box:
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Box(low[0], low[1], high[0] - low[0], high[1] - low[1])


def shown_share(image: Image, frame: AffineFrame) -> float:
    """Share of a crop that shows its image."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    crop = np.array(
        [[0, 0], [frame.width, 0], [frame.width, frame.height], [0, frame.height]], np.float32
    )
    area, _ = cv2.intersectConvexConvex(frame.points_to_crop(corners).astype(np.float32), crop)
    return float(area) / (frame.width * frame.height)


def _planes(image: Image) -> NDArray[np.uint8]:
    """(height, width, 3) to contiguous (3, height, width)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
