"""Both ways from a box to its features."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.mdnet.small import SmallFeatures  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.images import Image  # noqa: E402
from visual_tracker.mdnet.extraction import CropExtractor, Extractor, make_extractor  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402


@pytest.fixture(scope="module")
def network() -> MdNet:
    torch.manual_seed(0)
    return MdNet(SmallFeatures()).eval()


@pytest.fixture(scope="module")
def image() -> Image:
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


def features(extractor: Extractor, image: Image, region: Box, *boxes: Box) -> torch.Tensor:
    extractor.look(image, extractor.region(region))
    return extractor.extract(np.array([box.xywh for box in boxes]))


def test_a_region_shows_its_box_in_the_networks_size(network: MdNet) -> None:
    extractor = make_extractor("roi-align", network, "cpu")
    frame = extractor.region(Box(100, 60, 128, 32))  # sqrt(w h) is 64, twice the network's 32
    assert (frame.pixel, frame.width, frame.height) == (2.0, 128, 128)
    assert frame.region == Box(164 - 128, 76 - 128, 256, 256)
    assert extractor.region(Box(100, 60, 128, 32), zoom=2.0).pixel == 1.0


@pytest.mark.parametrize("side", [32, 64])
def test_both_ways_agree_on_a_square_in_place(network: MdNet, image: Image, side: int) -> None:
    box = Box(112, 80, side, side)
    by_region = features(make_extractor("roi-align", network, "cpu"), image, box, box)
    by_crop = features(make_extractor("crops", network, "cpu"), image, box, box)
    torch.testing.assert_close(by_region, by_crop, rtol=1e-3, atol=1e-3)


def test_boxes_of_a_region_are_where_the_image_has_them(network: MdNet, image: Image) -> None:
    middle, moved = Box(112, 80, 32, 32), Box(120, 96, 32, 32)
    extractor = make_extractor("roi-align", network, "cpu")
    both = features(extractor, image, middle, middle, moved)
    alone = features(extractor, image, moved, moved)
    torch.testing.assert_close(both[1:], alone)
    assert not torch.allclose(both[0], both[1])


def test_a_crop_is_stretched_to_a_square(network: MdNet) -> None:
    tall = np.zeros((200, 200, 3), np.uint8)
    tall[60:140, 80:120] = 200  # a box of 40 x 80
    extractor = make_extractor("crops", network, "cpu")
    assert isinstance(extractor, CropExtractor)
    extractor.look(tall, extractor.region(Box(80, 60, 40, 80)))
    crop = extractor._crops(np.array([[80.0, 60, 40, 80]]))[0]
    assert crop.shape == (48, 48, 3)
    assert (crop[9:39, 9:39] == 200).all()
    assert (crop[:7] == 0).all()
    assert (crop[:, :7] == 0).all()


def test_many_crops_go_in_batches(network: MdNet, image: Image) -> None:
    extractor = make_extractor("crops", network, "cpu")
    boxes = [Box(20 + number, 30, 40, 40) for number in range(70)]
    together = features(extractor, image, boxes[0], *boxes)
    assert together.shape == (70, 12, 3, 3)
    torch.testing.assert_close(together[69:], features(extractor, image, boxes[0], boxes[69]))


@pytest.mark.parametrize("kind", ["roi-align", "crops"])
def test_no_boxes_have_no_features(network: MdNet, image: Image, kind: str) -> None:
    extractor = make_extractor(kind, network, "cpu")
    box = Box(112, 80, 32, 32)
    extractor.look(image, extractor.region(box))
    one, none = (extractor.extract(np.array([box.xywh])[:count]) for count in (1, 0))
    assert (none.shape, none.dtype) == ((0, *one.shape[1:]), one.dtype)


def test_what_is_extracted_can_be_trained_on(network: MdNet, image: Image) -> None:
    found = features(
        make_extractor("roi-align", network, "cpu"), image, Box(9, 9, 40, 40), Box(9, 9, 40, 40)
    )
    classifier = network.classifier(0)
    classifier(found.requires_grad_(True)).sum().backward()
    assert found.grad is not None
