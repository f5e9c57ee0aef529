"""Batches of labelled boxes for the supervised stage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from visual_tracker.adnet.demonstrations import States, backward_states
from visual_tracker.adnet.history import empty_histories, encode_histories
from visual_tracker.adnet.labels import label_boxes
from visual_tracker.boxes import Box, BoxArray
from visual_tracker.online.samplers import Spread, gaussian_boxes
from visual_tracker.training.adnet.recipe import AdnetRecipe


class Batch(NamedTuple):
    """Boxes of one region with what the policy should do with them.

    Attributes:
        boxes: (N, 4) in pixels of the region.
        histories: (N, 110), one-hot.
        actions: int64 (N,).
        classes: int64 (N,).
        teaches_action: bool (N,), False where the target is too far for an action to tell.
    """

    boxes: Tensor
    histories: Tensor
    actions: Tensor
    classes: Tensor
    teaches_action: Tensor


def labelled_boxes(
    truth: BoxArray, size: int, recipe: AdnetRecipe, rng: np.random.Generator
) -> Batch:
    """States by backward actions, and boxes spread around the target, with their labels.

    Args:
        truth: (4,) in pixels of the region.
        size: side of the region.
        recipe: how many and how far.
        rng: of all choices.
    """
    states = training_states(truth, size, recipe, rng)
    labels = label_boxes(states.boxes, truth)
    return Batch(
        torch.from_numpy(states.boxes).float(),
        torch.from_numpy(encode_histories(states.histories)),
        torch.from_numpy(labels.actions),
        torch.from_numpy(labels.classes),
        torch.from_numpy(labels.ious >= recipe.least_iou),
    )


def training_states(
    truth: BoxArray, size: int, recipe: AdnetRecipe, rng: np.random.Generator
) -> States:
    """The states that :func:`labelled_boxes` labels."""
    near = backward_states(truth, recipe.near_boxes, recipe.longest, rng)
    spread = Spread(recipe.spread, recipe.spread_scale)
    count = recipe.random_boxes
    boxes = gaussian_boxes(rng, Box.from_xywh(*truth), count, (size, size), spread)
    return States(
        np.concatenate([near.boxes, boxes]),
        np.concatenate([near.histories, empty_histories(count)]),
    )
