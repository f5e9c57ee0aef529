"""Windows: showing images and letting a person draw a box. Everything else works without."""

from __future__ import annotations

import os
import sys

import cv2

from visual_tracker.boxes import Box
from visual_tracker.images import Image

SPACE = ord(" ")
QUIT_KEYS = (ord("q"), 27)

#: what `cv2.waitKey` gives when no key was pressed
_NO_KEY = 255

#: milliseconds in which a key is waited for after an image is shown
_KEY_WAIT = 1

#: title of the window in which a box is drawn
_DRAW_TITLE = "Draw a box around the target, then press Enter"

_SHOW = "show images in (--show)"
_DRAW = "draw a box in; give the box as x,y,w,h (--box)"


class DisplayError(RuntimeError):
    """No window can be opened, or no box was drawn in it; the message says what to do."""


class NoBoxError(DisplayError):
    """The person drew no box."""


def show_and_wait(title: str, image: Image) -> int | None:
    """Show an image and give the key that was pressed meanwhile, None if none was.

    Raises:
        DisplayError: if no window can be opened.
    """
    _require_screen(_SHOW)
    try:
        cv2.imshow(title, image)
        key = cv2.waitKey(_KEY_WAIT) & 0xFF
    except cv2.error as error:
        raise DisplayError(_no_window(_SHOW)) from error
    return None if key == _NO_KEY else key


def select_box(image: Image) -> Box:
    """Let a person draw a box on an image.

    Raises:
        DisplayError: if no window can be opened.
        NoBoxError: if no box is drawn.
    """
    _require_screen(_DRAW)
    try:
        x, y, width, height = cv2.selectROI(_DRAW_TITLE, image, showCrosshair=False)
        cv2.destroyWindow(_DRAW_TITLE)
    except cv2.error as error:
        raise DisplayError(_no_window(_DRAW)) from error
    if width <= 0 or height <= 0:
        raise NoBoxError("no box was drawn")
    return Box.from_xywh(x, y, width, height)


def _no_window(purpose: str) -> str:
    return f"this machine, or this build of OpenCV, can open no window to {purpose}"


def _require_screen(purpose: str) -> None:
    """Refuse before OpenCV tries: its Qt ends the whole process where there is no screen."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise DisplayError(_no_window(purpose))
