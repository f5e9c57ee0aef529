"""Printing to the terminal: names and messages as they are, none taken for rich's markup."""

from __future__ import annotations

from rich.console import Console

#: columns of what is no terminal: a pipe has no width, so that nothing is wrapped or cut there
_UNLIMITED = 10_000


def plain_console(stderr: bool = False) -> Console:
    """A console that prints `[dl]` and `:car:` as they stand, in paths and messages of anybody.

    Into a pipe or a file a row of a table is one line, for grep and the like.

    Args:
        stderr: print there instead of stdout.
    """
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console
