"""Freed memory is kept for the next image."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: page faults of 20 frames that allocate three images each
_FAULTS = """
import resource
from visual_tracker.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        images = [b"x" * 6_000_000 for _ in range(3)]
        del images
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
print(int(keep_freed_memory()))
faults()
print(faults())
"""


def test_freed_memory_is_kept() -> None:
    result = subprocess.run(
        [sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True
    )
    before, told, after = map(int, result.stdout.split())
    if not told:
        pytest.skip("the C library is not glibc")
    assert after < before / 20
