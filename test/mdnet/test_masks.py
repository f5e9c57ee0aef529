"""VITAL: which cell is hidden, and how errors are weighed."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from visual_tracker.mdnet.masks import (  # noqa: E402
    MaskGenerator,
    cost_sensitive_loss,
    single_cell_masks,
)


def test_there_is_a_mask_for_each_cell() -> None:
    masks = single_cell_masks(3, torch.zeros(1))
    assert masks.shape == (9, 1, 3, 3)
    assert masks[4, 0].tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert (masks.sum(dim=(1, 2, 3)) == 8).all()


def test_the_mask_that_hurts_most_hides_the_cell_that_counts_most() -> None:
    generator = MaskGenerator(2, 3)
    importance = torch.tensor([[0.1, 0.2, 0.0], [0.3, 0.1, 2.0], [0.0, 0.1, 0.2]])
    features = torch.ones(2, 2, 3, 3)
    features[1, :, 1, 2] = -1.0  # of the second sample that cell speaks against the target

    def score(shown: Tensor) -> Tensor:
        return (shown.sum(dim=1) * importance).sum(dim=(1, 2))

    masks = generator.worst_mask(features, score)
    assert masks[0, 0].tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert masks[1, 0].tolist() == [[1, 1, 1], [0, 1, 1], [1, 1, 1]]


def test_the_generator_learns_the_masks_that_it_is_shown() -> None:
    torch.manual_seed(0)
    generator, features = MaskGenerator(4, 3, seed=2), torch.randn(6, 4, 3, 3)
    goal = single_cell_masks(3, features)[:6]
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        (generator(features) - goal).square().mean().backward()
        optimizer.step()
    assert torch.equal(generator.mask(features), goal)


def test_generators_of_one_seed_are_alike() -> None:
    features = torch.randn(2, 4, 3, 3)
    first, again, other = (MaskGenerator(4, 3, seed)(features) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert ((first > 0) & (first < 1)).all()


def test_errors_weigh_by_how_wrong_they_are() -> None:
    logits = torch.tensor([[0.0, math.log(4.0)], [math.log(99.0), 0.0]])
    # a positive with p = .8 and a negative with p = .99 for its own class
    loss = cost_sensitive_loss(logits, torch.tensor([1, 0]))
    expected = (0.2 * -math.log(0.8) + 0.01 * -math.log(0.99)) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)
