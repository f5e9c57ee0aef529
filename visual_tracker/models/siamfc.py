"""SiamFC on the trunk of `lite`: one response map, no boxes.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016. The trunk, the
neck and the centred 7x7 kernel are those of :class:`visual_tracker.models.siamrpn.LiteSiamRpn`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.correlation import full_correlation
from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import LITE
from visual_tracker.models.siamrpn import Neck, center_window


class LiteSiamFc(nn.Module):
    """EfficientNet-Lite0 trunk, joined features, one correlation over all channels.

    Args:
        channels: width of the features.
    """

    geometry = LITE
    kernel_size = (LITE.kernel_span - 1) // LITE.stride + 1

    def __init__(self, channels: int = 192) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0()
        self.neck = Neck(*EfficientNetLite0.channels, channels)
        # The paper scales its sums by a fixed 1e-3; ours is learned from about that.
        self.scale = nn.Parameter(torch.tensor(1e-3))
        self.bias = nn.Parameter(torch.zeros(()))

    def trunk_parts(self) -> list[nn.Module]:
        """Stages from the last to the first, then the stem."""
        return self.trunk.parts()

    def features(self, image: Tensor) -> Tensor:
        """phi: (B, 3, 16 n + 1, 16 m + 1) BGR in 0..255 to (B, channels, 2 n + 1, 2 m + 1)."""
        result: Tensor = self.neck(*self.trunk(image))
        return result

    def learn(self, image: Tensor) -> Tensor:
        """Turn template crops into kernels (B, channels, 7, 7)."""
        return center_window(self.features(image), self.kernel_size)

    def respond(self, kernel: Tensor, image: Tensor) -> Tensor:
        """Response (B, 1, H, W) of search crops: a logit a cell."""
        return full_correlation(self.features(image), kernel) * self.scale + self.bias

    def forward(self, template_image: Tensor, search_image: Tensor) -> Tensor:
        """Both in one call, for training."""
        return self.respond(self.learn(template_image), search_image)
