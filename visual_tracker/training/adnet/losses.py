"""Losses of the policy (Yun et al., CVPR 2017, sections 4.1 and 4.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class SupervisedLosses(NamedTuple):
    """The sum to minimise and its parts (0-d tensors)."""

    total: Tensor
    action: Tensor
    confidence: Tensor


def supervised_loss(
    action_logits: Tensor,
    class_logits: Tensor,
    actions: Tensor,
    classes: Tensor,
    teaches_action: Tensor,
) -> SupervisedLosses:
    """Softmax cross-entropy on actions and classes (equation 3).

    Target and background weigh the same as groups, or the policy would learn their shares.

    Args:
        action_logits: (N, 11).
        class_logits: (N, 2), background and target.
        actions: int64 (N,).
        classes: int64 (N,), 1 for the target.
        teaches_action: bool (N,), False for boxes too far from the target for an action to tell.
    """
    action = functional.cross_entropy(action_logits, actions, reduction="none")
    action = _mean(action, teaches_action)
    confidence = functional.cross_entropy(class_logits, classes, reduction="none")
    confidence = 0.5 * (_mean(confidence, classes == 1) + _mean(confidence, classes == 0))
    return SupervisedLosses(action + confidence, action, confidence)


def reinforce_loss(action_logits: Tensor, actions: Tensor, rewards: Tensor, clips: int) -> Tensor:
    """What to minimise so that its gradient is that of the expected reward, downwards.

    Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
    learning", 1992; Yun et al., equation 4: every action of a clip gets the clip's reward.

    Args:
        action_logits: (N, 11) of the states met.
        actions: int64 (N,), drawn from those logits' softmax.
        rewards: (N,), of each action's clip, less a baseline if there is one.
        clips: number of clips that the actions come from; their gradients are averaged.

    Returns:
        0-d tensor.
    """
    log_probabilities = -functional.cross_entropy(action_logits, actions, reduction="none")
    return -(rewards * log_probabilities).sum() / clips


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values; 0 if none is chosen."""
    zeros = torch.zeros_like(values)
    return torch.where(chosen, values, zeros).sum() / chosen.sum().clamp(min=1)
