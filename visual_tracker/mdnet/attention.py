"""Attention maps and their regularisation R (reciprocative learning).

Pu, Song, Ma, Zhang and Yang, "Deep Attentive Tracking via Reciprocative Learning", NeurIPS 2018,
section 3. The map of a class is the gradient of its score by the input, its positive part; here
the input is the candidate's regional features, summed over channels, since the trunk is frozen and
its features are what online training starts from.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: keeps the quotients finite where a map is even or empty
EPSILON = 1e-6


def attention_maps(scores: Tensor, inputs: Tensor) -> Tensor:
    """A_c = the positive part of d f_c / d I, differentiable.

    Args:
        scores: f_c of one class, (N,), each of its own input.
        inputs: I, (N, C, H, W), on which gradients are recorded.

    Returns:
        (N, H, W).
    """
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return gradient.clamp(min=0).sum(dim=1)


def regularization(target: Tensor, background: Tensor, positive: Tensor) -> Tensor:
    """R of each sample: low where the map of its own class is high and even.

    For a positive sample R = sigma(A_p) / mu(A_p) + mu(A_n) / sigma(A_n), A_p the map of the
    target's score and A_n that of the background's; for a negative one the two change places.

    Args:
        target: A_p, (N, H, W).
        background: A_n, (N, H, W).
        positive: (N,) bool.

    Returns:
        (N,).
    """
    target_mean, target_deviation = _moments(target)
    background_mean, background_deviation = _moments(background)
    of_positive = target_deviation / target_mean + background_mean / background_deviation
    of_negative = background_deviation / background_mean + target_mean / target_deviation
    return torch.where(positive, of_positive, of_negative)


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    values = maps.flatten(1)
    mean = values.mean(dim=1)
    # the square root has no slope at zero, so the constant goes under it
    deviation = (values.var(dim=1, unbiased=False) + EPSILON**2).sqrt()
    return mean + EPSILON, deviation
