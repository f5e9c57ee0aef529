"""`lite`: our small SiamRPN on an EfficientNet-Lite0 trunk, and what every SiamRPN network offers.

The head follows SiamRPN++ (Li et al., CVPR 2019): depthwise cross-correlation, then a
tower of convolutions to two class scores and four deltas for each of the five anchors of SiamRPN.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from visual_tracker.models.anchors import RATIOS
from visual_tracker.models.correlation import DepthwiseConv2d, depthwise_correlation
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.lite import LiteFeatures, center_window

ANCHORS = len(RATIOS)

TOWER_LAYERS = 2
TOWER_KERNEL = 5


class Template(NamedTuple):
    """What the network keeps of a template crop.

    Attributes:
        classification: kernel of the classification branch, (B, ., h, w).
        regression: kernel of the regression branch, (B, ., h, w).
        embedding: phi(z), features comparable with windows of a search crop's, (B, C, h, w).
    """

    classification: Tensor
    regression: Tensor
    embedding: Tensor


class Proposals(NamedTuple):
    """What the network makes of a search crop.

    Attributes:
        logits: background and target, (B, 2, 5, H, W).
        deltas: (B, 4, 5, H, W), see `visual_tracker.models.anchors`.
        embedding: phi(x); the window of cell (i, j) is ``[i : i + h, j : j + w]``.
    """

    logits: Tensor
    deltas: Tensor
    embedding: Tensor


class SiamRpnNetwork(nn.Module):
    """Base of the SiamRPN networks; images are (B, 3, S, S) BGR in 0..255, not normalised."""

    geometry: Geometry

    @abstractmethod
    def learn(self, image: Tensor) -> Template:
        """Turn template crops into kernels."""

    @abstractmethod
    def trunk_parts(self) -> list[nn.Module]:
        """The trunk's parts in the order in which training releases them: the last first."""

    @abstractmethod
    def propose(self, template: Template, image: Tensor) -> Proposals:
        """Find the templates in search crops (B crops and B templates, or one template)."""

    def forward(self, template_image: Tensor, search_image: Tensor) -> Proposals:
        """Both in one call, as training and DistributedDataParallel need it."""
        return self.propose(self.learn(template_image), search_image)


def _separable(channels: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        DepthwiseConv2d(channels, kernel, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


class DepthwiseHead(nn.Module):
    """One branch: features of both sides, their correlation, and a tower of convolutions on it.

    A template window spans 49 pixels, a target about 64: the tower's 5x5 layers let a cell see the
    target's edges (SiamRPN++ has 1x1 convolutions only).
    """

    def __init__(self, channels: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel_size = kernel
        self.kernel = _separable(channels)
        self.search = _separable(channels)
        self.norm = nn.BatchNorm2d(channels)
        tower = [_separable(channels, TOWER_KERNEL) for _ in range(TOWER_LAYERS)]
        self.head = nn.Sequential(*tower, nn.Conv2d(channels, outputs, 1))

    def learn(self, features: Tensor) -> Tensor:
        """Kernel of template features."""
        return center_window(self.kernel(features), self.kernel_size)

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """Outputs of search features."""
        result: Tensor = self.head(self.norm(depthwise_correlation(self.search(features), kernel)))
        return result


class LiteSiamRpn(LiteFeatures, SiamRpnNetwork):
    """EfficientNet-Lite0 trunk, joined features, two depthwise heads.

    Args:
        channels: width of neck and heads.
    """

    def __init__(self, channels: int = 192) -> None:
        super().__init__(channels)
        self.classification = DepthwiseHead(channels, 2 * ANCHORS, self.kernel_size)
        self.regression = DepthwiseHead(channels, 4 * ANCHORS, self.kernel_size)

    def learn(self, image: Tensor) -> Template:
        """Turn template crops into kernels."""
        features = self.features(image)
        return Template(
            self.classification.learn(features),
            self.regression.learn(features),
            center_window(features, self.kernel_size),
        )

    def propose(self, template: Template, image: Tensor) -> Proposals:
        """Find the templates in search crops."""
        features = self.features(image)
        logits = self.classification(template.classification, features)
        deltas = self.regression(template.regression, features)
        rows, columns = logits.shape[2:]
        return Proposals(
            logits.view(-1, 2, ANCHORS, rows, columns),
            deltas.view(-1, 4, ANCHORS, rows, columns),
            features,
        )
