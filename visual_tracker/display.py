"""Windows: showing images and letting a person draw a box. Everything else works without."""

from __future__ import annotations

import os
import sys

import cv2

from visual_tracker.boxes import Box
from visual_tracker.images import Image

_QUIT_KEYS = (ord("q"), 27)


class DisplayError(RuntimeError):
    """No window can be opened, or no box was drawn in it; the message says what to do."""


def show(title: str, image: Image) -> bool:
    """Show an image; False when the person wants to stop (q, Esc or the window closed).

    Raises:
        DisplayError: if no window can be opened.
    """
    _require_screen("drop --show")
    try:
        cv2.imshow(title, image)
        return cv2.waitKey(1) & 0xFF not in _QUIT_KEYS
    except cv2.error as error:
        raise DisplayError(_no_window("drop --show")) from error


def select_box(image: Image, title: str = "Draw a box around the target, then press Enter") -> Box:
    """Let a person draw a box on an image.

    Raises:
        DisplayError: if no window can be opened or no box is drawn.
    """
    instead = "give the box as --box x,y,w,h"
    _require_screen(instead)
    try:
        x, y, width, height = cv2.selectROI(title, image, showCrosshair=False)
        cv2.destroyWindow(title)
    except cv2.error as error:
        raise DisplayError(_no_window(instead)) from error
    if width <= 0 or height <= 0:
        raise DisplayError("no box was drawn")
    return Box.from_xywh(x, y, width, height)


def _require_screen(instead: str) -> None:
    """Refuse before OpenCV tries: its Qt ends the whole process where there is no screen."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise DisplayError(_no_window(instead))


def _no_window(instead: str) -> str:
    return f"this machine (or this build of OpenCV) can open no window; {instead}"
