"""Attention maps, the regularisation R, and where its gradient takes the attention."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from visual_tracker.mdnet.attention import attention_maps, regularization  # noqa: E402

# moments of these: mean 2, deviation sqrt(2); mean 1, deviation 1
UNEVEN = torch.tensor([[[0.0, 2.0], [2.0, 4.0]]])
OTHER = torch.tensor([[[0.0, 2.0], [0.0, 2.0]]])


def test_the_map_of_a_linear_score_is_the_positive_part_of_its_weights() -> None:
    weight = torch.tensor([[[1.0, -2.0], [0.5, 0.0]], [[3.0, -1.0], [-0.5, 1.0]]])
    inputs = torch.randn(3, 2, 2, 2, requires_grad=True)
    maps = attention_maps((inputs * weight).sum(dim=(1, 2, 3)), inputs)
    assert torch.equal(maps, torch.tensor([[4.0, 0.0], [0.5, 1.0]]).expand(3, 2, 2))


def test_the_formula_for_a_positive_sample() -> None:
    value = regularization(UNEVEN, OTHER, torch.tensor([True]))
    assert value.item() == pytest.approx(math.sqrt(2) / 2 + 1 / 1, rel=1e-4)


def test_a_negative_sample_exchanges_the_two_maps() -> None:
    value = regularization(UNEVEN, OTHER, torch.tensor([False]))
    assert value.item() == pytest.approx(1 / 1 + 2 / math.sqrt(2), rel=1e-4)
    swapped = regularization(OTHER, UNEVEN, torch.tensor([True]))
    assert value.item() == pytest.approx(swapped.item())


def test_even_and_empty_maps_stay_finite() -> None:
    for target, other in ((torch.ones(1, 2, 2), torch.zeros(1, 2, 2)),) * 2:
        maps = target.clone().requires_grad_(True)
        value = regularization(maps, other, torch.tensor([True]))
        value.sum().backward()
        assert torch.isfinite(value).all()
        assert torch.isfinite(maps.grad).all()


class Scores(nn.Module):
    """Two classes whose maps depend on what is learned."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(36, 16), nn.Softplus(), nn.Linear(16, 2)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


def test_its_gradient_moves_the_attention_of_a_positive_into_the_whole_target() -> None:
    network, inputs = Scores(), torch.randn(8, 4, 3, 3, requires_grad=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)

    def maps() -> tuple[Tensor, Tensor]:
        logits = network(inputs)
        return attention_maps(logits[:, 1], inputs), attention_maps(logits[:, 0], inputs)

    def evenness(values: Tensor) -> Tensor:
        flat = values.flatten(1)
        return (flat.mean(dim=1) / flat.std(dim=1)).mean()

    before_target, before_other = maps()
    everything = torch.ones(8, dtype=torch.bool)
    for _ in range(40):
        optimizer.zero_grad()
        regularization(*maps(), everything).mean().backward()
        optimizer.step()
    after_target, after_other = maps()
    # the target's map fills the box evenly, the background's keeps to a few places
    assert evenness(after_target) > 1.2 * evenness(before_target)
    assert evenness(after_other) < evenness(before_other)


def test_the_second_derivative_is_the_numeric_one() -> None:
    torch.manual_seed(1)
    first = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    second = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(3, 2, 2, 2, dtype=torch.float64)
    positive = torch.tensor([True, False, True])

    def value(one: Tensor, two: Tensor) -> Tensor:
        shown = inputs.clone().requires_grad_(True)
        logits = torch.tanh(shown.flatten(1) @ one.T) @ two.T
        maps = [attention_maps(logits[:, column], shown) for column in (1, 0)]
        return regularization(*maps, positive).sum()

    assert torch.autograd.gradcheck(value, (first, second), eps=1e-7, atol=1e-3)
