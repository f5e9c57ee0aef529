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


class DisplayError(RuntimeError):
    """No window can be opened, or no box was drawn in it; the message says what to do."""


class NoBoxError(DisplayError):
    """The person drew no box."""


def show_and_wait(title: str, image: Image, milliseconds: int = 1) -> int | None:
    """Show an image and give the key that was pressed meanwhile, None if none was.

    Raises:
        DisplayError: if no window can be opened.
    """
    _require_screen()
    try:
        cv2.imshow(title, image)
        key = cv2.waitKey(milliseconds) & 0xFF
    except cv2.error as error:
        raise DisplayError(_NO_WINDOW) from error
    return None if key == _NO_KEY else key


def select_box(image: Image, title: str = "Draw a box around the target, then press Enter") -> Box:
    """Let a person draw a box on an image.

    Raises:
        DisplayError: if no window can be opened.
        NoBoxError: if no box is drawn.
    """
    _require_screen()
    try:
        x, y, width, height = cv2.selectROI(title, image, showCrosshair=False)
        cv2.destroyWindow(title)
    except cv2.error as error:
        raise DisplayError(_NO_WINDOW) from error
    if width <= 0 or height <= 0:
        raise NoBoxError("no box was drawn")
    return Box.from_xywh(x, y, width, height)


_NO_WINDOW = (
    "this machine, or this build of OpenCV, can open no window; "
    "give the box as x,y,w,h instead (--box), and leave out --show"
)


def _require_screen() -> None:
    """Refuse before OpenCV tries: its Qt ends the whole process where there is no screen."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise DisplayError(_NO_WINDOW)
