"""Which negatives are chosen."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from visual_tracker.online.mining import HardNegatives, Rounds, hardest  # noqa: E402


def test_the_highest_scores_are_the_hardest() -> None:
    scores = torch.tensor([0.1, 0.9, -3.0, 0.5])
    assert hardest(scores, 2).tolist() == [1, 3]
    assert hardest(scores, 9).tolist() == [1, 3, 0, 2]


@given(total=st.integers(1, 30), count=st.integers(1, 40), seed=st.integers(0, 9))
def test_a_round_uses_every_index_before_any_comes_again(total, count, seed) -> None:
    rounds = Rounds(total, torch.Generator().manual_seed(seed))
    uses = torch.zeros(total, dtype=torch.int64)
    for _ in range(12):
        batch = rounds.draw(count)
        assert len(batch) == len(set(batch.tolist())) == min(count, total)
        uses[batch] += 1
        assert uses.max() - uses.min() <= 2
    drawn = 12 * min(count, total)
    assert uses.sum() == drawn


def hard_negatives(scores: torch.Tensor, pool: int, seed: int = 0) -> HardNegatives:
    generator = torch.Generator().manual_seed(seed)
    return HardNegatives(len(scores), lambda indices: scores[indices], pool, generator)


def test_the_hardest_of_the_pool_are_drawn_and_forgotten_when_learned() -> None:
    scores = torch.arange(10.0)
    hard = hard_negatives(scores, 10)
    assert hard.draw(3).tolist() == [9, 8, 7]
    hard.remember(torch.tensor([9, 7]), torch.tensor([-1.0, 6.5]))
    assert hard.draw(3).tolist() == [8, 7, 6]
    assert scores.tolist() == list(range(10))


def test_only_the_pool_is_looked_at() -> None:
    hard = hard_negatives(torch.arange(10.0), 5, seed=1)
    first, second = hard.draw(1).item(), hard.draw(1).item()
    # the two pools share out all ten: the highest of all is in one of them
    assert max(first, second) == 9
    assert min(first, second) >= 4


def test_each_is_scored_once_and_no_more_than_a_pool_at_a_time() -> None:
    asked: list[int] = []

    def score(indices: torch.Tensor) -> torch.Tensor:
        asked.extend(indices.tolist())
        assert len(indices) <= 4
        return indices.float()

    hard = HardNegatives(10, score, 4, torch.Generator().manual_seed(0))
    for _ in range(9):
        hard.draw(2)
    assert sorted(asked) == list(range(10))
