"""Crop geometry: a crop mapped back lands where it came from."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.boxes import Box
from visual_tracker.crops import (
    AffineFrame,
    CropFrame,
    channel_mean,
    context_side,
    draw_crop,
    shrink,
    take_crop,
)

WIDTH, HEIGHT = 320, 240
coordinates = st.floats(-50, 350)
frames = st.builds(
    CropFrame,
    center_x=coordinates,
    center_y=coordinates,
    pixel=st.floats(0.1, 12),
    width=st.integers(1, 700),
    height=st.integers(1, 700),
)


def ramp() -> np.ndarray:
    """An image whose value tells the place: blue grows with x, green with y (centres at .5)."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return np.stack([x * 0.75, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def gaussian_image(x: float, y: float, sigma: float) -> np.ndarray:
    """A bright spot with its centre at continuous (x, y)."""
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    spot = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(spot).astype(np.uint8)[:, :, None], 3, axis=2)


def centroid(image: np.ndarray) -> tuple[float, float]:
    weights = image[:, :, 0].astype(float)
    columns, rows = np.meshgrid(np.arange(image.shape[1]) + 0.5, np.arange(image.shape[0]) + 0.5)
    return float((weights * columns).sum() / weights.sum()), float(
        (weights * rows).sum() / weights.sum()
    )


def test_context_side_of_a_square_is_twice_its_side() -> None:
    assert context_side(40, 40) == pytest.approx(80)


def test_context_side_by_the_papers_formula() -> None:
    margin = (30 + 50) / 2
    assert context_side(30, 50) == pytest.approx(math.sqrt((30 + margin) * (50 + margin)))


@given(frames, coordinates, coordinates)
def test_points_map_back(frame: CropFrame, x: float, y: float) -> None:
    assert frame.to_image(*frame.to_crop(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(frames, coordinates, coordinates, st.floats(1, 200), st.floats(1, 200))
def test_boxes_map_back(frame: CropFrame, x: float, y: float, width: float, height: float) -> None:
    box = Box.from_center(x, y, width, height)
    seen = frame.box_to_crop(box)
    center_x, center_y = seen.center
    from_center = [center_x - frame.width / 2, center_y - frame.height / 2, seen.width, seen.height]
    back = frame.centered_to_image(np.array(from_center)[:, None])[:, 0]
    assert back == pytest.approx([x, y, width, height], abs=1e-6)


def test_boxes_around_the_crops_centre_lie_around_its_place_in_the_image() -> None:
    frame = CropFrame(100.0, 50.0, 0.5, 257, 129)
    boxes = np.array([[0, 8], [0, -6], [20, 30], [10, 40]], np.float32)
    placed = frame.centered_to_image(boxes)
    assert placed.T.tolist() == [[100, 50, 10, 5], [104, 47, 15, 20]]
    x, y = frame.to_image(frame.width / 2 + 8, frame.height / 2 - 6)
    assert placed[:2, 1].tolist() == [x, y]


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, WIDTH),
    st.floats(0, HEIGHT),
    st.floats(0.15, 6),
    st.integers(33, 300),
    st.floats(-0.25, 0.25),
    st.floats(-0.25, 0.25),
)
def test_pixels_land_where_the_frame_says(
    center_x: float, center_y: float, pixel: float, size: int, dx: float, dy: float
) -> None:
    frame = CropFrame(center_x, center_y, pixel, size, size)
    sigma = max(2.0, 1.5 * pixel)
    spot = (center_x + dx * size * pixel, center_y + dy * size * pixel)
    inside_image = all(
        4 * sigma < value < limit - 4 * sigma
        for value, limit in zip(spot, (WIDTH, HEIGHT), strict=True)
    )
    in_crop = frame.to_crop(*spot)
    inside_crop = all(4 * sigma / pixel < value < size - 4 * sigma / pixel for value in in_crop)
    if inside_image and inside_crop:
        crop = take_crop(gaussian_image(*spot, sigma), frame, np.zeros(3))
        assert centroid(crop) == pytest.approx(in_crop, abs=0.1)


