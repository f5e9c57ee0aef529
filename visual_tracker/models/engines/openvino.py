"""OpenVINO on the CPU: the fastest measured; bfloat16 where the processor gains by it.

A model compiled for one shape is an eighth faster than one that takes any: OpenVINO then joins
elementwise nodes and drops changes of layout. Nearly every crop of a tracker has one size, so a
graph is compiled twice: for any shape, and for the shape of the first call.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visual_tracker.models.engines.base import EngineError, FloatArray
from visual_tracker.models.engines.processor import gains_by_bf16

_LOG = logging.getLogger(__name__)

NAME = "openvino"
PRECISIONS = ("fp32", "bf16")
MODULES = ("openvino",)
EXTRA = "openvino"

_HINTS = {"fp32": "f32", "bf16": "bf16"}


def best_precision() -> str:
    """bf16 where the processor gains by it (:func:`gains_by_bf16`), else fp32."""
    return "bf16" if _multiplies_bf16() and gains_by_bf16() else "fp32"


def load(path: Path, precision: str, threads: int, calls: int = 1) -> OpenVinoGraph:
    """Read and compile an ONNX file; see `visual_tracker.models.engines.base.Engine`."""
    if precision == "bf16" and not _multiplies_bf16():
        raise EngineError("this processor has no bf16 (AVX-512 BF16 or AMX); use precision fp32")
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": calls,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        # The scheduler knows better: nodes of one robot must not all be pinned to core 0.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        return OpenVinoGraph(_core().read_model(str(path)), settings)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot run {path}: {_last_line(error)}") from error


class OpenVinoGraph:
    """A model, compiled for any shape and for the first input's shape of the first call.

    Args:
        model: openvino.Model.
        settings: of the CPU plugin.
    """

    def __init__(self, model: Any, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._any_shape = _Compiled(_core().compile_model(model, "CPU", settings))
        self.inputs = tuple(entry.any_name for entry in model.inputs)
        self.outputs = tuple(entry.any_name for entry in model.outputs)
        self._lock = threading.Lock()
        # to be compiled for one shape; None when that is done or there is only one anyway
        self._uncompiled = model if model.is_dynamic() else None
        self._one_shape: tuple[tuple[int, ...], _Compiled] | None = None

    def run(self, *arrays: NDArray[np.generic]) -> tuple[FloatArray, ...]:
        """Outputs in order, copied out of the request's buffers; inputs are read where they are."""
        if self._uncompiled is not None:
            self._compile_for(arrays[0].shape)
        compiled = self._any_shape
        if self._one_shape is not None and self._one_shape[0] == arrays[0].shape:
            compiled = self._one_shape[1]
        return compiled.run(arrays)

    def _compile_for(self, shape: tuple[int, ...]) -> None:
        with self._lock:
            if self._uncompiled is None:  # another thread was first
                return
            model, self._uncompiled = self._uncompiled, None
            try:
                model.reshape({self.inputs[0]: list(shape)})
                compiled = _Compiled(_core().compile_model(model, "CPU", self._settings))
            except RuntimeError as error:  # the other one does, and is only slower
                _LOG.warning("a model for %s alone is not used: %s", shape, _last_line(error))
                return
            self._one_shape = (shape, compiled)


class _Compiled:
    """A compiled model with one request a thread, since a request holds its own buffers."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._local = threading.local()

    def run(self, arrays: tuple[NDArray[np.generic], ...]) -> tuple[FloatArray, ...]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = _Request(self._model.create_infer_request())
        return request.run(arrays)


class _Request:
    """A request that is told of its inputs only where they are others than last time.

    A template stays for many frames, and OpenVINO's own way of taking all inputs with each call
    costs 40 to 70 microseconds of Python.
    """

    def __init__(self, request: Any) -> None:
        import openvino

        self._tensor = openvino.Tensor
        self._request = request
        # kept, so that their memory is neither freed nor another array's
        self._arrays: list[NDArray[np.generic] | None] = [None] * len(request.model_inputs)
        self._outputs = range(len(request.model_outputs))

    def run(self, arrays: tuple[NDArray[np.generic], ...]) -> tuple[FloatArray, ...]:
        for index, array in enumerate(arrays):
            if array is not self._arrays[index]:
                self._request.set_input_tensor(index, self._tensor(array, shared_memory=True))
                self._arrays[index] = array
        self._request.infer(share_outputs=True)
        return tuple(self._request.get_output_tensor(index).data.copy() for index in self._outputs)


@lru_cache(maxsize=1)
def _core() -> Any:
    try:
        import openvino

        return openvino.Core()
    except (ImportError, RuntimeError) as error:
        raise EngineError(f"OpenVINO does not start: {_last_line(error)}") from error


@lru_cache(maxsize=1)
def _multiplies_bf16() -> bool:
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
