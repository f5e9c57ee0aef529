"""Image regions around targets, with the true box, as the policy is trained on."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.adnet.regions import boxes_in, region_around
from visual_tracker.annotations import DataError, Still, Track, View
from visual_tracker.boxes import BoxArray
from visual_tracker.crops import channel_mean, take_crop
from visual_tracker.images import Image
from visual_tracker.training import augment
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import PairSampler
from visual_tracker.training.recipe import Recipe

#: draws before a scene is given up
_TRIES = 50

_BLUR_LENGTHS = (3, 5, 7)


class Scene(NamedTuple):
    """A region and the target in it.

    Attributes:
        image: BGR uint8 (3, S, S).
        truth: (4,) x, y, width, height in pixels of the region.
    """

    image: NDArray[np.uint8]
    truth: BoxArray


class SceneMaker:
    """Makes the scene of a number: the same number, seed and data give the same scene.

    Args:
        tracks: videos to draw from.
        stills: images to draw from; may be empty.
        images: where pictures come from.
        size: side of the regions in pixels.
        recipe: shares and changes.

    Raises:
        DataError: if there is nothing to draw from.
    """

    def __init__(
        self,
        tracks: list[Track],
        stills: list[Still],
        images: ImageStore,
        size: int,
        recipe: AdnetRecipe,
    ) -> None:
        # without a template none can tell which part of an object is meant
        pairs = Recipe(
            seed=recipe.seed, negative_pairs=0.0, parts=0.0, video_share=recipe.video_share
        )
        self._sampler = PairSampler(tracks, stills, pairs)
        self._images = images
        self._size = size
        self._recipe = recipe

    def make(self, number: int) -> Scene:
        """Make one scene; corrupt images are drawn anew.

        Raises:
            DataError: if many draws in a row were unusable.
        """
        rng = np.random.default_rng([self._recipe.seed, number])
        for _ in range(_TRIES):
            pair = self._sampler.draw(rng)
            image = self._images.get(pair.search.path)
            if image is not None:
                return self._scene(image, pair.search, pair.still, rng)
        raise DataError(f"{_TRIES} images in a row cannot be read; check the data")

    def _scene(self, image: Image, view: View, still: bool, rng: np.random.Generator) -> Scene:
        recipe = self._recipe
        truth = np.array(view.box.xywh)
        if still:
            image, truth = _stretched(image, truth, augment.spread(rng, recipe.stretch))
        region, truth = self._cut(image, truth, rng)
        if rng.random() < recipe.flip:
            region = region[:, ::-1]
            truth[0] = self._size - truth[0] - truth[2]
        return Scene(np.ascontiguousarray(region.transpose(2, 0, 1)), truth)

    def _cut(
        self, image: Image, truth: BoxArray, rng: np.random.Generator
    ) -> tuple[Image, BoxArray]:
        """A region around a box near the truth, and the truth in it."""
        recipe = self._recipe
        shift = recipe.region_shift * math.sqrt(truth[2] * truth[3])
        moved = truth.copy()
        moved[:2] += rng.uniform(-shift, shift, 2)
        scale = math.exp(augment.spread(rng, recipe.region_scale))
        frame = region_around(moved, self._size, scale)
        region = self._appearance(take_crop(image, frame, channel_mean(image)), rng)
        return region, boxes_in(frame, truth)

    def _appearance(self, region: Image, rng: np.random.Generator) -> Image:
        recipe = self._recipe
        gains, brightness = augment.draw_light(recipe.light, rng)
        blur = None
        if rng.random() < recipe.blur:
            blur = augment.motion_kernel(int(rng.choice(_BLUR_LENGTHS)), rng.uniform(0, math.pi))
        look = augment.Look(gains, brightness, blur)
        return augment.seen(region, look, rng.random() < recipe.grey, mirrored=False)


def _stretched(image: Image, truth: BoxArray, power: float) -> tuple[Image, BoxArray]:
    """Image and box made wider by e to the power."""
    width = max(1, round(image.shape[1] * math.exp(power)))
    change = width / image.shape[1]
    wider = cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return wider, truth * [change, 1.0, change, 1.0]
