"""The online trainer: learns, in slices, the same every time."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from visual_tracker.online.bank import Samples  # noqa: E402
from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer  # noqa: E402


class Logistic:
    """Two classes, one linear layer."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 1)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def score(self, features: Tensor) -> Tensor:
        return self.layer(features)[:, 0]

    def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
        self.seen.append((positives.labels, negatives.labels))
        low = self.score(negatives.features)
        loss = nn.functional.softplus(-self.score(positives.features)).mean()
        return loss + nn.functional.softplus(low).mean(), low


def clouds() -> tuple[Samples, Samples]:
    generator = torch.Generator().manual_seed(3)
    positives = torch.randn(40, 4, generator=generator) + 1
    negatives = torch.randn(200, 4, generator=generator) - 1
    return Samples(positives, torch.arange(40)), Samples(negatives, torch.arange(200))


def trainer(objective: Logistic, **settings: float) -> OnlineTrainer:
    chosen = OnlineSettings(positives=8, negatives=16, pool=64, **settings)
    generator = torch.Generator().manual_seed(1)
    return OnlineTrainer([(objective.layer.parameters(), 1.0)], objective, chosen, generator)


def test_it_learns() -> None:
    objective = Logistic()
    training = trainer(objective)
    training.start(*clouds(), steps=60, rate=0.05)
    losses = training.run()
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    positives, negatives = clouds()
    assert (objective.score(positives.features) > 0).float().mean() > 0.9
    assert (objective.score(negatives.features) < 0).float().mean() > 0.9


def test_slices_give_what_one_run_gives() -> None:
    whole, sliced = Logistic(), Logistic()
    at_once, in_slices = trainer(whole), trainer(sliced)
    at_once.start(*clouds(), steps=10, rate=0.05)
    in_slices.start(*clouds(), steps=10, rate=0.05)
    expected = at_once.run()
    losses = []
    for left in (7, 4, 1, 0):
        losses += in_slices.run(3)
        assert in_slices.steps_left == left
    assert in_slices.run(3) == []
    assert losses == expected
    assert torch.equal(whole.layer.weight, sliced.layer.weight)


def test_batches_are_of_the_sizes_asked_for_and_hold_the_hardest() -> None:
    objective = Logistic()
    training = trainer(objective)
    positives, negatives = clouds()
    scores = objective.score(negatives.features)
    training.settings = OnlineSettings(positives=8, negatives=16, pool=200)
    training.start(positives, negatives, steps=1, rate=0.0)
    training.run()
    chosen_positives, chosen_negatives = objective.seen[0]
    assert len(set(chosen_positives.tolist())) == 8
    assert set(chosen_negatives.tolist()) == set(scores.topk(16).indices.tolist())


def test_groups_have_rates_of_their_own() -> None:
    objective = Logistic()
    before = objective.layer.weight.clone()
    training = OnlineTrainer(
        [([objective.layer.weight], 0.0), ([objective.layer.bias], 1.0)],
        objective, OnlineSettings(), torch.Generator(),
    )  # fmt: skip
    bias = objective.layer.bias.clone()
    training.start(*clouds(), steps=3, rate=0.1)
    training.run()
    assert torch.equal(objective.layer.weight, before)
    assert not torch.equal(objective.layer.bias, bias)


def test_the_gradient_is_clipped() -> None:
    objective = Logistic()
    training = trainer(objective, clip=1e-3, weight_decay=0.0)
    before = objective.layer.weight.clone()
    training.start(*clouds(), steps=1, rate=1.0)
    training.run()
    assert 0 < (objective.layer.weight - before).norm() <= 1e-3 + 1e-6


def test_drop_out_is_on_in_a_slice_but_not_where_negatives_are_scored() -> None:
    calls: list[bool] = []
    objective = Logistic()
    training = OnlineTrainer(
        [(objective.layer.parameters(), 1.0)], objective, OnlineSettings(), torch.Generator(),
        calls.append,
    )  # fmt: skip
    assert training.run(2) == []
    training.start(*clouds(), steps=2, rate=0.1)
    training.run()
    # all 200 fit into the pool of 1024: they are scored in the first step
    assert calls == [True, False, True, False]


def test_nothing_to_learn_from_is_an_error() -> None:
    positives, negatives = clouds()
    nothing = Samples(positives.features[:0], positives.labels[:0])
    with pytest.raises(ValueError, match="needs positives and negatives"):
        trainer(Logistic()).start(nothing, negatives, 1, 0.1)


def test_what_was_learned_is_hard_only_as_long_as_it_scores_high() -> None:
    class Forgiving(Logistic):
        def loss(self, positives: Samples, negatives: Samples) -> tuple[Tensor, Tensor]:
            loss, low = super().loss(positives, negatives)
            return loss, low - 1000.0

    objective = Forgiving()
    training = trainer(objective)
    positives, negatives = clouds()
    training.settings = OnlineSettings(positives=8, negatives=16, pool=200)
    scores = objective.score(negatives.features)
    training.start(positives, negatives, steps=2, rate=0.0)
    training.run()
    drawn = [number for _, labels in objective.seen for number in labels.tolist()]
    # the next hardest come after the hardest, which have been learned
    assert set(drawn[16:]) == set(scores.topk(32).indices[16:].tolist())
