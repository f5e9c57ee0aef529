"""Optional libraries: which of the package's extras brings them, and how it is installed."""

from __future__ import annotations

import importlib
from typing import Any

from visual_tracker.parameters import ParameterError

#: extras whose libraries README names for a robot
_ON_A_ROBOT = ("dl", "openvino", "onnx")


class MissingExtraError(ParameterError):
    """A library that the command asked for needs is not installed; the message says which."""


def how_to_install(extra: str) -> str:
    """How to get an extra of `setup.py`; the package is no index's, so that its name alone is none.

    Args:
        extra: like "dl".
    """
    beside_ros = "; beside ROS: README, 'On a robot'" if extra in _ON_A_ROBOT else ""
    return f"in the clone: pip install '.[{extra}]'{beside_ros}"


def require(module: str, install: str = how_to_install("eval")) -> Any:
    """Import a module of an optional library.

    Args:
        module: its full name.
        install: how to get it, for the message.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{module} is needed ({install}): {error}") from None
