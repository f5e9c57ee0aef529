"""Lessons wait, in order, and are dropped with a loss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.trackers.delayed_lessons import DelayedLessons


def test_without_delay_a_lesson_is_learned_at_once() -> None:
    assert DelayedLessons[str]().hold("a", 0) == ["a"]


def test_a_lesson_waits_for_frames_that_teach_nothing_too() -> None:
    lessons = DelayedLessons[str]()
    assert [lessons.hold(lesson, 2) for lesson in ("a", None, "b", None, None)] == [
        [], [], ["a"], [], ["b"],
    ]  # fmt: skip


def test_what_waits_is_dropped_with_a_loss() -> None:
    lessons = DelayedLessons[str]()
    lessons.hold("a", 2)
    lessons.hold("b", 2)
    lessons.drop()
    assert [lessons.hold(lesson, 2) for lesson in ("c", None, None)] == [[], [], ["c"]]


def test_a_shorter_delay_lets_all_go_that_waited_for_it() -> None:
    lessons = DelayedLessons[str]()
    for lesson in ("a", "b", "c"):
        assert lessons.hold(lesson, 5) == []
    assert lessons.hold("d", 1) == ["a", "b", "c"]


@given(st.lists(st.one_of(st.none(), st.integers(0)), max_size=40), st.integers(0, 12))
def test_every_lesson_followed_by_the_delay_is_learned_once_in_order(
    frames: list[int | None], delay: int
) -> None:
    frames = [None if frame is None else number for number, frame in enumerate(frames)]
    lessons = DelayedLessons[int]()
    learned = [lesson for frame in frames for lesson in lessons.hold(frame, delay)]
    assert learned == [n for n in frames[: max(len(frames) - delay, 0)] if n is not None]
