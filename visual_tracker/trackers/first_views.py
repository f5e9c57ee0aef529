"""Views of the target in its first frame, from which an on-line model starts.

One frame shows one pose. Shifted, scaled, turned, mirrored and blurred copies of it stand for what
is to come, as in ATOM (Danelljan et al., CVPR 2019, section 3.4) and DiMP.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame, take_crop
from visual_tracker.images import Image

#: relative sizes of the crop's pixels
_SCALES = (0.85, 1.18)
#: standard deviations of a Gaussian blur in crop pixels
_BLURS = (2.0, 4.0)
#: rotations in degrees
_ANGLES = (-12.0, 12.0)
#: where the target lies in shifted crops, in crop sides from the middle
_SHIFTS = ((0.15, 0.075), (-0.15, -0.075), (0.075, -0.15), (-0.075, 0.15))


class View(NamedTuple):
    """A search crop of the first frame.

    Attributes:
        crop: BGR uint8, square.
        box: the target in it: centre x, centre y from the crop's centre, width, height; crop
            pixels.
        is_upright: False where the box is not the target's true one (turned).
    """

    crop: Image
    box: NDArray[np.float64]
    is_upright: bool


def first_views(
    image: Image, box: Box, frame: CropFrame, padding: NDArray[np.float64]
) -> list[View]:
    """All views, the plain one first.

    Args:
        image: the first, BGR uint8.
        box: the target in it.
        frame: the search crop around the target.
        padding: the colour (B, G, R) beyond the image's border.
    """

    def cut(scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> View:
        pixel = frame.pixel * scale
        moved = CropFrame(
            frame.center_x - shift[0] * frame.width * pixel,
            frame.center_y - shift[1] * frame.height * pixel,
            pixel,
            frame.width,
            frame.height,
        )
        return View(take_crop(image, moved, padding), _box_in(moved, box), True)

    plain = cut()
    mirrored = plain.box * (-1, 1, 1, 1)
    views = [plain, View(np.ascontiguousarray(plain.crop[:, ::-1]), mirrored, True)]
    views += [View(cv2.GaussianBlur(plain.crop, (0, 0), s), plain.box, True) for s in _BLURS]
    views += [View(_turned(plain.crop, angle), plain.box, False) for angle in _ANGLES]
    views += [cut(scale=scale) for scale in _SCALES]
    views += [cut(shift=shift) for shift in _SHIFTS]
    return views


def _box_in(frame: CropFrame, box: Box) -> NDArray[np.float64]:
    """A box in crop pixels from the crop's centre: centre x, centre y, width, height."""
    x, y = frame.to_crop(*box.center)
    return np.array(
        [
            x - frame.width / 2,
            y - frame.height / 2,
            box.width / frame.pixel,
            box.height / frame.pixel,
        ]
    )


def _turned(crop: Image, angle: float) -> Image:
    height, width = crop.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    turned: Image = cv2.warpAffine(crop, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return turned
