"""SiamFC's scales, peak, window and template update, with responses that are known."""

from __future__ import annotations

import numpy as np
import pytest

from test.trackers.known_response import KnownNetwork, PeakMatcher
from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.parameters import ParameterError
from visual_tracker.trackers.confidence import Calibration, ScoreEvidence, Thresholds
from visual_tracker.trackers.response import _enlarged
from visual_tracker.trackers.siamfc import SiamFcParameters, SiamFcTracker

IMAGE = np.zeros((400, 400, 3), dtype=np.uint8)
START = Box(170, 160, 60, 80)


def tracker(matcher: PeakMatcher, **changes: object) -> SiamFcTracker:
    class Known(KnownNetwork, SiamFcTracker):
        network = matcher

    result = Known(SiamFcParameters.from_mapping({"window_influence": 0.0, **changes}), "cpu")
    result.init(IMAGE, START)
    return result


@pytest.mark.parametrize(("row", "column"), [(13, 13), (10, 20), (26, 0)])
def test_the_box_goes_where_the_peak_is(row: int, column: int) -> None:
    followed = tracker(PeakMatcher(1, row, column))
    pixel = followed._pixel(START)
    box = followed.track(IMAGE).box
    expected = (200 + (column - 13) * 8 * pixel, 200 + (row - 13) * 8 * pixel)
    assert box.center == pytest.approx(expected, abs=0.5 * pixel)
    assert (box.width, box.height) == pytest.approx((60, 80))


@pytest.mark.parametrize(("scale", "power"), [(0, -1), (1, 0), (2, 1)])
def test_the_size_follows_the_scale_at_its_rate(scale: int, power: int) -> None:
    box = tracker(PeakMatcher(scale, 13, 13), scale_rate=0.5, scale_step=1.1).track(IMAGE).box
    growth = 1 + 0.5 * (1.1**power - 1)
    assert (box.width, box.height) == pytest.approx((60 * growth, 80 * growth))
    assert box.center == pytest.approx((200, 200), abs=0.5)


@pytest.mark.parametrize("scales", [1, 3, 9])
def test_as_many_scales_are_searched_as_asked_for(scales: int) -> None:
    frames = tracker(PeakMatcher(0, 13, 13), scales=scales)._frames(START)
    assert len(frames) == scales


def test_an_even_number_of_scales_is_refused() -> None:
    with pytest.raises(ParameterError, match="'scales' is 2; it must be odd"):
        SiamFcParameters(scales=2)
    with pytest.raises(ParameterError, match="'scales' is 4; it must be odd"):
        tracker(PeakMatcher(1, 13, 13)).set_parameters({"scales": 4})


def test_another_scale_must_beat_the_penalty() -> None:
    class Nearly(PeakMatcher):
        def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
            logits = np.full((3, 27, 27), -8.0, dtype=np.float32)
            # heights of 20 and 21
            logits[1, 13, 13], logits[2, 13, 13] = 12.0, 13.0
            return logits

    assert tracker(Nearly(0, 0, 0), scale_penalty=0.9).track(IMAGE).box.width == pytest.approx(60)
    # probabilities of such logits differ in the sixth digit
    assert tracker(Nearly(0, 0, 0), scale_penalty=0.97).track(IMAGE).box.width > 60


def test_the_window_prefers_the_middle() -> None:
    class Two(PeakMatcher):
        def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
            logits = np.full((3, 27, 27), -8.0, dtype=np.float32)
            logits[1, 13, 13], logits[1, 3, 3] = 2.0, 2.5
            return logits

    assert tracker(Two(0, 0, 0)).track(IMAGE).box.center[0] < 150
    with_window = tracker(Two(0, 0, 0), window_influence=0.3).track(IMAGE)
    assert with_window.box.center == pytest.approx((200, 200), abs=1)


