"""From a pair of views to the arrays that a network is trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame, channel_mean, context_side, take_crop
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

#: draws before a sample is given up
_TRIES = 50


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
        template, _ = _jittered_crop(
            first,
            pair.template.box,
            _Jitter(geometry.template_size, 1.0, recipe.template_shift, recipe.template_scale, 0.0),
            rng,
        )
        ratio = geometry.search_size / geometry.template_size
        stretch = recipe.stretch if pair.still else recipe.stretch / 2
        search, box = _jittered_crop(
            second,
            pair.search.box,
            _Jitter(geometry.search_size, ratio, recipe.search_shift, recipe.search_scale, stretch),
            rng,
        )
        content = _content(second, pair.search.box, box)
        if _share(content, geometry.search_size) < recipe.min_content:
            return None
        if rng.random() < recipe.backgrounds:
            self._fill_border(search, content, pair.search, rng)
        self._paste(search, box, pair.search, rng)
        template, search, box = self._appearance(template, search, box, rng)
        half = geometry.search_size / 2
        center = box.center
        centered = (center[0] - half, center[1] - half, box.width, box.height)
        labels, deltas = self._targets(centered if pair.positive else None)
        truth = np.asarray(centered if pair.positive else (0, 0, 0, 0), dtype=np.float32)
        return Sample(_planes(template), _planes(search), labels, deltas, truth)

    def _fill_border(
        self, search: Image, content: Box, view: View, rng: np.random.Generator
    ) -> None:
        """Show another image where the crop reaches beyond its own.

        A flat border would give the target away: it is never there.
        """
        other = self._sampler.another(view, rng)
        image = self._images.get(other.path) if other is not None else None
        if image is None:
            return
        background = cv2.resize(image, search.shape[1::-1], interpolation=cv2.INTER_AREA)
        left, top, right, bottom = (max(0, round(edge)) for edge in content.xyxy)
        background[top:bottom, left:right] = search[top:bottom, left:right]
        search[:] = background

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
class _Jitter:
    """How a crop is taken: its size, its side in template sides, and the random changes."""

    size: int
    ratio: float
    shift: float
    scale: float
    stretch: float


def _jittered_crop(
    image: Image, box: Box, jitter: _Jitter, rng: np.random.Generator
) -> tuple[Image, Box]:
    """A crop around a box, shifted and scaled at random, and the box in it."""
    padding = channel_mean(image)
    change = math.exp(augment.spread(rng, jitter.stretch))
    if change != 1.0:
        image, box = _stretched(image, box, change)
    scale = 1 + augment.spread(rng, jitter.scale)
    side = context_side(box.width, box.height) * jitter.ratio * scale
    pixel = side / jitter.size
    center = (
        box.center[0] + augment.spread(rng, jitter.shift) * pixel,
        box.center[1] + augment.spread(rng, jitter.shift) * pixel,
    )
    frame = CropFrame.square(center, side, jitter.size)
    return take_crop(image, frame, padding), frame.box_to_crop(box)


def _content(image: Image, box: Box, box_in_crop: Box) -> Box:
    """Where the image lies in its crop, known from where one box of it lies."""
    scale_x, scale_y = box_in_crop.width / box.width, box_in_crop.height / box.height
    return Box(
        box_in_crop.x - box.x * scale_x,
        box_in_crop.y - box.y * scale_y,
        image.shape[1] * scale_x,
        image.shape[0] * scale_y,
    )


def _share(content: Box, size: int) -> float:
    """Share of a crop that shows its image."""
    return content.intersection_area(Box(0, 0, size, size)) / size**2


def _stretched(image: Image, box: Box, change: float) -> tuple[Image, Box]:
    """Image and box made wider by a factor; only the surroundings that a crop may show."""
    reach = 3 * context_side(box.width, box.height)
    left = max(0, int(box.center[0] - reach))
    right = min(image.shape[1], math.ceil(box.center[0] + reach))
    if right - left < 2:
        return image, box
    part = image[:, left:right]
    width = max(1, round(part.shape[1] * change))
    change = width / part.shape[1]
    image = cv2.resize(part, (width, part.shape[0]), interpolation=cv2.INTER_LINEAR)
    return image, Box((box.x - left) * change, box.y, box.width * change, box.height)


def _planes(image: Image) -> NDArray[np.uint8]:
    """(height, width, 3) to contiguous (3, height, width)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
