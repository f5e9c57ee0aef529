"""SiamFC on the trunk of `lite`: one response map, no boxes.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016. The trunk, the
neck and the centred 7x7 kernel are those of SiamRPN's `lite`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.correlation import full_correlation
from visual_tracker.models.lite import LiteFeatures, center_window


class LiteSiamFc(LiteFeatures):
    """EfficientNet-Lite0 trunk, joined features, one correlation over all channels.

    Args:
        channels: width of the features.
    """

    def __init__(self, channels: int = 192) -> None:
        super().__init__(channels)
        # The paper scales its sums by a fixed 1e-3; ours is learned from about that.
        self.scale = nn.Parameter(torch.tensor(1e-3))
        self.bias = nn.Parameter(torch.zeros(()))

    def learn(self, image: Tensor) -> Tensor:
        """Turn template crops into kernels (B, channels, 7, 7)."""
        return center_window(self.features(image), self.kernel_size)

    def respond(self, kernel: Tensor, image: Tensor) -> Tensor:
        """Response (B, 1, H, W) of search crops: a logit a cell."""
        return full_correlation(self.features(image), kernel) * self.scale + self.bias

    def forward(self, template_image: Tensor, search_image: Tensor) -> Tensor:
        """Both in one call, for training."""
        return self.respond(self.learn(template_image), search_image)
