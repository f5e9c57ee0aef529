"""One look at a region for the policy and for the classifier."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.adnet.extraction import PolicyExtractor, region_of, region_size  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.crops import channel_mean  # noqa: E402
from visual_tracker.mdnet.extraction import make_extractor  # noqa: E402
from visual_tracker.models.adnet import LiteAdnet, VggAdnet, classifier_of  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402

IMAGE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
BOX = Box(120, 80, 60, 40)
BOXES = np.array([BOX.xywh, [130.0, 70, 50, 50]])


def test_a_region_s_size_fits_the_trunk() -> None:
    # a mean side has 80 pixels
    assert region_size(3.2, 1.0) == 257
    assert region_size(3.2, 0.5) == 129
    assert {region_size(sides, 0.7) % 16 for sides in np.linspace(1.6, 12, 40)} == {1}


def test_the_classifier_sees_what_mdnet_sees() -> None:
    torch.manual_seed(0)
    network, policy = MdNet.lite().eval(), LiteAdnet().eval()
    policy.trunk.load_state_dict(network.features.trunk.state_dict())
    ours = PolicyExtractor(policy, network, 3.2, 1.0, channel_mean(IMAGE), "cpu")
    theirs = make_extractor("roi-align", network, "cpu")
    frame = ours.region(BOX)
    for extractor in (ours, theirs):
        extractor.look(IMAGE, frame)
    torch.testing.assert_close(ours.extract(BOXES), theirs.extract(BOXES))


def test_a_zoomed_region_shows_the_target_larger() -> None:
    near, far = region_of(BOX, 3.2, 1.0, zoom=2.0), region_of(BOX, 3.2, 1.0)
    assert near.width == far.width
    assert near.pixel == pytest.approx(far.pixel / 2)
    # half as finely, with as much around it
    coarse = region_of(BOX, 3.2, 0.5)
    assert coarse.pixel == pytest.approx(2 * far.pixel)
    assert coarse.region.width == pytest.approx(far.region.width, rel=0.01)


def test_the_paper_s_network_judges_by_its_own_layers() -> None:
    torch.manual_seed(0)
    policy = VggAdnet().eval().requires_grad_(False)
    network = classifier_of(policy)
    torch.testing.assert_close(network.fc4.weight, policy.head.fc4.weight)
    extractor = PolicyExtractor(policy, network, 2.0, 1.0, np.zeros(3), "cpu")
    extractor.look(IMAGE, extractor.region(BOX))
    features = extractor.extract(BOXES)
    assert network.classifier(0)(features).shape == (2, 2)


def test_a_region_takes_its_target_s_shape() -> None:
    tall = Box(100, 40, 30, 120)
    shown = region_of(tall, 1.8, 1.0).region
    # the mean side is 60: the context of 1.4 and .2 sides beside it, up to half a step
    assert shown.width == pytest.approx(1.4 * 30 + 0.4 * 60, abs=7)
    assert shown.height == pytest.approx(1.4 * 120 + 0.4 * 60, abs=7)
    assert shown.center == pytest.approx(tall.center)
