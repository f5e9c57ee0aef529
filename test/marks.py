"""Marks of tests that need what not every machine has."""

from __future__ import annotations

import cv2
import pytest

#: such as Ubuntu 24.04's OpenCV, which robots have
needs_nano = pytest.mark.skipif(
    not hasattr(cv2, "TrackerNano"), reason="needs OpenCV 4.7 or newer, below 5"
)
