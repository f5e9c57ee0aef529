"""SiamFC on the trunk of `lite`: one response map of stride 8, no boxes.

Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016. The trunk is
that of SiamRPN's `lite`; the kernel is the template's middle 7x7 cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.correlation import center_window, full_correlation
from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import LITE
from visual_tracker.models.lite import LiteFeatures


class Neck(nn.Module):
    """Features of strides 8 and 16 joined at stride 8.

    The coarse map is enlarged with aligned corners, which is exact for the centred grids.
    """

    def __init__(self, fine: int, coarse: int, channels: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(fine, channels, 1, bias=False)
        self.coarse = nn.Conv2d(coarse, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Join (B, fine, H, W) and (B, coarse, h, w) to (B, channels, H, W)."""
        enlarged = functional.interpolate(
            self.coarse(coarse), size=fine.shape[2:], mode="bilinear", align_corners=True
        )
        joined: Tensor = self.norm(self.fine(fine) + enlarged)
        return joined


class LiteSiamFc(LiteFeatures):
    """EfficientNet-Lite0 trunk, joined features, one correlation over all channels.

    Args:
        channels: width of the features.
    """

    geometry = LITE
    #: cells a side of the template's kernel
    kernel_size = (LITE.kernel_span - 1) // LITE.stride + 1

    def __init__(self, channels: int = 192) -> None:
        super().__init__()
        self.neck = Neck(*EfficientNetLite0.channels, channels)
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
