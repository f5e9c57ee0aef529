"""What is learned in the first frame beside the template: views and the boxes' error."""

from __future__ import annotations

import numpy as np
import pytest

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.trackers.box_correction import corrected, measure_correction
from visual_tracker.trackers.first_views import first_views
from visual_tracker.trackers.score_map import Proposals


def test_every_view_shows_the_target_where_it_says() -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    image[140:180, 210:270] = 255
    box = Box(210, 140, 60, 40)
    frame = CropFrame.square(box.center, 257 * 0.5, 257)
    views = first_views(image, box, frame, np.zeros(3))
    assert len(views) == 12
    assert views[0].box == pytest.approx([0, 0, 120, 80])
    for view in views:
        rows, columns = np.nonzero(view.crop[:, :, 0] > 127)
        x, y = columns.mean() + 0.5 - 257 / 2, rows.mean() + 0.5 - 257 / 2
        assert (x, y) == pytest.approx(view.box[:2], abs=0.75)
        if view.is_upright:
            sides = np.ptp(columns) + 1, np.ptp(rows) + 1
            assert sides == pytest.approx(view.box[2:], abs=1.5)


def proposals(*boxes: tuple[float, float, float, float, float]) -> Proposals:
    """Of (x, y, width, height, score)."""
    columns = np.array(boxes, dtype=float).T
    cells = np.zeros((2, len(boxes)), int)
    return Proposals(columns[:4], columns[4], cells, (1, len(boxes)))


def test_a_systematic_error_is_measured_and_taken_off() -> None:
    truth = np.array([10.0, -5.0, 40.0, 60.0])
    # the network boxes half again as wide, a tenth of its own width to the right
    wrong = (10 + 6, -5, 60, 60, 0.9)
    elsewhere = (-90, 80, 40, 60, 0.99)
    correction = measure_correction([(proposals(wrong, elsewhere), truth)] * 3)
    assert correction == pytest.approx([-0.1, 0, np.log(40 / 60), 0])
    fixed = corrected(np.array([wrong[:4]]).T, correction)
    assert fixed[:, 0] == pytest.approx(truth)


def test_one_odd_view_does_not_matter() -> None:
    truth = np.array([0.0, 0.0, 40.0, 40.0])
    right = proposals((0, 0, 40, 40, 0.9))
    for odd in (proposals((10, 0, 60, 40, 0.9)), proposals((-10, 0, 30, 40, 0.9))):
        assert measure_correction([(right, truth), (odd, truth), (right, truth)]) == pytest.approx(
            np.zeros(4)
        )


def test_a_box_of_another_size_must_score_much_more_to_be_the_networks() -> None:
    truth = np.array([0.0, 0.0, 40.0, 40.0])
    for score, growth in ((0.85, 0.0), (0.95, np.log(40 / 60))):
        seen = proposals((0, 0, 40, 40, 0.8), (0, 0, 60, 60, score))
        assert measure_correction([(seen, truth)]) == pytest.approx([0, 0, growth, growth])


def test_nothing_is_corrected_where_the_network_does_not_see_the_target() -> None:
    far = proposals((100, 100, 40, 40, 0.9))
    assert (measure_correction([(far, np.array([0.0, 0.0, 40.0, 40.0]))]) == 0).all()
