"""One look at an image region for the policy and for the classifier that judges its boxes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from visual_tracker.adnet.regions import CONTEXT, PATCH
from visual_tracker.boxes import Box, BoxArray
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image
from visual_tracker.mdnet.extraction import Extractor
from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.models.mdnet import MdNet
from visual_tracker.models.policy_regions import EncodedRegion
from visual_tracker.models.region_maps import RegionMaps, TorchMaps


class PolicyExtractor(Extractor):
    """Features for MDNet's classifier from the region that the policy moves its box in.

    Args:
        policy: its convolutions are run, once a region.
        network: whose classifier judges; its `features` must have the same convolutions.
        sides: of a region, in mean sides of the target, where no other is asked for.
        resolution: scale at which regions are looked at.
        padding: colour (B, G, R) beyond the image's border.
        device: torch device.
        maps: of `policy`; it runs on torch where they are not given.
    """

    encoded: EncodedRegion

    def __init__(
        self,
        policy: PolicyNetwork,
        network: MdNet,
        sides: float,
        resolution: float,
        padding: NDArray[np.float64],
        device: str,
        maps: RegionMaps | None = None,
    ) -> None:
        super().__init__(network, device)
        self._policy = policy
        self._maps = maps or TorchMaps(policy, device)
        self._sides, self._resolution = sides, resolution
        self._padding = padding

    def region(self, box: Box, zoom: float = 1.0) -> CropFrame:
        """The region of so many sides around a box."""
        return region_of(box, self._sides, self._resolution, zoom)

    def look(self, image: Image, frame: CropFrame) -> None:
        """Encode the region."""
        self.encoded = EncodedRegion(
            self._policy, image, frame, self._padding, self._device, self._maps
        )

    def extract(self, boxes: BoxArray) -> Tensor:
        """RoIAlign on the region's maps."""
        return self.encoded.pooled(self._features, boxes)

    def extract_one(self, box: NDArray[np.float64]) -> NDArray[np.float32]:
        """The same in NumPy."""
        return self.encoded.pooled_one(self._features, box)


def region_of(box: Box, sides: float, resolution: float, zoom: float = 1.0) -> CropFrame:
    """The region around a box, of its shape: the box with its context, and as much beside it.

    Args:
        box: the target; with its context it has PATCH pixels a mean side at resolution 1.
        sides: of the region around a square target, in sides of it, at zoom 1.
        resolution: scale at which it is looked at; 1 is what the policy learned at.
        zoom: how much larger it is shown.
    """
    mean = math.sqrt(box.area)
    beside = sides - CONTEXT
    width, height = (
        region_size(CONTEXT * side / mean + beside, resolution) for side in (box.width, box.height)
    )
    pixel = CONTEXT * mean / (PATCH * resolution * zoom)
    return CropFrame(*box.center, pixel, width, height)


def region_size(sides: float, resolution: float) -> int:
    """Pixels, of the form 16 n + 1, of so many mean sides of the target."""
    return 16 * max(1, round(sides * resolution * PATCH / CONTEXT / 16)) + 1
