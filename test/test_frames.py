"""The ring buffer from which a late init starts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from test.fakes import FakeFrame
from visual_tracker.frames import NANOSECONDS, FrameBuffer


def filled(stamps: list[int], max_seconds: float = 1e6, max_bytes: int = 10**9) -> FrameBuffer:
    buffer = FrameBuffer(max_seconds, max_bytes)
    for number, stamp in enumerate(stamps):
        buffer.append(FakeFrame(number, stamp))
    return buffer


def kept(buffer: FrameBuffer) -> list[int]:
    """Numbers of the frames kept."""
    return [frame.number for frame in buffer.after(FakeFrame(-1))]  # type: ignore[attr-defined]


def test_an_empty_buffer_has_no_span_and_no_frame() -> None:
    buffer = FrameBuffer(1, 1)
    assert len(buffer) == 0
    assert buffer.span is None
    assert buffer.nearest(0) is None
    assert buffer.after(FakeFrame(0)) == []


def test_frames_older_than_the_span_are_let_go() -> None:
    buffer = filled([second * NANOSECONDS for second in range(6)], max_seconds=2)
    assert kept(buffer) == [3, 4, 5]
    assert buffer.span == (3 * NANOSECONDS, 5 * NANOSECONDS)


def test_frames_beyond_the_memory_are_let_go() -> None:
    assert kept(filled([0, 1, 2, 3, 4], max_bytes=250)) == [3, 4]


def test_memory_is_given_back_with_the_frames_let_go() -> None:
    buffer = FrameBuffer(1e6, 250)
    sizes = [200, 40, 10, 100, 100, 50]
    for number, size in enumerate(sizes):
        buffer.append(FakeFrame(number, number + 1, size))
    assert kept(buffer) == [3, 4, 5]
    buffer.clear()
    for number, size in enumerate([100, 100, 50]):
        buffer.append(FakeFrame(number, number + 1, size))
    assert kept(buffer) == [0, 1, 2]


def test_the_newest_frame_is_kept_however_large() -> None:
    assert kept(filled([1, 2], max_seconds=0, max_bytes=0)) == [1]


def test_a_stamp_that_goes_back_empties_the_buffer() -> None:
    buffer = filled([10, 20, 30, 15])
    assert kept(buffer) == [3]
    assert buffer.span == (15, 15)


def test_how_far_a_stamp_went_back_is_told() -> None:
    buffer = filled([10, 30])
    assert [buffer.append(FakeFrame(2, stamp)) for stamp in (40, 15, 15, 16)] == [0, 25, 0, 0]


def test_a_frame_without_a_stamp_is_not_kept_and_empties_nothing() -> None:
    buffer = filled([10, 20])
    assert buffer.append(FakeFrame(2, 0)) == 0
    assert kept(buffer) == [0, 1]


def test_what_is_taken_is_forgotten() -> None:
    buffer = filled([10, 20])
    assert [frame.stamp for frame in buffer.take()] == [10, 20]
    assert len(buffer) == 0


def test_a_stamp_that_stays_is_kept_beside_the_other() -> None:
    assert kept(filled([10, 10])) == [0, 1]


def test_the_nearest_frame_is_found_inside_the_span_only() -> None:
    buffer = filled([10, 20, 40])
    found = {stamp: buffer.nearest(stamp) for stamp in (9, 10, 14, 16, 29, 31, 40, 41)}
    numbers = {stamp: frame and frame.number for stamp, frame in found.items()}  # type: ignore
    assert numbers == {9: None, 10: 0, 14: 0, 16: 1, 29: 1, 31: 2, 40: 2, 41: None}


def test_after_gives_the_frames_that_came_later() -> None:
    buffer = filled([10, 20, 30])
    first, newest = buffer.nearest(10), buffer.nearest(30)
    assert first is not None
    assert newest is not None
    assert [frame.stamp for frame in buffer.after(first)] == [20, 30]
    assert buffer.after(newest) == []


def test_after_a_frame_let_go_come_all_that_are_kept() -> None:
    buffer = filled([10, 20, 30])
    first = buffer.nearest(10)
    assert first is not None
    buffer.clear()
    buffer.append(FakeFrame(7, 50))
    assert [frame.stamp for frame in buffer.after(first)] == [50]


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 60)), max_size=30),
    st.integers(0, 50),
    st.integers(0, 120),
)
def test_the_bounds_hold_after_every_frame(
    frames: list[tuple[int, int]], max_stamps: int, max_bytes: int
) -> None:
    buffer = FrameBuffer(max_stamps / NANOSECONDS, max_bytes)
    for number, (stamp, size) in enumerate(frames):
        buffer.append(FakeFrame(number, stamp, size))
        numbers = kept(buffer)
        assert numbers == list(range(numbers[0], number + 1))
        stamps = [frames[index][0] for index in numbers]
        assert stamps == sorted(stamps)
        assert buffer.span == (stamps[0], stamps[-1])
        assert len(numbers) == 1 or stamp - stamps[0] <= max_stamps
        assert len(numbers) == 1 or sum(frames[index][1] for index in numbers) <= max_bytes
