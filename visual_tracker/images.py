"""What the library takes as an image, and the check that every entry point makes.

Inside the library an image is a ``numpy.ndarray`` of ``uint8``, shape (height, width, 3), channels
in **BGR** order as OpenCV reads them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class ImageError(ValueError):
    """An image that cannot be used; the message says what is wrong and what is expected."""


def as_bgr(image: object) -> Image:
    """Return `image` as BGR uint8 of shape (height, width, 3), without a copy where it is one.

    Args:
        image: uint8 array of shape (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA.

    Raises:
        ImageError: if it is no array, is empty, or has another type or shape.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"an image must be a numpy array, not {type(image).__name__}")
    if image.dtype != np.uint8:
        raise ImageError(f"an image must be uint8, not {image.dtype}; scale it to 0..255 first")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"an image must be (height, width[, channels]), not shape {image.shape}")
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 3:
        return image
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    raise ImageError(f"an image must have 1, 3 (BGR) or 4 (BGRA) channels, not {channels}")


def size_of(image: Image) -> tuple[int, int]:
    """``(width, height)`` of an image in pixels."""
    return image.shape[1], image.shape[0]
