"""Losses of the Siamese networks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import NEGATIVE, POSITIVE


class Losses(NamedTuple):
    """The sum to minimise and its parts (0-d tensors)."""

    total: Tensor
    classification: Tensor
    location: Tensor
    distillation: Tensor


def choose(eligible: Tensor, rank: Tensor, count: int) -> Tensor:
    """Mark the `count` highest-ranking eligible entries of each row.

    Args:
        eligible: bool (B, N).
        rank: float (B, N).
        count: most entries a row.

    Returns:
        bool (B, N); fewer entries where fewer are eligible.
    """
    count = min(count, eligible.shape[1])
    masked = rank.masked_fill(~eligible, -torch.inf)
    best = masked.topk(count, dim=1).indices
    return torch.zeros_like(eligible).scatter_(1, best, True) & eligible


def balanced_samples(
    labels: Tensor, loss: Tensor, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose the anchors that count.

    Positives at random, up to `recipe.positives` a pair; negatives up to `recipe.negatives`, a
    share of them (`recipe.hard_negatives`) those with the highest loss, the rest at random.

    Args:
        labels: int8 (B, N).
        loss: float (B, N), of each anchor.
        recipe: the numbers.
        generator: of the random choice, on the CPU, so that every device draws the same.

    Returns:
        Two bool (B, N): the positives and the negatives that count.
    """
    rank = torch.rand(labels.shape, generator=generator).to(loss.device)
    positives = choose(labels == POSITIVE, rank, recipe.positives)
    negative = labels == NEGATIVE
    hard = round(recipe.negatives * recipe.hard_negatives)
    hardest = choose(negative, loss.detach().float(), hard)
    others = choose(negative & ~hardest, rank, recipe.negatives - hard)
    return positives, hardest | others


def mean_of_chosen(values: Tensor, chosen: Tensor, dim: int | None = None) -> Tensor:
    """Mean of the chosen values, of all or along a dimension; 0 where none is chosen."""
    return (values * chosen).sum(dim=dim) / chosen.sum(dim=dim).clamp(min=1)


def siamrpn_loss(
    logits: Tensor,
    deltas: Tensor,
    labels: Tensor,
    true_deltas: Tensor,
    recipe: Recipe,
    generator: torch.Generator,
) -> Losses:
    """Softmax cross-entropy on balanced anchors and smooth L1 on the positive ones.

    Li et al., CVPR 2018, section 3.3. Positives and negatives weigh the same as groups; smooth L1
    is summed over the four deltas and averaged over anchors.

    Args:
        logits: (B, 2, 5, H, W).
        deltas: (B, 4, 5, H, W).
        labels: int8 (B, 5, H, W).
        true_deltas: (B, 4, 5, H, W).
        recipe: weights and numbers.
        generator: of the random choice of anchors.
    """
    batch = labels.shape[0]
    labels = labels.reshape(batch, -1)
    entropy = functional.cross_entropy(
        logits.float().reshape(batch, 2, -1), labels.clamp(min=0).long(), reduction="none"
    )
    positives, negatives = balanced_samples(labels, entropy, recipe, generator)
    classification = 0.5 * (mean_of_chosen(entropy, positives) + mean_of_chosen(entropy, negatives))
    distance = functional.smooth_l1_loss(
        deltas.float(), true_deltas, reduction="none", beta=recipe.smooth_l1_beta
    )
    location = mean_of_chosen(distance.sum(dim=1).reshape(batch, -1), positives)
    total = classification + recipe.location_weight * location
    return Losses(total, classification, location, torch.zeros_like(total))


def response_loss(response: Tensor, labels: Tensor) -> Losses:
    """Logistic loss log(1 + exp(-y v)) with both classes weighing the same in each pair.

    Bertinetto et al., 2016, section 2.2.

    Args:
        response: (B, 1, H, W).
        labels: int8 (B, 1, H, W), POSITIVE or NEGATIVE.
    """
    batch = labels.shape[0]
    positive = (labels == POSITIVE).reshape(batch, -1).float()
    values = response.float().reshape(batch, -1)
    loss = functional.softplus(torch.where(positive > 0, -values, values))
    has_target = positive.amax(dim=1, keepdim=True)
    weights = 0.5 * positive / positive.sum(dim=1, keepdim=True).clamp(min=1) + (
        1 - 0.5 * has_target
    ) * (1 - positive) / (1 - positive).sum(dim=1, keepdim=True)
    total = (loss * weights).sum(dim=1).mean()
    return Losses(total, total, torch.zeros_like(total), torch.zeros_like(total))
