"""SiamFC on the trunk of `lite`: the kernel is the template's features themselves.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016. The trunk is
that of SiamRPN's `lite`; the kernel is the template's middle 7x7 cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.geometry import LITE
from visual_tracker.models.response_network import ResponseNetwork


class LiteSiamFc(ResponseNetwork):
    """SiamFC.

    Args:
        channels: width of the features.
    """

    geometry = LITE

    def __init__(self, channels: int = 192) -> None:
        super().__init__(channels)
        # The paper scales its sums by a fixed 1e-3; ours is learned from about that.
        self.scale = nn.Parameter(torch.tensor(1e-3))
        self.bias = nn.Parameter(torch.zeros(()))

    def filters(self, features: Tensor) -> Tensor:
        """The features as they are."""
        return features

    def logits(self, response: Tensor) -> Tensor:
        """Sums of products, scaled."""
        return response * self.scale + self.bias
