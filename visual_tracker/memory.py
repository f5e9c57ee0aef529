"""What the C library does with memory that was freed, and Python with what was not.

An image is allocated and freed a few times on its way through a process. glibc gives such pieces
back to the kernel, which hands them out again page by page: 200 page faults for an image of
640x480, half a millisecond of CPU on a virtual machine.

Python looks through every object for garbage now and then, and nothing else runs meanwhile: 30 ms
with a node's 52,000 objects, nearly all of them modules, which is two images of a 60 Hz camera.
"""

from __future__ import annotations

import ctypes
import gc

#: of mallopt in glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: bytes; pieces up to this come from the heap, the most that glibc allows
_LARGEST_PIECE = 32 * 1024**2
#: bytes free at the end of the heap that are kept: several images of 1920x1080
_KEPT = 64 * 1024**2


def keep_freed_memory() -> bool:
    """Keep what was freed for the next image, in the whole process; memory stays at its peak.

    Returns:
        Whether the C library could be told so; only glibc can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or none to be asked
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_PIECE) and mallopt(_TRIM_THRESHOLD, _KEPT))


def leave_out_of_collections() -> None:
    """Take everything that exists now for permanent: no later garbage collection looks at it."""
    gc.collect()
    gc.freeze()
