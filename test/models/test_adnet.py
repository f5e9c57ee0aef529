"""The policy networks: shapes, where they look, and what the history changes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.adnet.history import SIZE  # noqa: E402
from visual_tracker.adnet.regions import boxes_in, region_around  # noqa: E402
from visual_tracker.models.adnet import (  # noqa: E402
    LiteAdnet,
    PolicyHead,
    PolicyNetwork,
    VggAdnet,
    with_context,
)
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.models.policy_regions import EncodedRegion  # noqa: E402

BOXES = torch.tensor([[60.0, 60, 80, 80], [40, 70, 100, 60], [-20, -20, 80, 80]])


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["lite", "vgg-m"])
def network(request: pytest.FixtureRequest) -> PolicyNetwork:
    torch.manual_seed(0)
    return create_network("adnet", request.param).eval().requires_grad_(False)


def test_every_box_gets_features_actions_and_a_confidence_pair(network: PolicyNetwork) -> None:
    encoded = network.encode(torch.rand(2, 3, 193, 193) * 255)
    features = network.describe(encoded[1], BOXES)
    assert features.shape == (3, network.feature_size)
    actions, classes = network.head(features, torch.zeros(3, SIZE))
    assert actions.shape == (3, 11)
    assert classes.shape == (3, 2)


def test_a_box_has_the_same_features_alone_and_among_others(network: PolicyNetwork) -> None:
    encoded = network.encode(torch.rand(1, 3, 193, 193) * 255)[0]
    together = network.describe(encoded, BOXES)
    for box, features in zip(BOXES, together, strict=True):
        torch.testing.assert_close(
            network.describe(encoded, box[None])[0], features, rtol=1e-4, atol=1e-4
        )


def test_features_change_only_where_the_box_looks() -> None:
    torch.manual_seed(0)
    network = VggAdnet().eval().requires_grad_(False)
    image = torch.rand(1, 3, 193, 193) * 255
    changed = image.clone()
    changed[:, :, :, 120:] = 0
    # the first box with its context ends at pixel 92, the second begins at 121
    boxes = torch.tensor([[20.0, 50, 60, 60], [133.0, 50, 40, 60]])
    before, after = network.describe(image[0], boxes), network.describe(changed[0], boxes)
    torch.testing.assert_close(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_the_patch_of_a_box_of_the_usual_size_is_the_image_itself() -> None:
    network = VggAdnet().eval().requires_grad_(False)
    image = torch.rand(3, 161, 161) * 255
    # 80 pixels with 1.4 times the context are 112, and 112 are resampled to 112
    features = network.describe(image, torch.tensor([[36.0, 46, 80, 80]]))
    direct = network.features.maps(image[None, :, 30:142, 20:132])[0].flatten(1)
    torch.testing.assert_close(features, direct, rtol=1e-3, atol=1e-3)


def test_lite_sees_a_shifted_image_at_the_shifted_box() -> None:
    torch.manual_seed(0)
    network = LiteAdnet().eval().requires_grad_(False)
    large = torch.rand(3, 321, 321) * 255
    # a shift by the coarser map's stride, far from all borders
    first, second = large[:, 32:289, 32:289], large[:, 48:305, 16:273]
    box = torch.tensor([[90.0, 90, 70, 60]])
    moved = box + torch.tensor([16.0, -16, 0, 0])
    one = network.describe(network.encode(first[None])[0], box)
    other = network.describe(network.encode(second[None])[0], moved)
    assert torch.corrcoef(torch.cat([one, other]))[0, 1] > 0.99


def test_the_context_is_forty_percent() -> None:
    box = with_context(torch.tensor([[10.0, 20, 100, 50]]))
    torch.testing.assert_close(box, torch.tensor([[-10.0, 10, 140, 70]]))


def test_the_history_reaches_both_answers() -> None:
    torch.manual_seed(0)
    head = PolicyHead(8).eval()
    features = torch.rand(1, 8)
    empty, full = torch.zeros(1, SIZE), torch.ones(1, SIZE)
    for one, other in zip(head(features, empty), head(features, full), strict=True):
        assert not torch.allclose(one, other)


def test_a_region_shows_the_box_with_context_at_the_trained_scale() -> None:
    frame = region_around(np.array([100.0, 50, 200, 50]), 193)
    assert frame.region.center == pytest.approx((200, 75))
    # the mean side of 100 with context is 140, shown in 112 pixels
    assert frame.pixel == pytest.approx(140 / 112)
    inside = boxes_in(frame, np.array([[100.0, 50, 200, 50]]))
    np.testing.assert_allclose(inside, [[96.5 - 80, 96.5 - 20, 160, 40]])


def test_an_encoded_region_answers_for_boxes_of_the_image() -> None:
    torch.manual_seed(0)
    network = LiteAdnet().eval().requires_grad_(False)
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    box = np.array([[100.0, 60, 60, 60]])
    region = EncodedRegion(network, image, region_around(box[0], 193), np.zeros(3))
    seen: list = []
    outputs = region.policy(network.head, seen)(box, np.full((1, 10), -1))
    np.testing.assert_allclose(outputs.probabilities.sum(axis=1), 1)
    assert 0 < outputs.confidences[0] < 1
    torch.testing.assert_close(seen[0], region.features(box))
