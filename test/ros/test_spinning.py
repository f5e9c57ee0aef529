"""Spinning until something has happened, on a clock and an executor that are played."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException

from visual_tracker.ros import spinning
from visual_tracker.ros.spinning import WaitError, spin_on, spin_until


class PlayedExecutor:
    """Nothing ever comes: every turn takes as long as it may."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.turns = 0

    def spin_once(self, timeout_sec: float = 0.1) -> None:
        self.turns += 1
        self.now += timeout_sec


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> PlayedExecutor:
    played = PlayedExecutor()
    monkeypatch.setattr(spinning.time, "monotonic", lambda: played.now)
    return played


def test_what_happened_is_returned_without_another_turn(executor: PlayedExecutor) -> None:
    assert spin_until(executor, lambda: executor.turns >= 3 and "three", "turns", 1.0) == "three"
    assert executor.turns == 3
    assert spin_until(executor, lambda: "at once", "nothing", 0.0) == "at once"
    assert executor.turns == 3


def test_what_does_not_happen_in_time_is_named(executor: PlayedExecutor) -> None:
    with pytest.raises(WaitError, match=r"^waited 2.5 s in vain for a target$"):
        spin_until(executor, lambda: None, "a target", 2.5)
    assert executor.now == pytest.approx(1002.5, abs=0.2)


def test_a_sign_of_life_starts_the_time_anew(executor: PlayedExecutor) -> None:
    def latest_sign() -> float:
        return min(executor.now, 1010.0)

    with pytest.raises(WaitError, match="2 s without a sign of life in vain for the rest"):
        spin_until(executor, lambda: None, "the rest", 2.0, begin=latest_sign)
    assert executor.now == pytest.approx(1012.0, abs=0.2)


def test_there_is_no_waiting_where_there_is_no_use_in_it(executor: PlayedExecutor) -> None:
    def check() -> None:
        if executor.turns == 2:
            raise ValueError("the process ended")

    with pytest.raises(ValueError, match="the process ended"):
        spin_until(executor, lambda: None, "its answer", 60.0, check)
    assert executor.turns == 2


@pytest.mark.parametrize("error", [ExternalShutdownException(), RCLError("invalid context")])
def test_an_interruption_that_ros_took_is_one(
    executor: PlayedExecutor, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def interrupted(timeout_sec: float) -> None:
        raise error

    monkeypatch.setattr(executor, "spin_once", interrupted)
    monkeypatch.setattr(spinning.rclpy, "ok", lambda: False)
    with pytest.raises(KeyboardInterrupt):
        spin_until(executor, lambda: None, "the end", 60.0)


class BadCallbackError(Exception):
    """What a callback raises."""


def _fail(
    executor: PlayedExecutor, monkeypatch: pytest.MonkeyPatch, fails: Callable[[int], bool]
) -> list[str]:
    """Spin on while the turns that `fails` names raise, 1000 in all; what was logged."""
    logged: list[str] = []

    def turn() -> None:
        executor.turns += 1
        executor.now += 0.1
        if executor.turns == 1000:
            raise ExternalShutdownException
        if fails(executor.turns):
            raise BadCallbackError(f"in turn {executor.turns}")

    monkeypatch.setattr(executor, "spin_once", turn)
    with pytest.raises((ExternalShutdownException, BadCallbackError)) as ended:
        spin_on(executor, logged.append)
    logged.append(ended.typename)
    return logged


def test_a_callback_that_fails_is_logged_and_the_others_go_on(
    executor: PlayedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, end = _fail(executor, monkeypatch, lambda turn: turn == 3)
    assert "BadCallbackError: in turn 3" in problem
    assert end == "ExternalShutdownException"


def test_a_callback_that_always_fails_does_not_fill_the_log(
    executor: PlayedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    *problems, end = _fail(executor, monkeypatch, lambda turn: turn % 20 > 0)
    # 1000 turns are 100 s
    assert 10 <= len(problems) <= 21
    assert end == "ExternalShutdownException"


def test_spinning_in_which_nothing_works_is_given_up(
    executor: PlayedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    *problems, end = _fail(executor, monkeypatch, lambda turn: turn > 100)
    assert len(problems) >= 2
    assert end == "BadCallbackError"
    assert 200 <= executor.turns <= 210
