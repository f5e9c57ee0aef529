"""Dark images: how dark they are, and what a gain makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.boxes import Box
from visual_tracker.brightness import LARGEST_GAIN, Gain, brightness
from visual_tracker.images import Image

BOX = Box(40, 30, 10, 20)


def scene(level: int = 40, width: int = 160, height: int = 120) -> Image:
    """Every grey level from 0 to `level`, in every neighbourhood."""
    return np.random.default_rng(0).integers(0, level + 1, (height, width, 3), dtype=np.uint8)


def test_the_brightest_channel_counts() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    for channel, level in enumerate((70, 50, 60)):
        image[..., channel] = level
    assert brightness(image) == 70


def test_a_lamp_is_no_daylight() -> None:
    image = np.full((320, 320, 3), 30, np.uint8)
    image[:20, :20] = 255  # four of the 1,024 places that are looked at
    assert brightness(image) == 30
    image[:40, :80] = 255  # 32 of them
    assert brightness(image) == 255


def test_the_surroundings_of_the_target_count() -> None:
    image = np.full((120, 160, 3), 200, np.uint8)
    # four times the larger side of the box, around its middle (45, 40), as far as the image goes
    image[0:80, 5:85] = 20
    assert brightness(image, BOX) == 20
    image[0:80, 5:10] = 200
    assert brightness(image, BOX) == 200
    assert brightness(image) == 200


@pytest.mark.parametrize("box", [Box(-50, -50, 8, 8), Box(500, 10, 8, 8)])
def test_a_box_beyond_the_image_looks_at_all_of_it(box: Box) -> None:
    assert brightness(scene(), box) == brightness(scene())


def test_what_is_bright_enough_is_not_copied() -> None:
    image, dark = scene(200), scene(20)
    assert Gain().start(image, 96, BOX) is image
    assert Gain().start(dark, 0, BOX) is dark


@given(
    level=st.integers(6, 95),
    least=st.integers(1, 255),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_dark_images_get_what_they_lack(level: int, least: int, size: tuple[int, int]) -> None:
    image = scene(level, *size)
    everywhere = Box(0, 0, *size)
    before = brightness(image)
    bright = Gain().start(image, least, everywhere)
    expected = np.rint(image * min(max(least / max(before, 1), 1.0), LARGEST_GAIN))
    np.testing.assert_allclose(bright, np.minimum(expected, 255), atol=1)
    if before and least / before <= LARGEST_GAIN:
        assert brightness(bright) >= least - 1


def test_black_stays_black() -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    np.testing.assert_array_equal(Gain().start(black, 96, Box(5, 5, 5, 5)), black)


def flat(level: int, around_box: int | None = None) -> Image:
    """One level, and another one around BOX."""
    image = np.full((120, 160, 3), level, np.uint8)
    if around_box is not None:
        image[0:80, 5:85] = around_box
    return image


def started(image: Image) -> Gain:
    gain = Gain()
    gain.start(image, 96, BOX)
    return gain


def test_the_gain_of_a_lost_target_is_the_one_it_was_held_with() -> None:
    gain = started(flat(60, around_box=12))
    # the image in which it is lost: what is there now says nothing of what it looked like
    assert gain.applied(flat(60, around_box=24), 96, BOX)[0, 50, 0] == 96
    for _ in range(2):
        assert gain.applied(flat(60, around_box=12), 96, None)[0, 50, 0] == 96
    # as a whole darker than before, though nothing of it is as dark as the target's place was
    assert gain.applied(flat(20), 96, None)[0, 0, 0] == 160


def test_the_gain_follows_a_target_that_is_held() -> None:
    gain = started(flat(12))
    assert gain.applied(flat(24), 96, BOX)[0, 0, 0] == 96
    assert gain.applied(flat(32), 96, BOX)[0, 0, 0] == 96
    # held with 24, lost with 32
    assert gain.applied(flat(24), 96, None)[0, 0, 0] == 96
    assert gain.applied(flat(12), 96, None)[0, 0, 0] == 48


def test_a_bright_target_in_the_dark_is_not_bleached_once_it_is_lost() -> None:
    gain = started(flat(10, around_box=150))
    dark = flat(10)
    gain.applied(dark, 96, BOX)  # it has just left
    assert gain.applied(dark, 96, None) is dark


@pytest.mark.parametrize(("level", "seen"), [(24, 96), (48, 96), (96, 96), (120, 120)])
def test_light_that_comes_while_a_target_is_lost_takes_the_gain_away(level: int, seen: int) -> None:
    gain = started(flat(24))
    gain.applied(flat(24), 96, BOX)
    assert gain.applied(flat(level), 96, None)[0, 0, 0] == seen
    # it is not forgotten: the light may go again
    assert gain.applied(flat(24), 96, None)[0, 0, 0] == 96


def test_without_light_or_gain_the_next_image_may_be_dark_again() -> None:
    gain = started(flat(24))
    bright, dark = flat(120), flat(24)
    assert gain.applied(bright, 96, BOX) is bright
    assert gain.applied(bright, 96, BOX) is bright
    assert gain.applied(dark, 96, None) is dark
    assert gain.applied(dark, 96, BOX)[0, 0, 0] == 96
    assert gain.applied(dark, 0, BOX) is dark


def test_a_target_that_starts_anew_begins_with_its_own_gain() -> None:
    gain = started(flat(12))
    bright = flat(120)
    assert gain.start(bright, 96, BOX) is bright
    assert gain.applied(bright, 96, None) is bright
