"""Boxes: conversions, overlap, clipping and what is refused."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from visual_tracker.boxes import Box, BoxError, parse_xywh

coordinates = st.floats(-1e4, 1e4)
sides = st.floats(0.01, 1e4)
boxes = st.builds(Box, coordinates, coordinates, sides, sides)


def same(first: Box, second: Box) -> bool:
    return first.xywh == pytest.approx(second.xywh, rel=1e-9, abs=1e-7)


def test_every_convention_names_the_same_box() -> None:
    box = Box(10, 20, 30, 40)
    assert box.xywh == (10, 20, 30, 40)
    assert box.xywh_one_based == (11, 21, 30, 40)
    assert box.xyxy == (10, 20, 40, 60)
    assert box.center == (25, 40)
    assert box.area == 1200
    assert Box.from_xywh(10, 20, 30, 40) == box
    assert Box.from_xywh_one_based(11, 21, 30, 40) == box
    assert Box.from_xyxy(10, 20, 40, 60) == box
    assert Box.from_center(25, 40, 30, 40) == box


@given(boxes)
def test_every_conversion_can_be_undone(box: Box) -> None:
    assert same(Box.from_xywh(*box.xywh), box)
    assert same(Box.from_xywh_one_based(*box.xywh_one_based), box)
    assert same(Box.from_center(*box.center, box.width, box.height), box)
    assert same(parse_xywh(",".join(repr(number) for number in box.xywh)), box)
    left, top, right, bottom = box.xyxy
    assume(right > left and bottom > top)
    assert same(Box.from_xyxy(left, top, right, bottom), box)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 50 / 150),
        (Box(0, 0, 10, 10), Box(5, 5, 10, 10), 25 / 175),
        (Box(0, 0, 10, 10), Box(2, 3, 4, 5), 20 / 100),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0.0),
        (Box(0, 0, 10, 10), Box(50, 60, 10, 10), 0.0),
    ],
)
def test_iou_as_computed_by_hand(first: Box, second: Box, expected: float) -> None:
    assert first.iou(second) == pytest.approx(expected)


@given(boxes, boxes)
def test_iou_is_symmetric_and_between_zero_and_one(first: Box, second: Box) -> None:
    assert first.iou(second) == pytest.approx(second.iou(first))
    assert 0 <= first.iou(second) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(10, 10, 20, 20), Box(10, 10, 20, 20)),
        (Box(-5, -6, 20, 20), Box(0, 0, 15, 14)),
        (Box(90, 40, 20, 20), Box(90, 40, 10, 10)),
        (Box(-1, -1, 1000, 1000), Box(0, 0, 100, 50)),
    ],
)
def test_clipping_keeps_what_lies_in_a_100x50_image(box: Box, expected: Box) -> None:
    assert box.clipped(100, 50) == expected
    assert box.visible_fraction(100, 50) == pytest.approx(expected.area / box.area)


@pytest.mark.parametrize("box", [Box(-20, 0, 20, 10), Box(100, 0, 5, 5), Box(0, 50, 5, 5)])
def test_a_box_that_only_touches_the_image_is_refused(box: Box) -> None:
    with pytest.raises(BoxError, match="outside the 100x50 image"):
        box.clipped(100, 50)
    assert box.visible_fraction(100, 50) == 0


def test_too_small_a_rest_in_the_image_is_refused_with_its_size() -> None:
    box = Box(98, 10, 20, 20)
    assert box.clipped(100, 50, min_side=2).width == 2
    with pytest.raises(BoxError, match=r"leaves 2x20 pixels.*smallest side allowed is 3"):
        box.clipped(100, 50, min_side=3)


@given(boxes, st.integers(1, 5000), st.integers(1, 5000))
def test_a_clipped_box_lies_inside_both_the_image_and_the_box(
    box: Box, width: int, height: int
) -> None:
    try:
        left, top, right, bottom = box.clipped(width, height).xyxy
    except BoxError:
        assert box.visible_fraction(width, height) < 1e-6
        return
    assert 0 <= left < right <= width + 1e-6
    assert 0 <= top < bottom <= height + 1e-6
    assert left >= box.x
    assert top >= box.y
    assert right <= box.xyxy[2] + 1e-6
    assert bottom <= box.xyxy[3] + 1e-6


@given(st.floats(0, 637), st.floats(0, 477), st.floats(3, 30), st.floats(3, 30))
def test_a_box_inside_the_image_is_not_changed(
    x: float, y: float, width: float, height: float
) -> None:
    box = Box(x, y, width, height)
    assume(box.xyxy[2] <= 640)
    assume(box.xyxy[3] <= 480)
    assert box.clipped(640, 480, min_side=3) == box


@given(st.floats(0.01, 477))
def test_the_side_that_is_not_cut_keeps_its_length(place: float) -> None:
    assert Box(-2, place, 6, 3).clipped(640, 480, min_side=3) == Box(0, place, 4, 3)
    assert Box(place, 470, 3, 20).clipped(640, 480, min_side=3) == Box(place, 470, 3, 10)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(position: int, value: float) -> None:
    numbers = [1.0, 2.0, 3.0, 4.0]
    numbers[position] = value
    name = ("x", "y", "width", "height")[position]
    with pytest.raises(BoxError, match=rf"box {name} is -?(nan|inf); it must be a finite number"):
        Box(*numbers)


@pytest.mark.parametrize("value", ["a", None, [1, 2], 1j], ids=repr)
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Box, "x"),
        (Box.from_xywh, "x"),
        (Box.from_xywh_one_based, "x"),
        (Box.from_xyxy, "left"),
        (Box.from_center, "center_x"),
    ],
)
def test_what_is_no_number_is_refused_by_name(make: Any, name: str, value: Any) -> None:
    why = re.escape(f"box {name} is {value!r}; it must be a finite number of pixels")
    with pytest.raises(BoxError, match=why):
        make(value, 2, 30, 40)


@pytest.mark.parametrize(
    "make", [Box, Box.from_xywh, Box.from_xywh_one_based, Box.from_xyxy, Box.from_center]
)
def test_an_integer_beyond_all_floats_is_refused_by_name(make: Any) -> None:
    # of more digits than Python prints
    with pytest.raises(BoxError, match=r"box (height|bottom) is beyond all floats"):
        make(1, 2, 30, 10**5000)


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ((0, 0, 1e-200, 1e-200), "too small: its area is rounded to zero"),
        ((0, 0, 1e200, 1e200), "too large: its area"),
        # two such areas have no sum
        ((0, 0, 1e154, 1e154), "too large: its area"),
        ((0, 0, 10**200, 10**200), "too large: its area"),
        ((10**308, 0, 10**308, 1), "too large: its area or an edge"),
        ((1e308, 0, 1e308, 1), "too large: its area or an edge"),
        ((0, 1.7e308, 1e-3, 1e308), "too large: its area or an edge"),
    ],
)
def test_a_box_too_small_or_large_for_an_overlap_is_refused(numbers: tuple, why: str) -> None:
    with pytest.raises(BoxError, match=why):
        Box(*numbers)


@pytest.mark.parametrize("side", [1e-150, 1e-9, 1e9, 1e153])
def test_a_very_small_or_large_box_overlaps_itself(side: float) -> None:
    box = Box(0, 0, side, side)
    assert box.iou(box) == pytest.approx(1)


@pytest.mark.parametrize(("name", "numbers"), [("width", (0, 0, 0, 5)), ("height", (0, 0, 5, -2))])
def test_a_side_without_extent_is_refused_by_name(name: str, numbers: tuple) -> None:
    with pytest.raises(BoxError, match=rf"box {name} is (0|-2); it must be greater than zero"):
        Box(*numbers)


def test_edges_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(BoxError, match="width is -10"):
        Box.from_xyxy(20, 0, 10, 10)


@pytest.mark.parametrize("text", ["73,36,50,61", "73 36 50 61", " 73, 36,\t50 61 "])
def test_a_box_is_read_with_commas_or_spaces(text: str) -> None:
    assert parse_xywh(text) == Box(73, 36, 50, 61)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,three,4"])
def test_text_that_is_no_box_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BoxError, match="write x,y,w,h in pixels, like 73,36,50,61"):
        parse_xywh(text)


@pytest.mark.parametrize("text", ["nan,1,2,3", "1,2,0,4"])
def test_four_numbers_that_make_no_box_are_refused_by_name(text: str) -> None:
    with pytest.raises(BoxError, match=r"box (x is nan|width is 0)"):
        parse_xywh(text)


def test_a_box_in_a_message_is_short() -> None:
    assert str(Box(1, 2.5, 3, 4)) == "(1, 2.5, 3, 4)"
