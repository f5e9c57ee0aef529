"""An image region as the policy sees it: encoded once, asked about any number of boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visual_tracker.adnet.actions import IntArray
from visual_tracker.adnet.episode import Outputs
from visual_tracker.adnet.history import encode_histories
from visual_tracker.adnet.regions import boxes_in
from visual_tracker.boxes import BoxArray
from visual_tracker.crops import CropFrame, take_crop
from visual_tracker.images import Image
from visual_tracker.models.adnet import PolicyHead, PolicyNetwork
from visual_tracker.models.head_arrays import PolicyArrays
from visual_tracker.models.mdnet import RegionFeatures
from visual_tracker.models.region_maps import RegionMaps, TorchMaps
from visual_tracker.timing import NETWORK, timed


class EncodedRegion:
    """A region of one image.

    Args:
        network: encodes and describes.
        image: BGR uint8 (height, width, 3).
        frame: the region; its side of the form 16 n + 1.
        padding: colour (B, G, R) beyond the image's border.
        device: of torch.
        maps: of the network; it runs on torch where they are not given.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        image: Image,
        frame: CropFrame,
        padding: NDArray[np.float64],
        device: str = "cpu",
        maps: RegionMaps | None = None,
    ) -> None:
        self.frame = frame
        self._network = network
        self._device = device
        maps = maps or TorchMaps(network, device)
        encoded, *others = maps(take_crop(image, frame, padding))
        self._encoded, self._maps = encoded, tuple(others)

    @timed(NETWORK)
    def features(self, boxes: BoxArray) -> Tensor:
        """Features (N, F) of boxes (N, 4) in pixels of the image, for the policy."""
        with torch.no_grad():
            return self._network.describe(self._encoded, self._inside(boxes))

    @timed(NETWORK)
    def pooled(self, features: RegionFeatures, boxes: BoxArray) -> Tensor:
        """Features (N, C, P, P) of boxes (N, 4) in pixels of the image, for MDNet's classifier.

        Args:
            features: with the same convolutions as the policy's network.
            boxes: (N, 4).
        """
        with torch.no_grad():
            return features.pool(self._maps, self._inside(boxes))

    @timed(NETWORK)
    def pooled_one(self, features: RegionFeatures, box: NDArray[np.float64]) -> NDArray[np.float32]:
        """:meth:`pooled` of one box (4,) on the CPU, (C, P, P)."""
        return features.pool_one(self._maps, boxes_in(self.frame, box))

    def policy_of_one(self, head: PolicyArrays) -> Callable[[BoxArray, IntArray], Outputs]:
        """The policy of a head in this region on the CPU, for one box at a time."""

        def ask(boxes: BoxArray, histories: IntArray) -> Outputs:
            return head(self._features_of_one(boxes[0]), histories[0])

        return ask

    @timed(NETWORK)
    def _features_of_one(self, box: NDArray[np.float64]) -> NDArray[np.float32]:
        return self._network.describe_one(self._encoded, boxes_in(self.frame, box))

    def _inside(self, boxes: BoxArray) -> Tensor:
        return torch.from_numpy(boxes_in(self.frame, boxes)).float().to(self._device)

    def policy(
        self, head: PolicyHead, seen: list[Tensor] | None = None
    ) -> Callable[[BoxArray, IntArray], Outputs]:
        """The policy of a head in this region.

        Args:
            head: in eval mode, or its answers are random.
            seen: gets the features of every call, in order.
        """

        def ask(boxes: BoxArray, histories: IntArray) -> Outputs:
            features = self.features(boxes)
            if seen is not None:
                seen.append(features)
            return head_outputs(head, features, histories)

        return ask


@timed(NETWORK)
def head_outputs(head: PolicyHead, features: Tensor, histories: IntArray) -> Outputs:
    """What a head says of features (N, F) and histories (N, 10), as probabilities."""
    codes = torch.from_numpy(encode_histories(histories)).to(features.device)
    with torch.no_grad():
        actions, classes = head(features, codes)
        probabilities = actions.softmax(dim=1).double().cpu().numpy()
        return Outputs(probabilities, classes.softmax(dim=1)[:, 1].double().cpu().numpy())
