"""Anchors against the published sizes, deltas against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.boxes import Box
from visual_tracker.models.anchors import anchor_grid, anchor_sizes, decode, encode, iou_with
from visual_tracker.models.geometry import ALEXNET, LITE_RPN

sides = st.floats(4, 250)
places = st.floats(-120, 120)


def test_sizes_are_the_published_ones() -> None:
    expected = [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert anchor_sizes(ALEXNET).tolist() == expected


def test_a_network_may_have_one_square_anchor() -> None:
    assert anchor_sizes(LITE_RPN).tolist() == [[64, 64]]
    grid = anchor_grid(15, 15, LITE_RPN)
    assert grid.shape == (4, 1, 15, 15)
    assert grid[:, 0, 7, 8].tolist() == [16, 0, 64, 64]


@pytest.mark.parametrize("size", [17, 19, 21, 27, 81])
def test_the_grid_is_centred(size: int) -> None:
    grid = anchor_grid(size, size, ALEXNET)
    assert grid.shape == (4, 5, size, size)
    assert grid[0, 0, 0, 0] == -(size // 2) * 8
    assert grid[1, 3, size // 2, 0] == 0
    assert np.allclose(grid[:2].mean(axis=(1, 2, 3)), 0)


def test_columns_are_x_and_rows_are_y() -> None:
    grid = anchor_grid(3, 5, ALEXNET)
    assert grid[0, 0, 1].tolist() == [-16, -8, 0, 8, 16]
    assert grid[1, 0, :, 2].tolist() == [-8, 0, 8]


def test_deltas_of_one_anchor_by_hand() -> None:
    anchors = np.array([[10.0], [20.0], [40.0], [80.0]], dtype=np.float32)
    deltas = encode(anchors, (14.0, 12.0, 80.0, 40.0))
    assert deltas[:, 0] == pytest.approx([0.1, -0.1, np.log(2), -np.log(2)])


@given(places, places, sides, sides)
def test_decoding_undoes_encoding(x: float, y: float, width: float, height: float) -> None:
    anchors = anchor_grid(27, 27, ALEXNET)
    boxes = decode(anchors, encode(anchors, (x, y, width, height)))
    expected = np.array([x, y, width, height])[:, None, None, None]
    assert np.abs(boxes - expected).max() < 1e-2


@given(places, places, sides, sides)
def test_iou_is_that_of_boxes(x: float, y: float, width: float, height: float) -> None:
    anchors = anchor_grid(5, 5, ALEXNET)
    overlaps = iou_with(anchors, (x, y, width, height))
    box = Box.from_center(x, y, width, height)
    for index in ((0, 0, 0), (2, 2, 2), (4, 4, 1)):
        anchor = Box.from_center(*(float(value) for value in anchors[(slice(None), *index)]))
        assert overlaps[index] == pytest.approx(anchor.iou(box), abs=1e-5)
