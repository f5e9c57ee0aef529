"""What is exported computes what the network as it is written computes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.models.alexnet import AlexNetSiamRpn  # noqa: E402
from visual_tracker.models.cfnet import LiteCfNet  # noqa: E402
from visual_tracker.models.deployment import deployed  # noqa: E402
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.response_network import ResponseNetwork  # noqa: E402
from visual_tracker.models.siamfc import LiteSiamFc  # noqa: E402

#: share of the largest value; sums in another order
TOLERANCE = 2e-5


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(
        found, expected, rtol=0, atol=TOLERANCE * float(expected.abs().max())
    )


def image(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8)


def written(image: torch.Tensor) -> torch.Tensor:
    return image.permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(
    ("make", "template", "search"),
    [
        (lambda: LiteSiamRpn(16), (1, 129, 129), (2, 145, 161)),
        # both parities of the maps behind the second pooling
        (AlexNetSiamRpn, (1, 127, 127), (2, 135, 143)),
    ],
    ids=["lite", "alexnet"],
)
@torch.no_grad()
def test_a_siamrpn_network_proposes_the_same(
    make: object, template: tuple[int, ...], search: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    assert callable(make)
    network = make().eval()
    faster, planes = deployed(network)
    z, x = image(*template), image(*search)
    learned = network.learn(written(z))
    for found, expected in zip(faster.learn(planes(z)), learned, strict=True):
        assert_close(found, expected)
    proposals = network.propose(learned, written(x))
    for found, expected in zip(faster.propose(learned, planes(x)), proposals, strict=True):
        assert found.shape == expected.shape
        assert_close(found, expected)


@pytest.mark.parametrize(("make", "side"), [(LiteSiamFc, 129), (LiteCfNet, 257)])
@torch.no_grad()
def test_a_network_of_one_response_map_responds_the_same(
    make: type[ResponseNetwork], side: int
) -> None:
    torch.manual_seed(0)
    network = make(16).eval()
    faster, planes = deployed(network)
    crop = image(1, side, side)
    kernel = network.learn(written(crop))
    assert_close(faster.learn(planes(crop)), kernel)
    x = image(2, 145, 161)
    assert_close(faster.respond(kernel, planes(x)), network.respond(kernel, written(x)))


def test_the_network_itself_is_left_as_it_was() -> None:
    network = LiteSiamRpn(16).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    deployed(network)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
