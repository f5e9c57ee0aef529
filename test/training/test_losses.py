"""Losses against values computed by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.training.losses import (  # noqa: E402
    balanced_samples,
    choose,
    response_loss,
    siamrpn_loss,
)
from visual_tracker.training.recipe import Recipe  # noqa: E402


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_siamrpn_loss_by_hand() -> None:
    # One positive, one negative, one ignored anchor.
    logits = torch.tensor([[0.0, 1.0, 9.0], [2.0, -1.0, -9.0]]).view(1, 2, 3, 1, 1)
    labels = torch.tensor([1, 0, -1], dtype=torch.int8).view(1, 3, 1, 1)
    deltas = torch.zeros(1, 4, 3, 1, 1)
    truth = torch.zeros(1, 4, 3, 1, 1)
    truth[0, :, 0, 0, 0] = torch.tensor([0.05, -0.3, 0.0, 1.0])
    truth[0, :, 1:] = 100.0  # of anchors that are not positive, must not count
    recipe = Recipe(location_weight=2.0, smooth_l1_beta=0.1)
    losses = siamrpn_loss(logits, deltas, labels, truth, recipe, generator())
    positive, negative = math.log(1 + math.exp(-2)), math.log(1 + math.exp(-2))
    location = 0.05**2 / (2 * 0.1) + (0.3 - 0.05) + 0 + (1.0 - 0.05)
    assert losses.classification.item() == pytest.approx((positive + negative) / 2, abs=1e-5)
    assert losses.location.item() == pytest.approx(location, abs=1e-5)
    assert losses.total.item() == pytest.approx((positive + negative) / 2 + 2 * location, abs=1e-5)


def test_a_negative_pair_teaches_classification_alone() -> None:
    logits = torch.zeros(1, 2, 5, 3, 3)
    labels = torch.zeros(1, 5, 3, 3, dtype=torch.int8)
    deltas = torch.ones(1, 4, 5, 3, 3, requires_grad=True)
    losses = siamrpn_loss(logits, deltas, labels, torch.zeros_like(deltas), Recipe(), generator())
    assert losses.location.item() == 0
    assert losses.classification.item() == pytest.approx(0.5 * math.log(2))
    losses.total.backward()
    assert not deltas.grad.any()


def test_samples_are_balanced_and_the_hardest_are_among_them() -> None:
    labels = torch.zeros(2, 200, dtype=torch.int8)
    labels[:, :40], labels[:, 40:60] = 1, -1
    loss = torch.rand(2, 200, generator=generator())
    recipe = Recipe(positives=16, negatives=48, hard_negatives=0.25)
    positives, negatives = balanced_samples(labels, loss, recipe, generator())
    assert positives.sum(dim=1).tolist() == [16, 16]
    assert negatives.sum(dim=1).tolist() == [48, 48]
    assert (labels[positives] == 1).all()
    assert (labels[negatives] == 0).all()
    for row in range(2):
        hardest = loss[row, 60:].topk(12).indices + 60
        assert negatives[row, hardest].all()


def test_choosing_takes_no_more_than_there_are() -> None:
    eligible = torch.tensor([[True, False, True, False]])
    chosen = choose(eligible, torch.tensor([[0.1, 0.9, 0.2, 0.8]]), 3)
    assert chosen.tolist() == [[True, False, True, False]]
    assert choose(eligible, torch.tensor([[0.1, 0.9, 0.2, 0.8]]), 1).tolist() == [
        [False, False, True, False]
    ]


def test_response_loss_by_hand() -> None:
    response = torch.tensor([[[[2.0, -1.0], [0.5, 0.0]]]])
    labels = torch.tensor([[[[1, 0], [0, 0]]]], dtype=torch.int8)
    positive = math.log(1 + math.exp(-2.0))
    negative = sum(math.log(1 + math.exp(v)) for v in (-1.0, 0.5, 0.0)) / 3
    assert response_loss(response, labels).total.item() == pytest.approx((positive + negative) / 2)


def test_response_loss_of_a_negative_pair() -> None:
    response = torch.tensor([[[[1.0, -1.0]]]])
    labels = torch.zeros(1, 1, 1, 2, dtype=torch.int8)
    expected = (math.log(1 + math.e) + math.log(1 + math.exp(-1))) / 2
    assert response_loss(response, labels).total.item() == pytest.approx(expected)
