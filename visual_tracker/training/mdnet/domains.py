"""Videos as domains: maps of their frames, and the boxes of a step.

The trunk is frozen, so the maps of each view of a frame are computed once and kept (half
precision); what is drawn anew at every step are the boxes, whose features RoIAlign takes from them.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from visual_tracker.annotations import Track, View
from visual_tracker.boxes import Box, BoxArray
from visual_tracker.crops import CropFrame, channel_mean, take_crop
from visual_tracker.images import Image
from visual_tracker.mdnet.sampling import FIRST_NEGATIVE_IOU, TrainingBoxes
from visual_tracker.models.mdnet import RegionFeatures
from visual_tracker.online.bank import Samples
from visual_tracker.training.images import ImageStore
from visual_tracker.training.mdnet.recipe import MdNetRecipe


@dataclass(frozen=True, slots=True)
class MappedView:
    """A view of a frame.

    Attributes:
        maps: of the search region, each (c, h, w), half precision.
        target: in pixels of the region's crop.
    """

    maps: tuple[Tensor, ...]
    target: Box


@dataclass(frozen=True, slots=True)
class Domain:
    """One video; `frames` holds the views of each frame that could be read, in order."""

    name: str
    frames: list[list[MappedView]]


def map_domain(
    track: Track, images: ImageStore, features: RegionFeatures, recipe: MdNetRecipe, device: str
) -> Domain:
    """Compute the maps of a video; frames that cannot be read are left out."""
    rng = np.random.default_rng((recipe.seed, zlib.crc32(track.name.encode())))
    frames = []
    for _, view in track.frames:
        image = images.get(view.path)
        if image is not None:
            frames.append(_views(image, view, features, recipe, rng, device))
    return Domain(track.name, frames)


def _views(
    image: Image, view: View, features: RegionFeatures, recipe: MdNetRecipe,
    rng: np.random.Generator, device: str,
) -> list[MappedView]:  # fmt: skip
    padding = channel_mean(image)
    crops, targets = [], []
    for number in range(recipe.views):
        frame = _region(view.box, features, recipe, rng)
        crop, target = take_crop(image, frame, padding), frame.box_to_crop(view.box)
        if number % 2:
            crop = np.ascontiguousarray(crop[:, ::-1])
            target = Box(frame.width - target.x - target.width, *target.xywh[1:])
        crops.append(crop)
        targets.append(target)
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float()
        maps = [one.half() for one in features.maps(batch)]
    return [
        MappedView(tuple(one[number].contiguous() for one in maps), target)
        for number, target in enumerate(targets)
    ]


def _region(
    box: Box, features: RegionFeatures, recipe: MdNetRecipe, rng: np.random.Generator
) -> CropFrame:
    """A search region in which the target is not quite where and as large as it should be."""
    side = math.sqrt(box.area)
    shift = rng.uniform(-recipe.shift, recipe.shift, 2) * side
    zoom = (1 + recipe.zoom) ** rng.uniform(-1, 1)
    pixel = side / (features.target_side * zoom)
    size = features.region_size
    return CropFrame(box.center[0] + shift[0], box.center[1] + shift[1], pixel, size, size)


class DomainSampler:
    """Draws labelled features of a domain.

    Args:
        features: the extractor.
        recipe: how many frames and boxes.
        device: torch device.
    """

    def __init__(self, features: RegionFeatures, recipe: MdNetRecipe, device: str) -> None:
        self._features, self._recipe, self._device = features, recipe, device

    def draw(self, domain: Domain, rng: np.random.Generator) -> tuple[Samples, Samples]:
        """Positives, and the pool of negatives, of random frames."""
        recipe = self._recipe
        count = min(recipe.frames, len(domain.frames))
        chosen = rng.choice(len(domain.frames), count, replace=False)
        return self.of_frames(
            [domain.frames[index] for index in chosen], rng, recipe.positives, recipe.pool
        )

    def of_frames(
        self, frames: list[list[MappedView]], rng: np.random.Generator, positives: int, pool: int
    ) -> tuple[Samples, Samples]:
        """Positives and negatives of given frames, one random view of each."""
        shown, background = [], []
        for views in frames:
            view = views[rng.integers(len(views))]
            size = self._features.region_size
            draw = TrainingBoxes(rng, (size, size))
            near = draw.positives(view.target, -(-positives // len(frames)))
            far = draw.negatives(view.target, -(-pool // len(frames)), FIRST_NEGATIVE_IOU)
            features = self._extract(view, np.concatenate([near, far]))
            shown.append(features[: len(near)])
            background.append(features[len(near) :])
        return _labelled(shown, 1), _labelled(background, 0)

    @torch.no_grad()
    def _extract(self, view: MappedView, boxes: BoxArray) -> Tensor:
        rows = torch.from_numpy(boxes).float().to(self._device)
        return self._features.pool(tuple(one.float() for one in view.maps), rows)


def _labelled(parts: list[Tensor], label: int) -> Samples:
    features = torch.cat(parts)
    return Samples(features, torch.full((len(features),), label, device=features.device))
