"""CFNet on the trunk of `lite`: the kernel is a correlation filter of the template's features.

Valmadre et al., "End-to-end representation learning for Correlation Filter based tracking", CVPR
2017. The template crop shows as much as the search crop: the filter is solved on all of it, so that
it tells the target from what surrounds it, and its middle 9x9 cells are the kernel (section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.correlation_filter import CorrelationFilter
from visual_tracker.models.geometry import LITE_CFNET
from visual_tracker.models.response_network import ResponseNetwork


class LiteCfNet(ResponseNetwork):
    """CFNet.

    Args:
        channels: width of the features.
    """

    geometry = LITE_CFNET

    def __init__(self, channels: int = 192) -> None:
        super().__init__(channels)
        self.filter = CorrelationFilter((LITE_CFNET.template_size - 1) // LITE_CFNET.stride + 1)
        # Asked to answer 1, the middle of a filter answers .3 to its target some frames later, and
        # .08 to the likest of what surrounds it, before training (siamfc-lite's features, 24
        # videos). Not named as SiamFC's scale and bias, which `--initial` would put here.
        self.threshold = nn.Parameter(torch.tensor(0.15))
        self.log_steepness = nn.Parameter(torch.tensor(30.0).log())

    def filters(self, features: Tensor) -> Tensor:
        """The ridge regression's."""
        filters: Tensor = self.filter(features)
        return filters

    def logits(self, response: Tensor) -> Tensor:
        """How far the filter's answer lies above the threshold."""
        return (response - self.threshold) * self.log_steepness.exp()
