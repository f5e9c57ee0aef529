"""What is taken as an image."""

from __future__ import annotations

import numpy as np
import pytest

from visual_tracker.images import ImageError, as_bgr, size_of


def test_a_bgr_image_is_passed_on_without_a_copy() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert as_bgr(image) is image


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1)])
def test_grey_becomes_three_equal_channels(shape: tuple[int, ...]) -> None:
    grey = np.arange(24, dtype=np.uint8).reshape(shape)
    bgr = as_bgr(grey)
    assert bgr.shape == (4, 6, 3)
    for channel in range(3):
        assert np.array_equal(bgr[..., channel], grey.reshape(4, 6))


def test_the_alpha_channel_is_dropped() -> None:
    bgra = np.arange(96, dtype=np.uint8).reshape(4, 6, 4)
    assert np.array_equal(as_bgr(bgra), bgra[..., :3])


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ([[1, 2]], "numpy array, not list"),
        (None, "numpy array, not NoneType"),
        (np.zeros((4, 6, 3), np.float32), "uint8, not float32; scale it to 0..255"),
        (np.zeros(6, np.uint8), r"not shape \(6,\)"),
        (np.zeros((0, 6, 3), np.uint8), r"not shape \(0, 6, 3\)"),
        (np.zeros((4, 6, 0), np.uint8), r"not shape \(4, 6, 0\)"),
        (np.zeros((1, 4, 6, 3), np.uint8), "not shape"),
        (np.zeros((4, 6, 2), np.uint8), "1, 3 .* or 4 .* channels, not 2"),
        (np.zeros((4, 6, 5), np.uint8), "channels, not 5"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(image: object, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        as_bgr(image)


def test_the_size_is_width_then_height() -> None:
    assert size_of(np.zeros((4, 6, 3), np.uint8)) == (6, 4)
