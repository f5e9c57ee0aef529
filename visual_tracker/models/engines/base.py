"""What every engine offers, and how it says that it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class EngineError(RuntimeError):
    """An engine that cannot run a network here; the message says why and what to do."""


class Graph(Protocol):
    """An exported network, ready to run; may be called from several threads at once.

    Attributes:
        inputs: names in order.
        outputs: names in order.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, *arrays: NDArray[np.generic]) -> tuple[FloatArray, ...]:
        """Outputs in order, the caller's own.

        Args:
            *arrays: one an input, contiguous, of the type that was exported.
        """


class Engine(Protocol):
    """A module of this package.

    Attributes:
        NAME: as the parameter `engine` names it.
        PRECISIONS: what it can be asked for on some processor.
        MODULES: what must be installed to run an export.
        EXTRA: of the package, which brings that.
    """

    NAME: str
    PRECISIONS: tuple[str, ...]
    MODULES: tuple[str, ...]
    EXTRA: str

    @staticmethod
    def best_precision() -> str:
        """The fastest precision on this processor whose boxes are as good as fp32's.

        Raises:
            EngineError: if the engine does not start here.
        """

    @staticmethod
    def load(path: Path, precision: str, threads: int, calls: int = 1) -> Graph:
        """Read an ONNX file.

        Args:
            path: of the file.
            precision: one of PRECISIONS.
            threads: most threads that all calls at one time use.
            calls: that are to run side by side, each from a thread of its own; more wait.

        Raises:
            EngineError: if it cannot be read or run here.
        """
