"""What a target's policy learns on line: the fully connected layers, from boxes of past frames.

Yun et al., CVPR 2017, section 4.3. Samples hold the features of a box and as label the best action
there, or `NO_ACTION` where the box is too far from the target for an action to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visual_tracker.adnet.history import SIZE
from visual_tracker.adnet.labels import TARGET_IOU, label_boxes
from visual_tracker.boxes import Box, BoxArray
from visual_tracker.models.adnet import PolicyHead
from visual_tracker.online.bank import Samples
from visual_tracker.online.samplers import (
    Spread,
    draw_overlapping,
    gaussian_boxes,
    uniform_boxes,
)

#: label of a box that teaches no action
NO_ACTION = -1

#: around the target, for samples that show it: translation in mean sides, scale as power of 1.05
POSITIVE_SPREAD = Spread(0.12, 1.5)

#: around the target, for samples beside it; evenly. Without much smaller and larger boxes among
#: them a part of the target was taken for all of it, and the box shrank from frame to frame.
NEGATIVE_SPREAD = Spread(1.0, 14.0)

#: boxes that overlap the target more are no negative samples
NEGATIVE_IOU = 0.5

#: boxes that overlap the target less teach no action
LEAST_IOU = 0.3


class Drawn(NamedTuple):
    """Boxes to learn from, with the best action of each.

    Attributes:
        positives: (P, 4), those that show the target.
        positive_actions: (P,).
        negatives: (N, 4).
        negative_actions: (N,), NO_ACTION where the target is far.
    """

    positives: BoxArray
    positive_actions: np.ndarray
    negatives: BoxArray
    negative_actions: np.ndarray


def draw_boxes(
    rng: np.random.Generator,
    box: Box,
    positives: int,
    negatives: int,
    image_size: tuple[int, int],
) -> Drawn:
    """Draw boxes around a target.

    Args:
        rng: of all choices.
        box: the target.
        positives: boxes with an IoU of .7 or more, the target's own first; fewer if so few turn up.
        negatives: boxes with an IoU of .5 or less; likewise.
        image_size: width and height in pixels.
    """
    shown = draw_overlapping(
        lambda count: gaussian_boxes(rng, box, count, image_size, POSITIVE_SPREAD),
        box, positives - 1, TARGET_IOU, 1.0,
    )  # fmt: skip
    beside = draw_overlapping(
        lambda count: uniform_boxes(rng, box, count, image_size, NEGATIVE_SPREAD),
        box, negatives, 0.0, NEGATIVE_IOU,
    )  # fmt: skip
    truth = np.array(box.xywh)
    shown = np.concatenate([truth[None], shown])
    near, far = label_boxes(shown, truth), label_boxes(beside, truth)
    actions = np.where(far.ious >= LEAST_IOU, far.actions, NO_ACTION)
    return Drawn(shown, near.actions, beside, actions)


def samples_of(drawn: Drawn, describe: Callable[[BoxArray], Tensor]) -> tuple[Samples, Samples]:
    """Positive and negative samples of drawn boxes.

    Args:
        drawn: the boxes.
        describe: boxes (N, 4) to features (N, F).
    """
    features = describe(np.concatenate([drawn.positives, drawn.negatives]))
    count = len(drawn.positives)
    labels = [
        torch.from_numpy(actions).to(features.device)
        for actions in (drawn.positive_actions, drawn.negative_actions)
    ]
    return Samples(features[:count], labels[0]), Samples(features[count:], labels[1])


class PolicyObjective:
    """Cross-entropies of actions and of target against background.

    The history of a sample is empty: what actions led to it is not known.

    Args:
        head: whose answers are judged.
    """

    def __init__(self, head: PolicyHead) -> None:
        self._head = head

    def score(self, features: Tensor) -> Tensor:
        """Target's logit less the background's, (N,)."""
        _, classes = self._answer(features)
        return classes[:, 1] - classes[:, 0]

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        """The sum of both losses, and the scores of the negatives."""
        features = torch.cat([positives.features, negatives.features])
        labels = torch.cat([positives.labels, negatives.labels])
        actions, classes = self._answer(features)
        truth = torch.zeros_like(labels)
        truth[: len(positives)] = 1
        loss = functional.cross_entropy(classes, truth)
        if bool((labels != NO_ACTION).any()):
            loss = loss + functional.cross_entropy(actions, labels, ignore_index=NO_ACTION)
        return loss, classes[len(positives) :, 1] - classes[len(positives) :, 0]

    def _answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        actions, classes = self._head(features, features.new_zeros(len(features), SIZE))
        return actions, classes
