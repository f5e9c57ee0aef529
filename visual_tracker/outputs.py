"""Folders that results are written into: whether they can be is found out before the work."""

from __future__ import annotations

import tempfile
from pathlib import Path

from visual_tracker.sources import SourceError


def check_writable(folder: Path) -> None:
    """Make a folder if need be, and see if a file can be written into it.

    Raises:
        SourceError: if not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SourceError(
            f"{folder} cannot be written into ({error.strerror}); name another folder"
        ) from None
