"""What MDNet's fully connected layers learn on line: the loss, plain and with its two additions.

Attention: Pu et al., "Deep Attentive Tracking via Reciprocative Learning", NeurIPS 2018.
Adversarial: Song et al., "VITAL: VIsual Tracking via Adversarial Learning", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.mdnet.attention import attention_maps, regularization
from visual_tracker.mdnet.masks import MaskGenerator, cost_sensitive_loss
from visual_tracker.models.mdnet import Classifier
from visual_tracker.online.bank import Samples
from visual_tracker.online.mining import Rounds


class CrossEntropy:
    """Softmax cross-entropy: target against background (MDNet, section 3.2).

    Args:
        classifier: what learns.
        target: which of its targets.
    """

    def __init__(self, classifier: Classifier, target: int = 0) -> None:
        self._classifier = classifier
        self._target = target

    def score(self, features: Tensor) -> Tensor:
        """Margin of the target's logit, (N,)."""
        return self._classifier.margin(features, self._target)

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        """Mean over the batch, and the margins of the negatives."""
        features = torch.cat([positives.features, negatives.features])
        logits = self._classifier(features, self._target)
        labels = torch.cat([positives.labels, negatives.labels])
        margins = (logits[:, 1] - logits[:, 0])[len(positives) :]
        return functional.cross_entropy(logits, labels), margins


class Reciprocative(CrossEntropy):
    """Cross-entropy plus `weight` times the mean of R (attention regularisation).

    Args:
        classifier: what learns.
        weight: lambda, 5 in the paper.
    """

    def __init__(self, classifier: Classifier, weight: float = 5.0) -> None:
        super().__init__(classifier)
        self._weight = weight

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        """Needs a second derivative: the maps are gradients, and they are what is trained."""
        features = torch.cat([positives.features, negatives.features]).detach().requires_grad_(True)
        labels = torch.cat([positives.labels, negatives.labels])
        logits = self._classifier(features)
        target = attention_maps(logits[:, 1], features)
        background = attention_maps(logits[:, 0], features)
        terms = regularization(target, background, labels == 1)
        loss = functional.cross_entropy(logits, labels) + self._weight * terms.mean()
        return loss, (logits[:, 1] - logits[:, 0])[len(positives) :]


class Adversarial(CrossEntropy):
    """VITAL: positives are shown with the cell hidden that the generator expects to hurt most.

    Until :meth:`warm_up` the generator has no say: D learns the first frame whole.

    Args:
        classifier: D, what learns.
        generator: G.
        rate: G's learning rate.
    """

    def __init__(self, classifier: Classifier, generator: MaskGenerator, rate: float) -> None:
        super().__init__(classifier)
        self._generator = generator
        self._optimizer = torch.optim.SGD(generator.parameters(), lr=rate, momentum=0.9)
        self._warm = False

    def warm_up(self, features: Tensor, steps: int, batch: int, generator: torch.Generator) -> None:
        """Train G alone.

        Args:
            features: positives (N, C, P, P).
            steps: how many.
            batch: positives a step.
            generator: all the randomness there is.
        """
        rounds = Rounds(len(features), generator)
        for _ in range(steps):
            self._train_generator(features[rounds.draw(batch).to(features.device)])
        self._warm = True

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        """One step of G towards the mask that hurts D most, and D's loss under G's mask."""
        shown = positives.features
        if self._warm:
            self._train_generator(shown)
            shown = shown * self._generator.mask(shown)
        logits = self._classifier(torch.cat([shown, negatives.features]))
        labels = torch.cat([positives.labels, negatives.labels])
        return cost_sensitive_loss(logits, labels), (logits[:, 1] - logits[:, 0])[len(positives) :]

    def _train_generator(self, features: Tensor) -> None:
        with _evaluating(self._classifier):
            goal = self._generator.worst_mask(features, self._classifier.margin)
        loss = functional.mse_loss(self._generator(features), goal)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._generator.parameters(), 10.0)
        self._optimizer.step()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Without drop-out, which would tell masks apart that do the same."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
