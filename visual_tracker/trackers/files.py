"""The files that a tracker's parameters name: can they be read?"""

from __future__ import annotations

from pathlib import Path


def file_problem(option: str, path: str) -> str | None:
    """Why the file that a parameter names cannot be read; None if it can.

    Args:
        option: the parameter's name.
        path: its value.
    """
    # a name can be too long for the system, and then for a line, too
    named = f"its parameter '{option}' names {path:.200}, which"
    try:
        if not Path(path).is_file():
            return f"{named} is no file"
        Path(path).open("rb").close()
    except OSError as error:
        return f"{named} cannot be read: {error.strerror}"
    return None
