"""Features of boxes of an image: by RoIAlign on one crop, or by one crop each.

Both give the same features of the same network, up to what a candidate's surroundings look like:
in a region's crop the target keeps its shape and its surroundings are those of the image; a crop
of its own is stretched to a square, as MDNet does it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.crops import CropFrame, channel_mean, take_crop
from visual_tracker.images import Image
from visual_tracker.models.mdnet import MdNet, RegionFeatures
from visual_tracker.models.region_maps import RegionMaps, TorchMaps
from visual_tracker.timing import CROP, NETWORK, timed

#: crops that go through the network at a time
_CROP_BATCH = 64


class Extractor(ABC):
    """Features of boxes in one image.

    Args:
        network: whose `features` are used; in eval mode.
        device: torch device.
    """

    def __init__(self, network: MdNet, device: str) -> None:
        self._features: RegionFeatures = network.features
        self._device = device

    def region(self, box: Box, zoom: float = 1.0) -> CropFrame:
        """The search region around a box.

        Args:
            box: shown with sqrt(w h) of `target_side` crop pixels.
            zoom: how much larger it is shown.
        """
        side = math.sqrt(box.area) / (self._features.target_side * zoom)
        size = self._features.region_size
        return CropFrame(*box.center, side, size, size)

    @abstractmethod
    def look(self, image: Image, frame: CropFrame) -> None:
        """Take up an image, or another region of it; :meth:`extract` is about this one."""

    @abstractmethod
    def extract(self, boxes: BoxArray) -> Tensor:
        """Features (N, C, P, P) of boxes (N, 4) in pixels of the image; N may be 0."""

    def extract_one(self, box: NDArray[np.float64]) -> NDArray[np.float32]:
        """Features (C, P, P) of a single box (4,); on the CPU."""
        return np.asarray(self.extract(box[None])[0].numpy())

    def _to_tensor(self, crops: Image | NDArray[np.uint8]) -> Tensor:
        """Crops (B, h, w, 3) as floats (B, 3, h, w) in 0..255, channels last."""
        return torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float()


class RoiExtractor(Extractor):
    """One pass of the network over the region, then RoIAlign.

    Args:
        network: whose `features` pool; in eval mode.
        device: torch device.
        maps: of the network; it runs on torch where they are not given.
    """

    def __init__(self, network: MdNet, device: str, maps: RegionMaps | None = None) -> None:
        super().__init__(network, device)
        self._compute = maps or TorchMaps(network, device)

    def look(self, image: Image, frame: CropFrame) -> None:
        """Compute the region's maps."""
        self._frame = frame
        self._maps = self._compute(take_crop(image, frame, channel_mean(image)))

    @timed(NETWORK)
    @torch.no_grad()
    def extract(self, boxes: BoxArray) -> Tensor:
        """RoIAlign on the region's maps."""
        frame = self._frame
        local = np.array(boxes, float) / frame.pixel
        local[:, 0] += frame.width / 2 - frame.center_x / frame.pixel
        local[:, 1] += frame.height / 2 - frame.center_y / frame.pixel
        rows = torch.from_numpy(local).float().to(self._device)
        return self._features.pool(self._maps, rows)


class CropExtractor(Extractor):
    """One crop and one pass of the network a candidate, as MDNet does it."""

    def look(self, image: Image, frame: CropFrame) -> None:
        """Keep the image."""
        self._image = image
        self._padding = tuple(float(value) for value in channel_mean(image))

    def extract(self, boxes: BoxArray) -> Tensor:
        """Crops in batches through the network."""
        if not len(boxes):
            shape = self._features.channels, self._features.bins, self._features.bins
            return torch.empty(0, *shape, device=self._device)
        parts = [
            self._compute(self._crops(boxes[start : start + _CROP_BATCH]))
            for start in range(0, len(boxes), _CROP_BATCH)
        ]
        return torch.cat(parts)

    @timed(NETWORK)
    @torch.no_grad()
    def _compute(self, crops: NDArray[np.uint8]) -> Tensor:
        return self._features.crops(self._to_tensor(crops))

    @timed(CROP)
    def _crops(self, boxes: BoxArray) -> NDArray[np.uint8]:
        """The boxes with their surroundings, each stretched to a square, (N, size, size, 3)."""
        size, target = self._features.crop_size, self._features.target_side
        crops = np.empty((len(boxes), size, size, 3), np.uint8)
        for crop, (x, y, width, height) in zip(crops, boxes, strict=True):
            across, down = width / target, height / target
            left, top = x + width / 2 - size / 2 * across, y + height / 2 - size / 2 * down
            matrix = np.array(
                [[across, 0.0, left + across / 2 - 0.5], [0.0, down, top + down / 2 - 0.5]]
            )
            cv2.warpAffine(
                self._image, matrix, (size, size), dst=crop,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT, borderValue=self._padding,
            )  # fmt: skip
        return crops


def make_extractor(
    kind: str, network: MdNet, device: str, maps: RegionMaps | None = None
) -> Extractor:
    """The extractor by name: "roi-align" or "crops"; the latter runs on torch."""
    if kind == "crops":
        return CropExtractor(network, device)
    return RoiExtractor(network, device, maps)
