"""The machine that figures of speed were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import numpy as np


def describe_machine() -> dict[str, str | int | None]:
    """Processor, cores and versions, for reports."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
