"""Where a tracker's time goes: named stages, timed only while somebody asks.

A function that does one stage of tracking is marked once:

>>> @timed("network")
... def respond(image): ...

and whoever measures collects what the calls took:

>>> with collect_stages() as seconds:
...     respond(None)
>>> list(seconds)
['network']

Stages must not call each other, or their time is counted twice.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

#: stages that the project's trackers mark; what is left of a frame is post-processing
CROP, NETWORK = "crop", "network"

_seconds: ContextVar[dict[str, float] | None] = ContextVar("stage_seconds", default=None)


def timed(stage: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function as a stage; costs well under a microsecond while nobody collects."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            seconds = _seconds.get()
            if seconds is None:
                return function(*args, **kwargs)
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begin

        return measured

    return decorate


@contextmanager
def collect_stages() -> Iterator[dict[str, float]]:
    """Collect the seconds that each stage takes in this thread while the context is open."""
    seconds: dict[str, float] = {}
    token = _seconds.set(seconds)
    try:
        yield seconds
    finally:
        _seconds.reset(token)
