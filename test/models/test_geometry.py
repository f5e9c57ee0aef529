"""Sizes that tie maps to crops."""

from __future__ import annotations

import pytest

from visual_tracker.models.geometry import (
    ALEXNET,
    LITE,
    LITE_RE3,
    LITE_RPN,
    Geometry,
    GeometryError,
)


def test_score_sizes_of_the_paper() -> None:
    assert ALEXNET.response_size(271) == 19
    assert ALEXNET.response_size(287) == 21
    assert ALEXNET.response_size(767) == 81


def test_score_size_of_ours() -> None:
    assert LITE.response_size(257) == 27
    assert LITE_RPN.response_size(257) == 15


@pytest.mark.parametrize(
    ("geometry", "size"), [(ALEXNET, 270), (LITE, 265), (LITE, 33), (LITE_RPN, 17)]
)
def test_a_size_off_the_grid_is_refused(geometry: Geometry, size: int) -> None:
    with pytest.raises(GeometryError, match="multiples of"):
        geometry.response_size(size)


def test_a_network_without_a_map_has_one_size() -> None:
    assert LITE_RE3.response_size(129) == 1
    with pytest.raises(GeometryError, match=r"a search size of 145 does not fit; use 129$"):
        LITE_RE3.response_size(145)


@pytest.mark.parametrize("geometry", [ALEXNET, LITE, LITE_RPN])
@pytest.mark.parametrize("size", [10.0, 127.0, 128.5, 257.0, 257.1, 640.0])
def test_the_fitting_size_is_the_smallest_that_fits(geometry: Geometry, size: float) -> None:
    fitting = geometry.fitting_size(size)
    assert fitting >= size
    assert geometry.response_size(fitting) >= 1
    smaller = fitting - geometry.size_step
    assert smaller < size or smaller < geometry.kernel_span


@pytest.mark.parametrize("geometry", [ALEXNET, LITE, LITE_RPN])
@pytest.mark.parametrize("size", [127.0, 128.5, 257.0, 257.1, 640.0])
def test_fitting_sizes_a_larger_step_apart(geometry: Geometry, size: float) -> None:
    fitting = geometry.fitting_size(size, 64)
    assert size <= fitting < size + 64 or fitting - 64 < geometry.kernel_span
    assert (fitting - geometry.search_size) % 64 == 0
    assert geometry.response_size(fitting) >= 1
