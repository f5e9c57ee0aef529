"""ONNX Runtime on the CPU, fp32: it has no bfloat16 kernels for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visual_tracker.models.engines.base import EngineError, FloatArray

NAME = "onnxruntime"
PRECISIONS = ("fp32",)
MODULES = ("onnxruntime",)
EXTRA = "onnx"

#: of its log levels; below are warnings about the machine that no user can act on
_ERRORS_ONLY = 3


def best_precision() -> str:
    """fp32, the only one."""
    return "fp32"


def load(path: Path, precision: str, threads: int, calls: int = 1) -> OnnxRuntimeGraph:
    """Read an ONNX file; see `visual_tracker.models.engines.base.Engine`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(f"ONNX Runtime does not start: {error}") from error
    if precision not in PRECISIONS:
        raise EngineError(f"ONNX Runtime runs networks in fp32, not {precision}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads // calls)
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin for work between two frames take the core from everybody else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # it raises types of its own that derive from Exception alone
        raise EngineError(f"ONNX Runtime cannot run {path}: {error}") from error
    return OnnxRuntimeGraph(session)


class OnnxRuntimeGraph:
    """A session; running it is safe in several threads.

    Args:
        session: onnxruntime.InferenceSession.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = tuple(entry.name for entry in session.get_inputs())
        self.outputs = tuple(entry.name for entry in session.get_outputs())

    def run(self, *arrays: NDArray[np.generic]) -> tuple[FloatArray, ...]:
        """Outputs in order."""
        feed = dict(zip(self.inputs, arrays, strict=True))
        return tuple(self._session.run(None, feed))