@pytest.mark.parametrize("pixel", [1.0, 2.0, 3.0, 5.5])
@pytest.mark.parametrize("center", [(160.0, 120.0), (0.0, 0.0), (320.0, 240.0), (-20.0, 100.0)])
def test_border_is_padded_and_the_rest_is_in_place(
    pixel: float, center: tuple[float, float]
) -> None:
    frame = CropFrame(*center, pixel, 65, 65)
    crop = take_crop(ramp(), frame, np.array([255.0, 255.0, 255.0])).astype(float)
    rows, columns = np.mgrid[0:65, 0:65]
    image_x, image_y = frame.to_image(columns + 0.5, rows + 0.5)
    margin = 2 * pixel
    inside = (
        (image_x > margin)
        & (image_x < WIDTH - margin)
        & (image_y > margin)
        & (image_y < HEIGHT - margin)
    )
    outside = (
        (image_x < -margin)
        | (image_x > WIDTH + margin)
        | (image_y < -margin)
        | (image_y > HEIGHT + margin)
    )
    assert np.all(crop[outside] == 255)
    assert inside.any()
    # Values grow by 0.75 and 1 a pixel and are rounded twice.
    assert np.abs(crop[inside][:, 0] - (image_x[inside] - 0.5) * 0.75).max() <= 1.5
    assert np.abs(crop[inside][:, 1] - (image_y[inside] - 0.5)).max() <= 1.5


def test_an_identity_crop_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (51, 51, 3), dtype=np.uint8)
    frame = CropFrame.square((25.5, 25.5), 51, 51)
    assert np.array_equal(take_crop(image, frame, channel_mean(image)), image)


def test_a_strong_reduction_does_not_alias() -> None:
    stripes = np.zeros((400, 400, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    crop = take_crop(stripes, CropFrame.square((200, 200), 320, 40), np.zeros(3))
    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_padding_is_the_channel_mean() -> None:
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    image[:, :5] = (10, 20, 30)
    assert channel_mean(image) == pytest.approx([5, 10, 15])
    outside = take_crop(image, CropFrame.square((100, 100), 8, 8), channel_mean(image))
    assert np.array_equal(outside, np.full((8, 8, 3), (5, 10, 15), dtype=np.uint8))
    assert cv2.mean(outside)[:3] == (5, 10, 15)


def turned(frame: CropFrame, degrees: float, wider: float = 1.0, shear: float = 0.0) -> AffineFrame:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return AffineFrame.changed(frame, turn @ np.array([[wider, shear], [0.0, 1.0]]))


@given(frames, coordinates, coordinates)
def test_an_unchanged_affine_frame_is_the_plain_one(frame: CropFrame, x: float, y: float) -> None:
    affine = turned(frame, 0)
    assert affine.points_to_crop(np.array([x, y])) == pytest.approx(frame.to_crop(x, y))
    box, plain = affine.box_to_crop(Box(x, y, 30, 20)), frame.box_to_crop(Box(x, y, 30, 20))
    assert box.xywh == pytest.approx(plain.xywh)
    assert affine.pixel == pytest.approx(frame.pixel)
    assert affine.warp() == pytest.approx(frame.warp())
    assert affine.region.xywh == pytest.approx(frame.region.xywh)


def test_a_quarter_turn_moves_right_to_down() -> None:
    frame = turned(CropFrame(100.0, 80.0, 2.0, 50, 50), 90)
    assert frame.points_to_crop(np.array([110.0, 80.0])) == pytest.approx((25, 30))
    assert frame.points_to_crop(np.array([100.0, 90.0])) == pytest.approx((20, 25))
    box = frame.box_to_crop(Box.from_center(110, 80, 40, 20))
    assert box.xywh == pytest.approx((20, 20, 10, 20))
    assert frame.shifted(3, 0).points_to_crop(np.array([100.0, 80.0])) == pytest.approx((22, 25))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.3, 6),
    st.integers(65, 300),
    st.floats(-40, 40),
    st.floats(0.8, 1.25),
    st.floats(-0.3, 0.3),
    st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
)
def test_turned_pixels_land_where_the_frame_says(
    pixel: float, size: int, degrees: float, wider: float, shear: float, at: tuple[float, float]
) -> None:
    frame = turned(CropFrame(150, 110, pixel, size, size), degrees, wider, shear)
    sigma = max(2.0, 1.5 * pixel)
    spot = (150 + at[0] * size * pixel, 110 + at[1] * size * pixel)
    in_crop = frame.points_to_crop(np.array(spot)).tolist()
    inside_image = all(
        6 * sigma < value < limit - 6 * sigma
        for value, limit in zip(spot, (WIDTH, HEIGHT), strict=True)
    )
    if inside_image and all(6 * sigma / pixel < v < size - 6 * sigma / pixel for v in in_crop):
        crop = take_crop(gaussian_image(*spot, sigma), frame, np.zeros(3))
        assert centroid(crop) == pytest.approx(in_crop, abs=0.1)


