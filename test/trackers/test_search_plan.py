"""The growing search region: growth, coverage, bounded cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame, context_side
from visual_tracker.models.geometry import ALEXNET, LITE, Geometry
from visual_tracker.trackers.search_plan import (
    SearchPlan,
    lost_centers,
    tiles,
)

IMAGE = (1920, 1080)
LARGEST = 641
#: crop pixels between two sizes of crops
STEP = 64


def centers_of(frame: CropFrame, geometry: Geometry) -> Box:
    """Where a target's centre is seen in a crop."""
    margin = geometry.kernel_span * frame.pixel
    region = frame.region
    return Box.from_center(*region.center, region.width - margin, region.height - margin)


def frames_until_whole(
    center: tuple[float, float], pixel: float, growth: int, geometry: Geometry
) -> int:
    """In which frame after the loss the region first covers the whole image."""
    reach = geometry.search_size - geometry.kernel_span
    sides = ((reach + growth * lost) * pixel for lost in itertools.count(1))
    regions = (lost_centers(center, side, *IMAGE) for side in sides)
    return next(lost for lost, region in enumerate(regions, 1) if region == Box(0, 0, *IMAGE))


def test_the_region_grows_by_a_constant_step_around_the_last_place() -> None:
    for lost in (1, 2, 3, 4):
        frame = SearchPlan(64, 10_000, LITE).frame((960, 540), 0.5, lost, lost, IMAGE)
        side = 208 + 64 * lost
        assert frame.region.center == (960, 540)
        assert side <= frame.width - 49 < side + STEP
        assert frame.width == frame.height
        assert frame.pixel == 0.5


def test_the_region_stays_in_the_image_and_ends_as_the_whole() -> None:
    assert lost_centers((100, 50), 300, 640, 480) == Box(0, 0, 250, 200)
    assert lost_centers((100, 50), 2000, 640, 480) == Box(0, 0, 640, 480)


@pytest.mark.parametrize("geometry", [LITE, ALEXNET])
def test_crops_come_in_few_sizes(geometry: Geometry) -> None:
    searches = itertools.product(range(100, 1900, 150), (0.3, 0.55, 0.9, 1.7, 3.1), range(1, 30))
    frames = [
        SearchPlan(128, 449, geometry).frame((x, 500), pixel, lost, lost, IMAGE)
        for x, pixel, lost in searches
    ]
    sides = {side for frame in frames for side in (frame.width, frame.height)}
    assert len(sides) <= 449 // STEP + 1
    assert max(sides) < 449 + geometry.size_step


@given(st.floats(50, 2000), st.floats(50, 1200), st.floats(40, 900))
def test_tiles_cover_and_do_not_overlap(width: float, height: float, largest: float) -> None:
    region = Box(10, 20, width, height)
    parts = tiles(region, (10, 20), largest)
    assert parts[:, 2:].prod(axis=1).sum() == pytest.approx(region.area)
    assert (parts[:, 2:] <= largest * 1.001).all()
    middles = parts[:, :2] + parts[:, 2:] / 2
    distances = ((middles - (10, 20)) ** 2).sum(axis=1)
    assert distances == pytest.approx(np.sort(distances))
    # each place once
    assert len(np.unique(parts[:, :2], axis=0)) == len(parts)
    # Fewest: with one row or column less, a tile would be too large.
    columns = len(np.unique(parts[:, 0]))
    assert columns == 1 or width / (columns - 1) > largest


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 1920),
    st.floats(0, 1080),
    st.floats(12, 900),
    st.floats(12, 900),
    st.sampled_from([LITE, ALEXNET]),
    st.integers(8, 200),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_every_place_of_a_full_hd_image_is_searched_at_bounded_cost(
    x: float,
    y: float,
    width: float,
    height: float,
    geometry: Geometry,
    growth: int,
    target_x: float,
    target_y: float,
) -> None:
    pixel = context_side(width, height) / geometry.template_size
    first = frames_until_whole((x, y), pixel, growth, geometry)
    target = (target_x * IMAGE[0], target_y * IMAGE[1])
    whole = tiles(Box(0, 0, *IMAGE), (x, y), (LARGEST - geometry.kernel_span) * pixel)
    found = False
    for lost in range(first, first + len(whole)):
        frame = SearchPlan(growth, LARGEST, geometry).frame((x, y), pixel, lost, lost, IMAGE)
        assert max(frame.width, frame.height) < LARGEST + geometry.size_step
        seen = centers_of(frame, geometry)
        left, top, right, bottom = seen.xyxy
        found |= left - 1e-6 <= target[0] <= right + 1e-6 and (
            top - 1e-6 <= target[1] <= bottom + 1e-6
        )
    assert found
