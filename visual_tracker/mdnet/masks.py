"""VITAL: a generator of masks on a positive's features, and the cost-sensitive loss.

Song et al., "VITAL: VIsual Tracking via Adversarial Learning", CVPR 2018, sections 3.2 and 3.3. The
generator G learns which cells of a sample the classifier D leans on; D then learns from positives
without them, and so comes to use the rest. While tracking nothing is masked.

The paper's objective has a term E[log(1 - D(G(C) C))] beside ||G(C) - M||^2, in which the first
pulls G to where D is fooled. M is that place already, found by trying every mask, so G is trained
on the second alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

#: width of the generator's inner layer (section 4.1)
HIDDEN = 256


class MaskGenerator(nn.Module):
    """G: how much of each cell to keep, (N, 1, P, P) in 0..1, of features (N, C, P, P).

    Args:
        channels: C.
        bins: P.
        seed: of its start.
    """

    def __init__(self, channels: int, bins: int, seed: int = 0) -> None:
        super().__init__()
        self._bins = bins
        self.layers = nn.Sequential(
            nn.Conv2d(channels, HIDDEN, 3, padding=1), nn.ReLU(), nn.Conv2d(HIDDEN, 1, 1)
        )
        generator = torch.Generator().manual_seed(seed)
        for layer in (self.layers[0], self.layers[2]):
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """G(C)."""
        return torch.sigmoid(self.layers(features))

    @torch.no_grad()
    def mask(self, features: Tensor) -> Tensor:
        """The mask that hides the cell which G wants kept least, (N, 1, P, P) of 0 and 1."""
        lowest = self(features).flatten(1).argmin(dim=1)
        return single_cell_masks(self._bins, features)[lowest]

    @torch.no_grad()
    def worst_mask(self, features: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
        """M: for each sample the mask of one hidden cell under which its score is lowest.

        Args:
            features: (N, C, P, P).
            score: D's score (M,) of features (M, C, P, P).

        Returns:
            (N, 1, P, P) of 0 and 1.
        """
        masks = single_cell_masks(self._bins, features)
        tried = features[:, None] * masks[None]
        scores = score(tried.flatten(0, 1)).reshape(len(features), len(masks))
        return masks[scores.argmin(dim=1)]


def single_cell_masks(bins: int, like: Tensor) -> Tensor:
    """All masks that hide one of bins x bins cells, (bins^2, 1, bins, bins), of `like`'s kind."""
    cells = bins * bins
    hidden = torch.eye(cells, device=like.device, dtype=like.dtype)
    return (1 - hidden).reshape(cells, 1, bins, bins)


def cost_sensitive_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in which a sample counts by how wrong it is: the mean of (1 - p) (-log p).

    p is the probability of the sample's own class; easy negatives, which are many, count little.

    Args:
        logits: (N, 2).
        labels: (N,) of 0 and 1.
    """
    log_likelihood = -functional.cross_entropy(logits, labels, reduction="none")
    return ((1 - log_likelihood.exp()) * -log_likelihood).mean()
