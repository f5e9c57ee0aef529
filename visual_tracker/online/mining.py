"""Hard-example mining: learn from the negatives that look most like the target.

MDNet, section 3.2, after Sung and Poggio 1998: of the negatives that a step may draw, those with
the highest scores are trained on. Scoring a thousand candidates at every step costs more than the
step itself, so scores are remembered: each is computed once, and again when its sample is used.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def hardest(scores: Tensor, count: int) -> Tensor:
    """Indices of the highest scores, highest first.

    Args:
        scores: (N,).
        count: how many; all of them if there are fewer.

    Returns:
        (min(count, N),) int64.
    """
    return scores.topk(min(count, len(scores))).indices


class Rounds:
    """Random batches of indices in which each index comes once before any comes again.

    Args:
        total: indices 0 .. total - 1.
        generator: all the randomness there is.
    """

    def __init__(self, total: int, generator: torch.Generator) -> None:
        self._total = total
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.int64)

    def draw(self, count: int) -> Tensor:
        """The next indices, (min(count, total),) int64, none twice."""
        count = min(count, self._total)
        first = self._order[:count]
        self._order = self._order[count:]
        missing = count - len(first)
        if missing:
            order = torch.randperm(self._total, generator=self._generator)
            # the end of a round and the start of the next may share an index: those wait
            used = torch.isin(order, first)
            order = torch.cat([order[~used], order[used]])
            first = torch.cat([first, order[:missing]])
            self._order = order[missing:]
        return first


class HardNegatives:
    """Draws the hardest of random negatives, by remembered scores.

    Args:
        total: negatives 0 .. total - 1.
        score: scores (n,) of negatives by indices (n,), high where they look like the target.
        pool: negatives drawn at random a time; at most so many are scored at once.
        generator: all the randomness there is.
    """

    def __init__(
        self, total: int, score: Callable[[Tensor], Tensor], pool: int, generator: torch.Generator
    ) -> None:
        self._scores = torch.full((total,), torch.nan)
        self._score = score
        self._pool = pool
        self._rounds = Rounds(total, generator)

    def draw(self, count: int) -> Tensor:
        """Indices of the `count` highest scoring of the next pool."""
        pool = self._rounds.draw(self._pool)
        unknown = pool[self._scores[pool].isnan()]
        if len(unknown):
            self.remember(unknown, self._score(unknown))
        return pool[hardest(self._scores[pool], count)]

    def remember(self, indices: Tensor, scores: Tensor) -> None:
        """Replace the scores of negatives just used."""
        self._scores[indices] = scores.detach().float().cpu()
