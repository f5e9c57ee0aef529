"""Printing to the terminal: names and messages as they are, none taken for rich's markup."""

from __future__ import annotations

from rich.console import Console


def plain_console(stderr: bool = False, width: int | None = None) -> Console:
    """A console that prints `[dl]` and `:car:` as they stand, in paths and messages of anybody.

    Args:
        stderr: print there instead of stdout.
        width: in columns; None for the terminal's.
    """
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
