"""What CFNet does otherwise than SiamFC: a wider template, and one that follows."""

from __future__ import annotations

import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork
from visual_tracker.boxes import Box
from visual_tracker.crops import context_side
from visual_tracker.images import Image
from visual_tracker.models.geometry import LITE_CFNET
from visual_tracker.trackers.cfnet import CfNetParameters, CfNetTracker

START = Box(170, 160, 60, 80)


class GreyMatcher:
    """Learns the template crop itself; finds the target where it was."""

    geometry = LITE_CFNET

    def __init__(self, logit: float = 4.0) -> None:
        self.logit = logit

    def learn(self, image: Image) -> np.ndarray:
        return image[None, :, :, 0].astype(np.float32)

    def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
        logits = np.full((len(images), 25, 25), -8.0, dtype=np.float32)
        logits[1, 12, 12] = self.logit
        return logits


def started(matcher: GreyMatcher, image: Image) -> CfNetTracker:
    class Known(KnownNetwork, CfNetTracker):
        network = matcher

    tracker = Known(CfNetParameters(), "cpu")
    tracker.init(image, START)
    return tracker


def test_the_template_shows_as_much_as_is_searched() -> None:
    image = np.zeros((400, 400, 3), dtype=np.uint8)
    side = context_side(60, 80) * 257 / 129
    left, top = round(200 - side / 2), round(200 - side / 2)
    image[top : top + round(side), left : left + round(side)] = 200
    tracker = started(GreyMatcher(), image)
    assert tracker._kernel.shape == (1, 257, 257)
    assert tracker._kernel[0, 3:-3, 3:-3].min() == 200
    _, middle, _ = tracker._frames(START)
    assert middle.region.width == pytest.approx(side)


def test_each_frame_in_which_it_is_held_has_its_share_of_the_template() -> None:
    black, white = (np.full((400, 400, 3), grey, dtype=np.uint8) for grey in (0, 200))
    tracker = started(GreyMatcher(), black)
    for expected in (200 * 0.0102, 200 * (1 - 0.9898**2)):
        tracker.track(white)
        assert tracker._kernel[0, 128, 128] == pytest.approx(expected, rel=1e-4)
    hardly = started(GreyMatcher(logit=0.1), black)
    assert not hardly.track(white).is_lost
    assert hardly._kernel.max() > 0
    lost = started(GreyMatcher(logit=-0.1), black)
    assert lost.track(white).is_lost
    assert lost._kernel.max() == 0
