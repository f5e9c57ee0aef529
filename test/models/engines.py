"""Engines that a test runs on where they are installed, and how close they come to torch."""

from __future__ import annotations

import importlib.util
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import ArrayLike

from visual_tracker.models.engines import onnxruntime, openvino


class Tolerance(NamedTuple):
    """How far from eager torch in fp32 an answer may lie; stated in docs/performance.md."""

    #: root of the mean square of the difference, as a share of the same of the values
    mean: float
    #: largest difference, as a share of the largest value
    largest: float

    def admits(self, found: ArrayLike, expected: ArrayLike) -> bool:
        found, expected = (np.asarray(values, np.float64) for values in (found, expected))
        difference = found - expected
        mean = np.sqrt(np.mean(difference**2) / np.mean(expected**2))
        largest = np.abs(difference).max() / np.abs(expected).max()
        return bool(mean <= self.mean and largest <= self.largest)


#: bf16 is judged by its mean: which single value is rounded worst depends on the processor (AMX
#: keeps sums otherwise than AVX-512). Eager torch in bf16 rounds after every operation, where
#: engines keep sums of several.
TOLERANCE = {
    "fp32": Tolerance(mean=1e-4, largest=1e-4),
    "bf16": Tolerance(mean=0.05, largest=0.1),
    "eager bf16": Tolerance(mean=0.1, largest=0.15),
}

ENGINES = [
    pytest.param(
        engine,
        id=engine.NAME,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(engine.NAME) is None, reason=f"needs {engine.NAME}"
        ),
    )
    for engine in (openvino, onnxruntime)
]
