"""Libraries that only the extra `eval` brings, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from visual_tracker.parameters import ParameterError

EXTRA = "visual_tracker[eval]"


class MissingExtraError(ParameterError):
    """A library that the command asked for needs is not installed; the message says which."""


def require(module: str, extra: str = EXTRA) -> Any:
    """Import a module of an optional library.

    Args:
        module: its full name.
        extra: what to install to get it.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{module} is needed: pip install '{extra}' ({error})") from None
