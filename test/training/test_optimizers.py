"""AdamW and Muon in step."""

from __future__ import annotations

import copy
import importlib

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.amp.grad_scaler import GradScaler  # noqa: E402

from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.training import optimizers  # noqa: E402
from visual_tracker.training.optimizers import Optimizer  # noqa: E402


def a_network() -> nn.Sequential:
    """One matrix, one depthwise layer, one 3x3 layer, in channels last as trainers have it."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(8, 24, 1), nn.Conv2d(24, 24, 3, groups=24), nn.Conv2d(24, 4, 3))
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def loss(network: nn.Module, seed: int = 0) -> torch.Tensor:
    x = torch.randn(4, 8, 9, 9, generator=torch.Generator().manual_seed(seed))
    return network(x).square().mean()


def one_step(
    network: nn.Module, optimizer: Optimizer, scaler: GradScaler | None = None, seed: int = 0
) -> None:
    scaler = scaler or GradScaler("cpu", enabled=False)
    scaler.scale(loss(network, seed)).backward()
    optimizer.unscale(scaler)
    optimizer.step(scaler)
    scaler.update()
    optimizer.zero_grad()


def one_step_of_adamw(network: nn.Module) -> None:
    """What torch's own does with rate .001 and decay .0001."""
    adamw = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    loss(network).backward()
    adamw.step()


def values(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_a_matrix_steps_as_far_in_all_its_directions() -> None:
    network = a_network()
    before = values(network)["0.weight"]
    optimizer = Optimizer([list(network.parameters())], 0.0, muon=10.0)
    optimizer.set_rates([1e-3])
    one_step(network, optimizer)
    change = (network[0].weight - before).detach().flatten(1)
    lengths = torch.linalg.svdvals(change) / (1e-2 * 0.2 * 24**0.5)
    # five iterations with these coefficients bring singular values near 1, not to it
    assert lengths.min() > 0.6
    assert lengths.max() < 1.3


def test_what_is_no_matrix_steps_as_with_adamw_alone() -> None:
    mixed, plain = a_network(), a_network()
    muon = Optimizer([list(mixed.parameters())], 1e-4, muon=10.0)
    muon.set_rates([1e-3])
    one_step(mixed, muon)
    one_step_of_adamw(plain)
    expected = plain.state_dict()
    for name, value in mixed.state_dict().items():
        assert torch.equal(value, expected[name]) == (name != "0.weight"), name


def test_without_muon_everything_is_adamws() -> None:
    ours, plain = a_network(), a_network()
    optimizer = Optimizer([list(ours.parameters())], 1e-4)
    optimizer.set_rates([1e-3])
    one_step(ours, optimizer)
    one_step_of_adamw(plain)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, ours.state_dict()[name]), name


def test_a_torch_without_muon_is_enough_for_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    importlib.reload(optimizers)
    parameters = list(a_network().parameters())
    optimizers.Optimizer([parameters], 1e-4)
    with pytest.raises(ParameterError, match=r"muon needs torch 2\.9 or newer, .* set muon=0"):
        optimizers.Optimizer([parameters], 1e-4, muon=10.0)


def test_a_scaled_loss_makes_the_same_step() -> None:
    plain, scaled = a_network(), a_network()
    for network, scaler in (
        (plain, GradScaler("cpu", enabled=False)),
        (scaled, GradScaler("cpu", init_scale=2.0**10)),
    ):
        optimizer = Optimizer([list(network.parameters())], 1e-4, muon=10.0)
        optimizer.set_rates([1e-3])
        one_step(network, optimizer, scaler)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, scaled.state_dict()[name], rtol=0, atol=2e-5)


def test_groups_have_rates_of_their_own_and_frozen_ones_stay() -> None:
    network = a_network()
    before = values(network)
    for parameter in network[1].parameters():
        parameter.requires_grad_(False)
    optimizer = Optimizer([list(layer.parameters()) for layer in network], 1e-4, muon=10.0)
    optimizer.set_rates([0.0, 1e-3, 1e-3])
    assert optimizer.rates == [0.0, 1e-3, 1e-3]
    one_step(network, optimizer)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("2")), name


def test_a_resumed_optimizer_goes_on_as_if_it_had_not_stopped() -> None:
    network = a_network()
    optimizer = Optimizer([list(network.parameters())], 1e-4, muon=10.0)
    optimizer.set_rates([1e-3])
    one_step(network, optimizer)
    saved, state = values(network), copy.deepcopy(optimizer.state_dict())
    resumed = a_network()
    resumed.load_state_dict(saved)
    other = Optimizer([list(resumed.parameters())], 1e-4, muon=10.0)
    other.load_state_dict(state)
    other.set_rates([1e-3])
    for each, its in ((network, optimizer), (resumed, other)):
        one_step(each, its, seed=1)
    for name, value in network.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
