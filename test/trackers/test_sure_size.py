"""Which size a lost target is looked for in."""

from __future__ import annotations

import pytest

from test.trackers.test_long_term import START, scene, started
from visual_tracker.boxes import Box
from visual_tracker.trackers.sure_size import SureSize

FIRST = Box.from_center(100, 100, 80, 40)
HALF = Box.from_center(110, 102, 40, 20)


def sizes(sure: SureSize, held: Box, steps: int) -> list[float]:
    """Widths that are looked for in the first steps."""
    return [sure.sought(held, step)[0].width for step in range(1, steps + 1)]


def test_the_last_frames_before_a_loss_do_not_count() -> None:
    sure = SureSize(FIRST)
    for width in (100, 104, 60, 50):
        sure.note(Box.from_center(100, 100, width, width / 2), True, delay=2)
    sure.drop()
    assert sizes(sure, HALF, 2) == [104, 40]
    sure.note(HALF, True, delay=2)  # found again, and lost at once
    sure.drop()
    assert sizes(sure, HALF, 2) == [104, 40]


def test_unsure_frames_do_not_count() -> None:
    sure = SureSize(FIRST)
    for _ in range(20):
        sure.note(HALF, False, delay=2)
    assert sizes(sure, HALF, 2) == [80, 40]


def test_every_step_is_a_turn_of_sizes_that_are_alike() -> None:
    held = Box.from_center(110, 102, 70, 35)
    sought = [SureSize(FIRST).sought(held, step) for step in (1, 2, 3)]
    assert [(box.width, turn) for box, turn in sought] == [(80, 1), (70, 2), (80, 3)]


def test_both_sizes_are_looked_for_by_turns_at_the_place_held_last() -> None:
    sought = [SureSize(FIRST).sought(HALF, step) for step in range(1, 7)]
    assert [turn for _, turn in sought] == [1, 1, 2, 2, 3, 3]
    assert [box.width for box, _ in sought] == [80, 40] * 3
    assert all(box.center == HALF.center for box, _ in sought)


@pytest.mark.parametrize("delay", [0, 5])
def test_a_delay_is_waited_for(delay: int) -> None:
    sure = SureSize(FIRST)
    for _ in range(delay):
        sure.note(HALF, True, delay)
        assert sizes(sure, HALF, 2) == [80, 40]
    sure.note(HALF, True, delay)
    assert sizes(sure, HALF, 2) == [40, 40]


def test_a_target_that_shrank_before_the_loss_is_found_at_its_own_size() -> None:
    """The box held last is a quarter; at that scale the target cannot be seen."""
    lost = started(template_threshold=0.0, learn_delay=3)
    for _ in range(5):
        lost.track(scene(START))
    for _ in range(3):
        assert lost.track(scene(None)).is_lost
    lost._hold.correct(Box.from_center(*START, 16, 16))
    far = (700.0, 400.0)
    tracks = [lost.track(scene(far)) for _ in range(40)]
    found = [track for track in tracks if not track.is_lost]
    assert found
    assert found[0].box.center == pytest.approx(far, abs=2.0)
    assert found[0].box.width == pytest.approx(64.5, rel=0.05)
