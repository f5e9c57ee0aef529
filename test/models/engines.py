"""Engines that a test runs on where they are installed, and how close they come to torch."""

from __future__ import annotations

import importlib.util

import pytest

from visual_tracker.models.engines import onnxruntime, openvino

#: largest difference from eager torch in fp32, as a share of the largest value; stated in
#: docs/performance.md. Eager torch in bf16 rounds after every operation, where engines keep sums of
#: several.
TOLERANCE = {"fp32": 1e-4, "bf16": 0.05, "eager bf16": 0.1}

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
