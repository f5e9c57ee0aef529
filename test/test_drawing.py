"""What is drawn, looked at pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from visual_tracker.boxes import Box
from visual_tracker.drawing import (
    LOST_COLOR,
    SEARCH_COLOR,
    TRACKING_COLOR,
    Color,
    confidence_text,
    contact_sheet,
    draw_box,
    draw_targets,
    draw_text,
    draw_track,
)
from visual_tracker.images import Image
from visual_tracker.targets import TargetReport
from visual_tracker.trackers import Track, TrackState


def black(width: int = 160, height: int = 120) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def has(image: Image, color: Color) -> bool:
    """Whether some pixel has that color, or nearly: thin lines are anti-aliased."""
    return bool((np.abs(image.astype(int) - color).max(axis=2) < 50).any())


def touched(image: Image) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of all that is not black."""
    rows, columns = np.nonzero(image.any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_box_is_drawn_on_its_own_edge_pixels() -> None:
    image = black()
    draw_box(image, Box(20, 30, 50, 40), (0, 0, 255), thickness=1)
    for row, column in ((30, 40), (69, 40), (50, 20), (50, 69)):
        assert image[row, column, 2] > 200
    # anti-aliasing may touch the pixels beside
    assert touched(image) == pytest.approx((20, 30, 70, 70), abs=1)
    assert not image[32:68, 22:68].any()


@pytest.mark.parametrize(
    ("state", "color", "other"),
    [
        (TrackState.TRACKING, TRACKING_COLOR, LOST_COLOR),
        (TrackState.LOST, LOST_COLOR, TRACKING_COLOR),
    ],
)
def test_the_color_tells_the_state(state: TrackState, color: Color, other: Color) -> None:
    image = black()
    draw_track(image, Track(Box(20, 30, 50, 40), None, state))
    assert has(image, color)
    assert not has(image, other)
    assert not has(image, SEARCH_COLOR)


def test_the_search_region_is_drawn_where_it_is_known() -> None:
    image = black()
    draw_track(
        image, Track(Box(60, 60, 20, 20), None, TrackState.TRACKING, Box(30, 40, 100, 70)), "dog"
    )
    assert has(image, SEARCH_COLOR)
    assert has(image, TRACKING_COLOR)
    assert touched(image) == pytest.approx((30, 40, 130, 110), abs=1)


def test_name_and_confidence_are_written() -> None:
    plain, named, sure = black(), black(), black()
    for image, confidence, name in ((plain, None, ""), (named, None, "dog"), (sure, 0.5, "dog")):
        draw_track(image, Track(Box(60, 60, 20, 20), confidence, TrackState.TRACKING), name)
    assert touched(plain) == pytest.approx((60, 60, 80, 80), abs=2)
    assert touched(named)[1] < touched(plain)[1]
    assert touched(sure)[2] > touched(named)[2]


@pytest.mark.parametrize(("x", "y"), [(-50, -50), (500, 500), (155, 118), (0, -14)])
def test_text_stays_inside_the_image(x: float, y: float) -> None:
    image = black()
    draw_text(image, "dog 0.50", x, y, (255, 255, 255))
    inside = black(200, 160)
    draw_text(inside, "dog 0.50", 40, 40, (255, 255, 255))
    seen, whole = touched(image), touched(inside)
    # outlines may be cut at the edge, letters may not
    assert seen[2] - seen[0] >= whole[2] - whole[0] - 4
    assert seen[3] - seen[1] >= whole[3] - whole[1] - 4


@pytest.mark.parametrize("box", [Box(-500, -500, 100, 100), Box(-5, 5, 900, 900)])
def test_a_box_beyond_the_image_is_drawn_as_far_as_it_is_seen(box: Box) -> None:
    image = black()
    draw_track(image, Track(box, 0.1, TrackState.LOST), "a very long name of a very small target")
    assert has(image, LOST_COLOR)
    assert image[5:8, 100].any() == (box.y == 5)


def test_targets_are_drawn_on_a_copy_by_label_or_else_id() -> None:
    image = black()
    track = Track(Box(60, 60, 20, 20), None, TrackState.TRACKING)
    drawn = [
        draw_targets(image, [TargetReport(target_id, label, track, 0)])
        for target_id, label in (("target_1", "dog"), ("dog", ""), ("target_1", ""))
    ]
    assert not image.any()
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_a_confidence_has_two_decimals_or_is_nothing() -> None:
    assert [confidence_text(value) for value in (None, 0.0, 0.987)] == ["", "0.00", "0.99"]


def test_the_contact_sheet_goes_row_by_row() -> None:
    images = [np.full((30, 40, 3), 10 * (number + 1), np.uint8) for number in range(5)]
    sheet = contact_sheet(images, columns=2, width=20)
    assert sheet.shape == (45, 40, 3)
    tiles = [sheet[15 * (n // 2) + 7, 20 * (n % 2) + 10, 0] for n in range(6)]
    assert tiles == [10, 20, 30, 40, 50, 0]


def test_images_of_other_shapes_fit_on_one_sheet() -> None:
    sheet = contact_sheet([black(100, 10) + 9, black(10, 100) + 8], columns=2, width=20)
    assert sheet.shape == (200, 40, 3)
    assert (sheet[0, 5, 0], sheet[100, 5, 0], sheet[199, 25, 0]) == (9, 0, 8)
