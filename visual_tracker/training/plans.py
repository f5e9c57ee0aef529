"""What a sample will show, decided before any pixel is touched.

A plan names images, maps, masks and looks; two renderers make crops of it: OpenCV in worker
processes (`samples`) and torch on a device that holds all images (`device`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.annotations import DataError, View
from visual_tracker.boxes import Box
from visual_tracker.crops import AffineFrame, CropFrame, context_side
from visual_tracker.images import Image
from visual_tracker.models.geometry import Geometry
from visual_tracker.training import augment
from visual_tracker.training.augment import Look
from visual_tracker.training.pairs import Pair, PairSampler
from visual_tracker.training.recipe import Recipe

#: width and height of an image, None if it cannot be used
SizeOf = Callable[[Path], tuple[int, int] | None]

#: share of a crop from which on nothing of its border is left to fill
_WHOLE = 0.999

#: draws before a plan is given up
TRIES = 50

#: an outline is taken for the object's if its bounds overlap the box this much (a target may be a
#: part of the object)
_OUTLINE_FITS = 0.85


class SampleError(DataError):
    """No readable pair was found in many draws."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of an image, as it lies in a crop."""

    path: Path
    frame: AffineFrame


@dataclass(frozen=True, slots=True)
class Patch:
    """An object of another image, laid over the search crop where `mask` (S, S) is not 0."""

    layer: Layer
    mask: Image


@dataclass(frozen=True, slots=True)
class Plan:
    """One sample.

    Attributes:
        template: what the template crop shows.
        search: what the search crop shows.
        background: what the search crop shows beyond its image; None for the image's mean colour.
        patches: pasted objects, the last one on top.
        template_look: light, blur and compression of the template crop.
        search_look: likewise of the search crop.
        grey: both crops without colour.
        flip: both crops mirrored, after all else.
        box: the target in search crop pixels, mirrored already; None in a negative pair.
    """

    template: Layer
    search: Layer
    background: Layer | None
    patches: tuple[Patch, ...]
    template_look: Look
    search_look: Look
    grey: bool
    flip: bool
    box: Box | None

    @property
    def centered_box(self) -> tuple[float, float, float, float] | None:
        """Centre x, centre y, width, height from the crop's centre; None in a negative pair."""
        if self.box is None:
            return None
        x, y = self.box.center
        frame = self.search.frame
        return x - frame.width / 2, y - frame.height / 2, self.box.width, self.box.height

    def turned(self, grey: bool, flip: bool) -> Plan:
        """The plan of a sample that is neither yet, grey or mirrored if it is to be."""
        box = self.box
        if flip and box is not None:
            side = self.search.frame.width
            box = Box(side - box.x - box.width, box.y, box.width, box.height)
        return replace(self, grey=grey, flip=flip, box=box)


class Planner:
    """Plans the sample of a number: the same number, seed and data give the same plan.

    Args:
        sampler: draws pairs and objects to paste.
        size_of: tells which images can be used.
        geometry: sizes of the crops.
        recipe: chances and ranges.
    """

    def __init__(
        self, sampler: PairSampler, size_of: SizeOf, geometry: Geometry, recipe: Recipe
    ) -> None:
        self.sampler = sampler
        self._size_of = size_of
        self._geometry = geometry
        self.recipe = recipe

    def plan(self, number: int) -> Plan:
        """Plan one sample; pairs with a corrupt or almost empty crop are drawn anew.

        Raises:
            SampleError: if many draws in a row were unusable.
        """
        rng = np.random.default_rng([self.recipe.seed, number])
        for _ in range(TRIES):
            plan = self.of_pair(self.sampler.draw(rng), rng)
            if plan is not None:
                return plan.turned(*self.draw_turns(rng))
        raise SampleError(
            f"{TRIES} pairs in a row are corrupt or show next to nothing; check the data"
        )

    def draw_turns(self, rng: np.random.Generator) -> tuple[bool, bool]:
        """Whether a sample is grey, and whether it is mirrored."""
        return bool(rng.random() < self.recipe.grey), bool(rng.random() < self.recipe.flip)

    def of_pair(self, pair: Pair, rng: np.random.Generator) -> Plan | None:
        """Plan a pair's sample, in colour and not mirrored; None if it shows too little."""
        size = self._size_of(pair.search.path)
        if self._size_of(pair.template.path) is None or size is None:
            return None
        recipe, geometry = self.recipe, self._geometry
        template_frame = jittered_frame(pair.template.box, template_jitter(geometry, recipe), rng)
        frame = jittered_frame(pair.search.box, search_jitter(geometry, recipe, pair.still), rng)
        share = shown_share(size, frame)
        if share < recipe.min_content:
            return None
        background = None
        if rng.random() < recipe.backgrounds and share < _WHOLE:
            background = self._background(pair.search, rng)
        box = target_in_crop(pair.search, frame)
        patches = self._patches(box, pair.search, rng)
        looks = augment.draw_look(recipe, rng), augment.draw_look(recipe, rng)
        return Plan(
            Layer(pair.template.path, template_frame),
            Layer(pair.search.path, frame),
            background,
            patches,
            *looks,
            grey=False,
            flip=False,
            box=box if pair.positive else None,
        )

    def _background(self, view: View, rng: np.random.Generator) -> Layer | None:
        """Another image, whole, to show where the crop reaches beyond its own.

        A flat border would give the target away: it is never there.
        """
        other = self.sampler.another(view, rng)
        size = self._size_of(other.path) if other is not None else None
        if other is None or size is None:
            return None
        whole = Box(0, 0, *size)
        crop = Box(0, 0, self._geometry.search_size, self._geometry.search_size)
        return Layer(other.path, onto_place(whole, crop, self._geometry.search_size))

    def _patches(self, box: Box, view: View, rng: np.random.Generator) -> tuple[Patch, ...]:
        patches = []
        if rng.random() < self.recipe.distractors:
            place = augment.distractor_place(box, self._geometry.search_size, rng)
            if place is not None:
                patches.append(self._patch(place, view, rng))
        if rng.random() < self.recipe.occluders:
            patches.append(self._patch(augment.occluder_place(box, rng), view, rng))
        return tuple(patch for patch in patches if patch is not None)

    def _patch(self, place: Box, view: View, rng: np.random.Generator) -> Patch | None:
        other = self.sampler.another(view, rng)
        size = self._size_of(other.path) if other is not None else None
        if other is None or size is None:
            return None
        if other.box.intersection_area(Box(0, 0, *size)) == 0:
            return None
        side = self._geometry.search_size
        frame = onto_place(other.box, place, side)
        mask = augment.patch_mask(frame, other.polygons, place)
        return Patch(Layer(other.path, frame), mask)


