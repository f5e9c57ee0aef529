"""Whether there is a CUDA device, asked of the driver: importing torch for it takes seconds."""

from __future__ import annotations

import ctypes
from functools import lru_cache


@lru_cache(maxsize=1)
def has_cuda_driver() -> bool:
    """Whether the CUDA driver is installed and sees a device; torch may still lack CUDA."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    started = driver.cuInit(0) == 0
    return started and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
