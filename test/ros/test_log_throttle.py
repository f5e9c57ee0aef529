"""How often a problem is logged, on a clock that is played."""

from __future__ import annotations

import pytest

from visual_tracker.encodings import check_compressed
from visual_tracker.images import ImageError
from visual_tracker.ros import log_throttle
from visual_tracker.ros.log_throttle import KINDS_A_PERIOD, LOG_PERIOD_SECONDS, LogThrottle


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(log_throttle, "time", clock)
    return clock


def _garbage(head: bytes) -> str:
    with pytest.raises(ImageError) as refused:
        check_compressed(head)
    return f"an image was not used: {refused.value}"


def test_garbage_is_of_one_kind_whatever_its_bytes(clock: Clock) -> None:
    throttle = LogThrottle()
    assert throttle.admits(_garbage(bytes(range(0xA0, 0xA8))))
    assert not throttle.admits(_garbage(bytes(range(0x0C, 0x14))))
    assert not throttle.admits(_garbage(b"\xff\x00\xab"))
    assert throttle.admits("an image was not used: the compressed image is empty")


def test_a_kind_is_admitted_again_after_the_period(clock: Clock) -> None:
    throttle = LogThrottle()
    assert throttle.admits("truncated: 12 bytes")
    clock.now += LOG_PERIOD_SECONDS - 0.1
    assert not throttle.admits("truncated: 345 bytes")
    clock.now += 0.2
    assert throttle.admits("truncated: 12 bytes")


def test_text_that_always_differs_does_not_fill_the_log(clock: Clock) -> None:
    throttle = LogThrottle()

    def admitted() -> int:
        names = ("encoding '" + "x" * length + "' is not understood" for length in range(1000))
        return sum(throttle.admits(name) for name in names)

    assert admitted() == KINDS_A_PERIOD
    assert not throttle.admits("something else")
    clock.now += LOG_PERIOD_SECONDS
    assert admitted() == KINDS_A_PERIOD
