"""What goes wrong again and again is logged now and then."""

from __future__ import annotations

import re
import threading
import time

#: how often at most the log repeats a problem of one kind
LOG_PERIOD_SECONDS = 5.0

#: kinds that are logged within that time at most: what comes over the network may carry text of any
#: kind, and must not fill the log with it
KINDS_A_PERIOD = 10

#: what differs between problems of one kind: bytes in hexadecimal, and numbers
_VARYING = re.compile(r"\b[0-9a-f]{2}(?: [0-9a-f]{2})*\b|\d+")


class LogThrottle:
    """Says of each problem whether it is to be logged; for several threads."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}
        self._lock = threading.Lock()

    def admits(self, problem: str) -> bool:
        """Whether none of its kind has been admitted for a while, and not too many others."""
        kind = _VARYING.sub("#", problem)
        now = time.monotonic()
        with self._lock:
            recent = {k: at for k, at in self._logged.items() if now - at < LOG_PERIOD_SECONDS}
            admitted = kind not in recent and len(recent) < KINDS_A_PERIOD
            self._logged = recent | {kind: now} if admitted else recent
        return admitted
