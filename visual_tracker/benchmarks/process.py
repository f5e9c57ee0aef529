"""What this process holds and how long it has lived, as far as the system tells (Linux)."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from pathlib import Path

#: where Linux keeps a process's size in pages: all of it, then what is resident
_SIZE_FILE = Path("/proc/self/statm")
_STATUS_FILE = Path("/proc/self/status")
_STAT_FILE = Path("/proc/self/stat")
#: the process's start in ticks after boot, counted after its name, which may hold spaces
_START_FIELD = 19


def resident_mb() -> float:
    """Memory that the process holds now, in megabytes; NaN where the system does not tell."""
    if not _SIZE_FILE.is_file():
        return math.nan
    return int(_SIZE_FILE.read_text().split()[1]) * resource.getpagesize() / 2**20


def peak_mb() -> float | None:
    """The most memory it has held since it was started; None where the system does not tell."""
    if not _STATUS_FILE.is_file():
        return None
    lines = _STATUS_FILE.read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def age_seconds() -> float:
    """Seconds since the process was started; NaN where the system does not tell."""
    if not _STAT_FILE.is_file():
        return math.nan
    fields = _STAT_FILE.read_text().rsplit(")", 1)[1].split()
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def gpu_peak_mb(device: str) -> float | None:
    """The most memory that PyTorch has held on a CUDA device; None on another device."""
    if not device.startswith("cuda"):
        return None
    peak: float = sys.modules["torch"].cuda.max_memory_allocated(device)
    return peak / 2**20
