"""Named stages of tracking."""

from __future__ import annotations

import pytest

from visual_tracker import timing
from visual_tracker.timing import collect_stages, timed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def test_stages_are_summed_while_somebody_collects(clock: list[float]) -> None:
    @timed("network")
    def work(seconds: float) -> str:
        clock[0] += seconds
        return "done"

    assert work(7) == "done"
    with collect_stages() as seconds:
        work(1)
        clock[0] += 50
        assert work(2) == "done"
    work(9)
    assert seconds == {"network": 3}


def test_a_stage_that_raises_is_counted_too(clock: list[float]) -> None:
    @timed("crop")
    def work() -> None:
        clock[0] += 2
        raise ValueError("in a stage")

    with collect_stages() as seconds, pytest.raises(ValueError, match="in a stage"):
        work()
    assert seconds == {"crop": 2}


def test_a_marked_function_keeps_its_name() -> None:
    @timed("crop")
    def work() -> None:
        """What it does."""

    assert (work.__name__, work.__doc__) == ("work", "What it does.")
