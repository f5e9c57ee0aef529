"""What the networks called `lite` share: EfficientNet-Lite0's features of two strides, joined."""

from __future__ import annotations

from torch import Tensor, nn

from visual_tracker.models.efficientnet_lite import WIDE, EfficientNetLite0, Widths


class LiteFeatures(nn.Module):
    """Trunk and neck; a subclass sets the neck, which joins the trunk's two maps.

    Args:
        widths: inside of the trunk.
    """

    neck: nn.Module

    def __init__(self, widths: Widths = WIDE) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0(widths)

    def trunk_parts(self) -> list[nn.Module]:
        """Stages from the last to the first, then the stem."""
        return self.trunk.parts()

    def features(self, image: Tensor) -> Tensor:
        """Phi of (B, 3, 16 n + 1, 16 m + 1) BGR in 0..255, at the neck's stride."""
        result: Tensor = self.neck(*self.trunk(image))
        return result
