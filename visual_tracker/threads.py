"""How many threads the libraries below may use, in the whole process.

Threads of OpenCV's and PyTorch's pools wait for work by spinning: a tracker of 2.7 ms a frame was
measured at 1.2 cores, and two PyTorch threads on one busy core took 37 times as long as one did.
So trackers ask for one thread unless told otherwise.
"""

from __future__ import annotations

import sys

import cv2


def limit_threads(count: int) -> None:
    """Let OpenCV, and PyTorch if it is imported already, use so many threads."""
    cv2.setNumThreads(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
