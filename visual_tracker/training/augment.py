"""What happens to a crop: photometric changes, motion blur, pasted objects.

Zhu et al., ECCV 2018, section 3.2 ask for shift, scale, motion blur and illumination. All images
are BGR uint8; every random choice comes from the generator given.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.training.recipe import Recipe

_SHORTEST_BLUR = 3
_QUALITIES = (20, 60)
_PASTE_TRIES = 6


def spread(rng: np.random.Generator, amount: float) -> float:
    """A number of the uniform distribution over [-amount, amount]."""
    return float(rng.uniform(-amount, amount))


def photometric(image: Image, recipe: Recipe, rng: np.random.Generator) -> Image:
    """Change light and colour, blur, coarsen and compress, each by chance."""
    image = illuminated(image, recipe.light, rng)
    if rng.random() < recipe.blur:
        # Short ones are the common ones: the logarithm of the length is spread evenly.
        longest = max(recipe.blur_length, _SHORTEST_BLUR)
        length = math.exp(rng.uniform(math.log(_SHORTEST_BLUR), math.log(longest)))
        image = motion_blurred(image, 2 * round((length - 1) / 2) + 1, rng.uniform(0, math.pi))
    if rng.random() < recipe.coarse:
        image = coarsened(image, rng.uniform(1, recipe.coarseness))
    if rng.random() < recipe.compression:
        image = compressed(image, int(rng.integers(*_QUALITIES)))
    return image


def illuminated(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """Scale contrast and each channel, and shift brightness, by up to `amount`."""
    values = np.arange(256, dtype=np.float32)
    contrast, brightness = 1 + spread(rng, amount), 128 * spread(rng, amount)
    tables = [
        np.clip(
            (values - 128) * contrast * (1 + spread(rng, amount / 4)) + 128 + brightness, 0, 255
        )
        for _ in range(3)
    ]
    return cv2.LUT(image, np.stack(tables, axis=-1)[None].astype(np.uint8))


def grey(image: Image) -> Image:
    """The image without colour, still of three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def motion_blurred(image: Image, length: int, angle: float) -> Image:
    """Blur along a line of `length` pixels at `angle` radians."""
    kernel = np.zeros((length, length), dtype=np.float32)
    middle = (length - 1) / 2
    reach = (middle * math.cos(angle), middle * math.sin(angle))
    start = (round(middle - reach[0]), round(middle - reach[1]))
    cv2.line(kernel, start, (round(middle + reach[0]), round(middle + reach[1])), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def coarsened(image: Image, factor: float) -> Image:
    """The image as if the target had been `factor` times smaller in the camera's image."""
    size = (max(1, round(image.shape[1] / factor)), max(1, round(image.shape[0] / factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def compressed(image: Image, quality: int) -> Image:
    """The image after JPEG of that quality."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded one line above
    return decoded


def paste(image: Image, patch: Image, mask: Image, box: Box) -> None:
    """Lay a patch over an image, in place.

    Args:
        image: BGR uint8 (height, width, 3).
        patch: BGR uint8 (h, w, 3), resized to the box.
        mask: uint8 (h, w), not 0 where the patch is to be seen.
        box: where, in pixels of the image; rounded, what lies outside is cut off.
    """
    left, top = round(box.x), round(box.y)
    width, height = max(1, round(box.width)), max(1, round(box.height))
    patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + width), min(image.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    shown = mask[inside] > 0
    image[y0:y1, x0:x1][shown] = patch[inside][shown]


def cut_out(
    image: Image, box: Box, polygons: tuple[tuple[float, ...], ...]
) -> tuple[Image, Image] | None:
    """Pixels and mask of an object; the whole box is the mask where no outline is known.

    Returns:
        BGR uint8 (h, w, 3) and uint8 (h, w), or None if nothing lies inside the image.
    """
    left, top = max(0, int(box.x)), max(0, int(box.y))
    right, bottom = math.ceil(box.x + box.width), math.ceil(box.y + box.height)
    part = image[top:bottom, left:right]
    if part.size == 0:
        return None
    mask = np.full(part.shape[:2], 0 if polygons else 255, dtype=np.uint8)
    for outline in polygons:
        points = np.asarray(outline).reshape(-1, 2) - (left, top)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 255)
    return part, mask


def distractor_place(target: Box, size: int, rng: np.random.Generator) -> Box | None:
    """A place in the crop, about as large as the target and beside it; None if none was found."""
    for _ in range(_PASTE_TRIES):
        growth = math.exp(spread(rng, 0.3))
        place = Box.from_center(
            rng.uniform(0, size),
            rng.uniform(0, size),
            target.width * growth,
            target.height * growth,
        )
        if place.iou(target) == 0:
            return place
    return None


def occluder_place(target: Box, rng: np.random.Generator) -> Box:
    """A place that hides about a third of the target, from one of its sides."""
    width, height = target.width, target.height
    if rng.random() < 0.5:
        width *= rng.uniform(0.2, 0.5)
        x = target.x if rng.random() < 0.5 else target.x + target.width - width
        return Box(x, target.y - 2, width, height + 4)
    height *= rng.uniform(0.2, 0.5)
    y = target.y if rng.random() < 0.5 else target.y + target.height - height
    return Box(target.x - 2, y, width + 4, height)
