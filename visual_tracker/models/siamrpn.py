"""What every SiamRPN network offers.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018: two
class scores and four deltas for each of the A anchors of a cell.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from visual_tracker.models.geometry import Geometry


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
        logits: background and target, (B, 2, A, H, W).
        deltas: (B, 4, A, H, W), see `visual_tracker.models.anchors`.
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