@given(st.floats(-180, 180), st.floats(0.7, 1.4), st.floats(-0.5, 0.5), st.floats(5, 80))
def test_a_turned_box_is_the_bounds_of_its_ellipse(
    degrees: float, wider: float, shear: float, height: float
) -> None:
    frame = turned(CropFrame(90, 70, 1.5, 101, 101), degrees, wider, shear)
    box = Box.from_center(120, 60, 50, height)
    around = np.linspace(0, 2 * np.pi, 2000)
    ellipse = np.stack([120 + 25 * np.cos(around), 60 + height / 2 * np.sin(around)], axis=-1)
    points = frame.points_to_crop(ellipse)
    low, high = points.min(axis=0), points.max(axis=0)
    found = frame.box_to_crop(box)
    assert found.xyxy == pytest.approx((*low, *high), abs=0.01)


@pytest.mark.parametrize("pixel", [1.0, 2.5])
def test_a_drawn_crop_keeps_the_ground_beyond_the_image(pixel: float) -> None:
    frame = turned(CropFrame(10.0, 20.0, pixel, 65, 65), 20)
    image = np.full((120, 160, 3), 200, dtype=np.uint8)
    ground = np.full((65, 65, 3), 7, dtype=np.uint8)
    draw_crop(image, frame, ground)
    alone = take_crop(image, frame, np.zeros(3))
    assert np.array_equal(
        ground[alone[:, :, 0] == 0], np.full((int((alone == 0).sum()) // 3, 3), 7)
    )
    assert (ground[alone[:, :, 0] == 200] == 200).mean() > 0.95  # all but a seam
    assert set(np.unique(ground)) == {7, 200}


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("pixel", [0.7, 1.0, 2.5])
@pytest.mark.parametrize("degrees", [0, 20])
@pytest.mark.parametrize("place", [-5.0, 32500.0, 32998.0])
def test_a_crop_of_an_image_too_large_for_opencv_is_that_of_its_surroundings(
    place: float, degrees: float, pixel: float, tall: bool
) -> None:
    image = np.random.default_rng(4).integers(0, 256, (40, 33000, 3), np.uint8)
    center, begin = [place, 18.0], [0 if place < 0 else 32000, 0]
    if tall:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
        center.reverse()
        begin.reverse()
    left, top = begin
    part = image[top : top + 1000, left : left + 1000]
    frame: CropFrame | AffineFrame = CropFrame(*center, pixel, 65, 51)
    if degrees:
        frame = turned(frame, degrees)
    near = replace(frame, center_x=frame.center_x - left, center_y=frame.center_y - top)
    padding = np.array([7.0, 8.0, 9.0])
    assert np.array_equal(take_crop(image, frame, padding), take_crop(part, near, padding))
    grounds = [np.full((51, 65, 3), 7, np.uint8) for _ in range(2)]
    draw_crop(image, frame, grounds[0])
    draw_crop(part, near, grounds[1])
    assert np.array_equal(*grounds)


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 6, 7, 8, 12])
def test_shrunk_images_are_means_of_blocks(factor: int) -> None:
    random = np.random.default_rng(factor)
    image = random.integers(0, 256, (5 * factor, 9 * factor, 3), np.uint8)
    small = shrink(image, factor)
    means = image.reshape(5, factor, 9, factor, 3).mean(axis=(1, 3))
    assert small.shape == means.shape
    assert small.dtype == np.uint8
    assert small.flags.c_contiguous
    # rounded once, and once more with every halving
    assert np.abs(small - means).max() <= 0.5 * (1 + (factor & -factor).bit_length())
    assert np.abs(small - means).mean() < 0.5
