"""The recurrent network: what its steps see and remember."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.re3 import LiteRe3  # noqa: E402


@pytest.fixture
def network() -> LiteRe3:
    torch.manual_seed(0)
    made = LiteRe3(joined=16, hidden=12).eval()
    torch.nn.init.normal_(made.corners.weight)
    return made


def crops(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, 3, 129, 129, generator=generator) * 255


@torch.no_grad()
def test_it_begins_with_the_last_box() -> None:
    network = LiteRe3(joined=16, hidden=12).eval()
    corners, _ = network.follow(network.begin(crops(2)), crops(2, seed=1), crops(2, seed=2))
    assert corners.tolist() == [[-0.25, -0.25, 0.25, 0.25]] * 2


@torch.no_grad()
def test_training_unrolls_what_tracking_does_frame_by_frame(network: LiteRe3) -> None:
    before, now = crops(2, 3), crops(2, 3, seed=1)
    together = network(before, now)
    state = network.begin(before[:, 0])
    for frame in range(3):
        corners, state = network.follow(state, before[:, frame], now[:, frame])
        assert torch.allclose(corners, together[:, frame], atol=1e-5)


@torch.no_grad()
def test_it_sees_both_crops_and_remembers_both_lstms(network: LiteRe3) -> None:
    state, before, now = network.begin(crops(1)), crops(1, seed=1), crops(1, seed=2)
    corners, _ = network.follow(state, before, now)
    assert not torch.allclose(corners, network.follow(state, now, before)[0], atol=1e-4)
    for name, part in state._asdict().items():
        other, _ = network.follow(state._replace(**{name: part + 1}), before, now)
        assert not torch.allclose(corners, other, atol=1e-4), name


def test_a_late_loss_reaches_the_first_frame(network: LiteRe3) -> None:
    before = crops(1, 4).requires_grad_()
    network(before, crops(1, 4, seed=1))[:, -1].sum().backward()
    assert before.grad is not None
    assert float(before.grad[:, 0].abs().max()) > 0