def test_a_peak_among_high_responses_is_not_left_for_the_middle() -> None:
    class Plateau(PeakMatcher):
        def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
            logits = np.full((3, 27, 27), -8.0, dtype=np.float32)
            logits[1, 11:16, 11:16], logits[1, 15, 15] = 9.0, 14.0
            return logits

    followed = tracker(Plateau(0, 0, 0), window_influence=0.176)
    moved = 2 * 8 * followed._pixel(START)
    assert followed.track(IMAGE).box.center == pytest.approx((200 + moved, 200 + moved), abs=3)


@pytest.mark.parametrize("level", [-9.0, 0.0, 9.0])
def test_a_flat_response_leaves_the_place_to_the_window(level: float) -> None:
    class Flat(PeakMatcher):
        def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
            return np.full((3, 27, 27), level, dtype=np.float32)

    track = tracker(Flat(0, 0, 0), window_influence=0.2, lost_threshold=0.0).track(IMAGE)
    assert track.box.center == pytest.approx((200, 200))
    assert track.box.width == pytest.approx(60)


def test_confidence_is_the_peaks_probability_and_below_the_threshold_is_lost() -> None:
    held = tracker(PeakMatcher(1, 13, 13, logit=2.0)).track(IMAGE)
    assert held.confidence == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-4)
    assert not held.is_lost
    lost = tracker(PeakMatcher(1, 5, 5, logit=-2.0)).track(IMAGE)
    assert lost.is_lost
    assert lost.box != START  # followed all the same


class Fading(PeakMatcher):
    """Peaks in the middle, of these heights one frame after the other."""

    def __init__(self, *heights: float) -> None:
        super().__init__(1, 13, 13)
        self.heights = list(heights)

    def respond(self, kernel: np.ndarray, images: list[Image]) -> np.ndarray:
        self.logit = self.heights.pop(0)
        return super().respond(kernel, images)


#: sigmoid(x - 5): .12 at 3, .27 at 4, .73 at 6
CALIBRATION = Calibration("", ScoreEvidence(1.0), -5.0, Thresholds(0.2, 0.5, 0.0))


def states(followed: SiamFcTracker, count: int) -> str:
    return "".join("-+"[not followed.track(IMAGE).is_lost] for _ in range(count))


def test_a_calibration_gives_confidence_and_thresholds() -> None:
    followed = tracker(Fading(6.0, 4.0, 3.0, 4.0, 6.0, 4.0))
    followed.calibration = CALIBRATION
    assert followed.track(IMAGE).confidence == pytest.approx(1 / (1 + np.exp(-1)))
    # once it is lost it takes more to be found than it took to be held
    assert states(followed, 5) == "+--++"


def test_thresholds_that_are_given_go_before_the_calibrations() -> None:
    followed = tracker(Fading(4.0, 6.0, 4.0), lost_threshold=0.5, found_threshold=0.6)
    followed.calibration = CALIBRATION
    assert states(followed, 3) == "-+-"
    followed = tracker(Fading(3.0, 3.0), lost_threshold=0.0)
    followed.calibration = CALIBRATION
    assert states(followed, 2) == "++"


def test_the_template_is_updated_only_if_asked_and_confident() -> None:
    still = tracker(PeakMatcher(1, 13, 13))
    still.track(IMAGE)
    assert still._kernel.max() == 1
    updated = tracker(PeakMatcher(1, 13, 13), template_rate=0.25)
    updated.track(IMAGE)
    assert updated._kernel.max() == pytest.approx(0.75 * 1 + 0.25 * 2)
    unsure = tracker(PeakMatcher(1, 13, 13, logit=0.5), template_rate=0.25)
    unsure.track(IMAGE)
    assert unsure._kernel.max() == 1


def test_enlarging_keeps_the_centres_of_cells() -> None:
    response = np.random.default_rng(0).normal(size=(27, 27)).astype(np.float32)
    fine = _enlarged(response, (417, 417))
    assert np.abs(fine[::16, ::16] - response).max() < 1e-5