@dataclass(frozen=True)
class Jitter:
    """How a crop is taken: its size, its side in context sides, and the random changes.

    `shift` is in crop pixels, `rotation` in degrees, `stretched` as the geometry's, the others are
    shares.
    """

    size: int
    ratio: float
    shift: float
    scale: float
    stretch: float = 0.0
    rotation: float = 0.0
    shear: float = 0.0
    stretched: bool = False


def template_jitter(geometry: Geometry, recipe: Recipe) -> Jitter:
    """Changes of the template crop."""
    ratio = geometry.template_size / geometry.context_size
    return Jitter(
        geometry.template_size,
        ratio,
        recipe.template_shift,
        recipe.template_scale,
        stretched=geometry.stretched,
    )


def search_jitter(geometry: Geometry, recipe: Recipe, still: bool) -> Jitter:
    """Changes of the search crop; videos change shape and attitude by themselves already."""
    part = 1.0 if still else 0.5
    return Jitter(
        geometry.search_size,
        geometry.search_size / geometry.context_size,
        recipe.search_shift,
        recipe.search_scale,
        recipe.stretch * part,
        recipe.rotation * part,
        recipe.shear * part,
        geometry.stretched,
    )


def jittered_frame(box: Box, jitter: Jitter, rng: np.random.Generator) -> AffineFrame:
    """Where to take a crop around a box, with all random changes in one affine map."""
    wider = math.exp(augment.spread(rng, jitter.stretch))
    scale = 1 + augment.spread(rng, jitter.scale)
    angle = math.radians(augment.spread(rng, jitter.rotation))
    shear = augment.spread(rng, jitter.shear)
    squeeze = math.sqrt(box.height / box.width) if jitter.stretched else 1.0
    side = context_side(box.width * squeeze * wider, box.height / squeeze) * jitter.ratio * scale
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    change = turn @ np.array([[wider * squeeze, shear / squeeze], [0.0, 1 / squeeze]])
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


def shown_share(size: tuple[int, int], frame: AffineFrame) -> float:
    """Share of a crop that shows its image of `size` width, height."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    crop = np.array(
        [[0, 0], [frame.width, 0], [frame.width, frame.height], [0, frame.height]], np.float32
    )
    area, _ = cv2.intersectConvexConvex(frame.points_to_crop(corners).astype(np.float32), crop)
    return float(area) / (frame.width * frame.height)


def onto_place(box: Box, place: Box, size: int) -> AffineFrame:
    """The frame of a crop of `size` pixels in which a box of the image fills a place."""
    across, down = box.width / place.width, box.height / place.height
    x = box.center[0] + (size / 2 - place.center[0]) * across
    y = box.center[1] + (size / 2 - place.center[1]) * down
    return AffineFrame(x, y, ((across, 0.0), (0.0, down)), size, size)
