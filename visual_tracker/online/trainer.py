"""Training of a tracker's last layers between frames, in slices.

The batches are MDNet's (section 3.3): some positives, and the hardest of many negatives; stochastic
gradient descent with momentum. A tracker starts an update with :meth:`OnlineTrainer.start` and then
runs as many steps a frame as its stream allows; a step is the unit that is never cut, so results
do not depend on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from visual_tracker.online.bank import Samples
from visual_tracker.online.mining import HardNegatives, Rounds


class Objective(Protocol):
    """What a tracker learns on line."""

    def score(self, features: Tensor) -> Tensor:
        """Scores (N,) of features, high where they look like the target; for mining."""

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and the scores (N,) of its negatives, which are remembered."""


@dataclass(frozen=True, slots=True)
class OnlineSettings:
    """How a batch is made and a step is taken; the defaults are MDNet's.

    Attributes:
        positives: a batch.
        negatives: a batch.
        pool: random negatives of which the hardest make the batch.
        momentum: of the gradient descent.
        weight_decay: likewise.
        clip: largest norm of the gradient.
    """

    positives: int = 32
    negatives: int = 96
    pool: int = 1024
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 10.0


@dataclass(slots=True)
class _Update:
    """An update under way."""

    positives: Samples
    negatives: Samples
    positive_rounds: Rounds
    hard: HardNegatives
    optimizer: torch.optim.Optimizer
    steps_left: int


class OnlineTrainer:
    """Trains on samples, a few steps at a time.

    Args:
        groups: parameters, each with the factor on the learning rate.
        objective: scores and loss.
        settings: of batches and steps.
        generator: all the randomness there is (CPU).
        prepare: called before each slice with True and after it with False; switches drop-out.
    """

    def __init__(
        self,
        groups: Iterable[tuple[Iterable[nn.Parameter], float]],
        objective: Objective,
        settings: OnlineSettings,
        generator: torch.Generator,
        prepare: Callable[[bool], object] | None = None,
    ) -> None:
        self._groups = [(list(parameters), factor) for parameters, factor in groups]
        self._objective = objective
        self.settings = settings
        self._generator = generator
        self._prepare = prepare
        self._update: _Update | None = None

    @property
    def steps_left(self) -> int:
        """Steps of the update under way, 0 if none is."""
        return 0 if self._update is None else self._update.steps_left

    def start(self, positives: Samples, negatives: Samples, steps: int, rate: float) -> None:
        """Begin an update; one that is under way is dropped.

        Args:
            positives: to draw from, at least one.
            negatives: to draw from, at least one.
            steps: how many.
            rate: learning rate of groups with factor 1.

        Raises:
            ValueError: if there are no positives or no negatives.
        """
        if not len(positives) or not len(negatives):
            raise ValueError("an update needs positives and negatives")

        @torch.no_grad()
        def score(indices: Tensor) -> Tensor:
            self._switch(False)
            scores = self._objective.score(_picked(negatives, indices).features)
            self._switch(True)
            return scores

        groups = [{"params": p, "lr": rate * factor} for p, factor in self._groups]
        self._update = _Update(
            positives,
            negatives,
            Rounds(len(positives), self._generator),
            HardNegatives(len(negatives), score, self.settings.pool, self._generator),
            torch.optim.SGD(
                groups, momentum=self.settings.momentum, weight_decay=self.settings.weight_decay
            ),
            steps,
        )

    def run(self, steps: int | None = None) -> list[float]:
        """Take up to `steps` steps (None: all that are left) of the update under way.

        Returns:
            The loss of each step taken; empty if no update is under way.
        """
        losses: list[float] = []
        if self._update is None:
            return losses
        self._switch(True)
        try:
            with torch.enable_grad():
                while self._update is not None and (steps is None or len(losses) < steps):
                    losses.append(self._step(self._update))
        finally:
            self._switch(False)
        return losses

    def _switch(self, training: bool) -> None:
        if self._prepare is not None:
            self._prepare(training)

    def _step(self, update: _Update) -> float:
        chosen = update.positive_rounds.draw(self.settings.positives)
        hard = update.hard.draw(self.settings.negatives)
        loss, scores = self._objective.loss(
            _picked(update.positives, chosen), _picked(update.negatives, hard)
        )
        update.hard.remember(hard, scores)
        update.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for parameters, _ in self._groups for p in parameters]
        nn.utils.clip_grad_norm_(parameters, self.settings.clip)
        update.optimizer.step()
        update.steps_left -= 1
        if update.steps_left <= 0:
            self._update = None
        return float(loss.detach())


def _picked(samples: Samples, indices: Tensor) -> Samples:
    indices = indices.to(samples.features.device)
    return Samples(samples.features[indices], samples.labels[indices])
