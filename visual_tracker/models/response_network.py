"""What SiamFC and CFNet share on the trunk of `lite`: a response map of stride 8, no boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.correlation import center_window, full_correlation
from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import Geometry
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


class ResponseNetwork(LiteFeatures, ABC):
    """EfficientNet-Lite0 trunk, joined features, one correlation over all channels.

    A subclass says what is made of a template's features, and what a response means.

    Args:
        channels: width of the features.
    """

    geometry: ClassVar[Geometry]

    def __init__(self, channels: int = 192) -> None:
        super().__init__()
        self.neck = Neck(*EfficientNetLite0.channels, channels)

    @property
    def kernel_size(self) -> int:
        """Cells a side of the template's kernel."""
        return (self.geometry.kernel_span - 1) // self.geometry.stride + 1

    def learn(self, image: Tensor) -> Tensor:
        """Turn template crops into kernels (B, channels, kernel_size, kernel_size)."""
        return center_window(self.filters(self.features(image)), self.kernel_size)

    def respond(self, kernel: Tensor, image: Tensor) -> Tensor:
        """Response (B, 1, H, W) of search crops: a logit a cell."""
        return self.logits(full_correlation(self.features(image), kernel))

    def forward(self, template_image: Tensor, search_image: Tensor) -> Tensor:
        """Both in one call, for training."""
        return self.respond(self.learn(template_image), search_image)

    @abstractmethod
    def filters(self, features: Tensor) -> Tensor:
        """What search features are correlated with, of a template's; the target in the middle."""

    @abstractmethod
    def logits(self, response: Tensor) -> Tensor:
        """Logits of what the correlation gives."""
