"""What the networks called `lite` share: EfficientNet-Lite0's features of two strides, joined."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import LITE


def center_window(features: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` cells of (B, C, H, W)."""
    top = (features.shape[2] - size) // 2
    left = (features.shape[3] - size) // 2
    return features[:, :, top : top + size, left : left + size]


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


class LiteFeatures(nn.Module):
    """Trunk and neck.

    Args:
        channels: width of the features.
    """

    geometry = LITE
    #: cells a side of the template's kernel
    kernel_size = (LITE.kernel_span - 1) // LITE.stride + 1

    def __init__(self, channels: int = 192) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0()
        self.neck = Neck(*EfficientNetLite0.channels, channels)

    def trunk_parts(self) -> list[nn.Module]:
        """Stages from the last to the first, then the stem."""
        return self.trunk.parts()

    def features(self, image: Tensor) -> Tensor:
        """phi: (B, 3, 16 n + 1, 16 m + 1) BGR in 0..255 to (B, channels, 2 n + 1, 2 m + 1)."""
        result: Tensor = self.neck(*self.trunk(image))
        return result
