"""What every SiamRPN network offers.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018: two
class scores and four deltas for each of the A anchors of a cell.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
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
        logits: background and target, (N, 2, A, H, W); N is B, or more where other templates were
            looked for, too (:meth:`SiamRpnNetwork.forward`).
        deltas: (N, 4, A, H, W), see `visual_tracker.models.anchors`.
        embedding: phi(x), (B, C, ., .); the window of cell (i, j) is ``[i : i + h, j : j + w]``.
    """

    logits: Tensor
    deltas: Tensor
    embedding: Tensor


class PairProposals(NamedTuple):
    """What the network makes of pairs in training: proposals, and what a teacher compares.

    Attributes:
        logits, deltas, embedding: as in :class:`Proposals`.
        template_features: phi(z) of the whole template crop, (B, C, h, w).
        maps: what the network computes on its way, see :meth:`SiamRpnNetwork.explained_answer`.
    """

    logits: Tensor
    deltas: Tensor
    embedding: Tensor
    template_features: Tensor
    maps: list[Tensor]


class PairFeatures(NamedTuple):
    """What the network sees of pairs in training, where nothing is asked of its heads.

    Attributes:
        embedding, template_features: as in :class:`PairProposals`.
    """

    embedding: Tensor
    template_features: Tensor


def with_others(templates: Tensor, others: int) -> Tensor:
    """The templates (B, ...), followed by those of the next, the second next ... pair of the batch.

    Returns:
        ((1 + others) B, ...).
    """
    return torch.cat([templates.roll(-shift, dims=0) for shift in range(others + 1)])


class SiamRpnNetwork(nn.Module):
    """Base of the SiamRPN networks; images are (B, 3, S, S) BGR in 0..255, not normalised."""

    geometry: Geometry

    @abstractmethod
    def kernels(self, features: Tensor) -> Template:
        """Turn phi of template crops into kernels."""

    @abstractmethod
    def trunk_parts(self) -> list[nn.Module]:
        """The trunk's parts in the order in which training releases them: the last first."""

    @abstractmethod
    def features(self, image: Tensor) -> Tensor:
        """Phi of crops (B, C, ., .)."""

    @abstractmethod
    def answer(self, template: Template, features: Tensor) -> Proposals:
        """Find the templates in features (B of each, or one template)."""

    def explained_answer(
        self, template: Template, features: Tensor
    ) -> tuple[Proposals, list[Tensor]]:
        """Find the templates in features; with maps that a teacher has, too, if it is known any."""
        return self.answer(template, features), []

    def learn(self, image: Tensor) -> Template:
        """Turn template crops into kernels."""
        return self.kernels(self.features(image))

    def propose(self, template: Template, image: Tensor) -> Proposals:
        """Find the templates in search crops (B crops and B templates, or one template)."""
        return self.answer(template, self.features(image))

    def forward(
        self,
        template_image: Tensor,
        search_image: Tensor,
        others: int = 0,
        detached_heads: bool = False,
        heads: bool = True,
    ) -> PairProposals | PairFeatures:
        """Both in one call, as training and DistributedDataParallel need it.

        Args:
            template_image: (B, 3, T, T).
            search_image: (B, 3, S, S).
            others: how many other templates of the batch to look for in every search crop, too; the
                answers follow in the order of :func:`with_others`.
            detached_heads: no gradient goes from logits and deltas to the features.
            heads: whether they answer at all; without, the result is features alone.
        """
        own, searched = self.features(template_image), self.features(search_image)
        if not heads:
            return PairFeatures(searched, own)
        given = (own.detach(), searched.detach()) if detached_heads else (own, searched)
        template = Template(*(with_others(part, others) for part in self.kernels(given[0])))
        repeated = given[1].repeat(others + 1, 1, 1, 1)
        answers, maps = self.explained_answer(template, repeated)
        return PairProposals(answers.logits, answers.deltas, searched, own, maps)
