"""How many threads the libraries below may use, in the whole process.

Threads of OpenCV's and PyTorch's pools wait for work by spinning: a tracker of 2.7 ms a frame was
measured at 1.2 cores, and two PyTorch threads on one busy core took 37 times as long as one did.
So trackers ask for one thread unless told otherwise.

NumPy's OpenBLAS spins, too, after each product of matrices, and takes every core unless told
otherwise: a frame of dasiamrpn, whose products are all small, took 25 ms of CPU with it and 9 ms
without. It gets one thread whatever is asked for; its threads were in the way of the network's.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

#: OpenBLAS under the names that it has in NumPy's wheels and in distributions
_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "")


def limit_threads(count: int) -> None:
    """Let OpenCV, and PyTorch if it is imported already, use so many threads, and OpenBLAS one."""
    cv2.setNumThreads(count)
    for library in _openblas_libraries():
        if set_threads := _function(library, "set"):
            set_threads(1)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def openblas_threads() -> list[int]:
    """How many threads each OpenBLAS of this process may use; empty where there is none."""
    functions = [_function(library, "get") for library in _openblas_libraries()]
    return [int(get_threads()) for get_threads in functions if get_threads]


def _openblas_libraries() -> Iterator[ctypes.CDLL]:
    """Every OpenBLAS that is loaded (NumPy and OpenCV bring one each); Linux only."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "openblas" in line}
    for path in sorted(paths):
        try:
            yield ctypes.CDLL(path)
        except OSError:  # replaced by an update while this process runs
            continue


def _function(library: ctypes.CDLL, verb: str) -> ctypes._NamedFuncPointer | None:
    """Its `openblas_set_num_threads` or `openblas_get_num_threads`."""
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            function = getattr(library, f"{prefix}_{verb}_num_threads{suffix}", None)
            if function is not None:
                return function
    return None
