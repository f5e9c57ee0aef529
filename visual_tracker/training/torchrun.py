"""What torchrun tells a process of its run, in the environment; without it, a run of one process.

Nothing here needs torch.
"""

from __future__ import annotations

import os


def rank() -> int:
    """Number of this process."""
    return int(os.environ.get("RANK", 0))


def local_rank() -> int:
    """Its number among those on this machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


def processes() -> int:
    """How many there are."""
    return int(os.environ.get("WORLD_SIZE", 1))
