"""What happens to a crop: photometric changes, motion blur, pasted objects.

Zhu et al., ECCV 2018, section 3.2 ask for shift, scale, motion blur and illumination. All images
are BGR uint8; every random choice comes from the generator given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from visual_tracker.boxes import Box
from visual_tracker.crops import AffineFrame
from visual_tracker.images import Image
from visual_tracker.training.recipe import Recipe

_SHORTEST_BLUR = 3
_QUALITIES = (20, 60)
_PASTE_TRIES = 6


def spread(rng: np.random.Generator, amount: float) -> float:
    """A number of the uniform distribution over [-amount, amount]."""
    return float(rng.uniform(-amount, amount))


@dataclass(frozen=True, slots=True)
class Look:
    """How a crop is seen: a value v of channel c becomes (v - 128) gains[c] + 128 + brightness.

    Attributes:
        gains: contrast of blue, green and red.
        brightness: added to all.
        blur: (L, L) kernel of the motion blur, which sums to 1; None for none.
        coarseness: how many times smaller the target is in the camera's image.
        quality: of the JPEG compression, None for none.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    brightness: float = 0.0
    blur: NDArray[np.float32] | None = None
    coarseness: float = 1.0
    quality: int | None = None


def draw_look(recipe: Recipe, rng: np.random.Generator) -> Look:
    """Light and colour up to the recipe's amount; blur, coarseness and compression by chance."""
    gains, brightness = draw_light(recipe.light, rng)
    blur, coarseness, quality = None, 1.0, None
    if rng.random() < recipe.blur:
        blur = motion_kernel(_blur_length(recipe, rng), rng.uniform(0, math.pi))
    if rng.random() < recipe.coarse:
        coarseness = rng.uniform(1, recipe.coarseness)
    if rng.random() < recipe.compression:
        quality = int(rng.integers(*_QUALITIES))
    return Look(gains, brightness, blur, coarseness, quality)


def draw_light(amount: float, rng: np.random.Generator) -> tuple[tuple[float, float, float], float]:
    """Gains and brightness of a look: contrast and brightness up to `amount`, colour a fourth."""
    contrast, brightness = 1 + spread(rng, amount), 128 * spread(rng, amount)
    gains = [contrast * (1 + spread(rng, amount / 4)) for _ in range(3)]
    return (gains[0], gains[1], gains[2]), brightness


def longest_blur(recipe: Recipe) -> int:
    """Side of the largest kernel of motion blur, odd."""
    return 2 * round((max(recipe.blur_length, _SHORTEST_BLUR) - 1) / 2) + 1


def _blur_length(recipe: Recipe, rng: np.random.Generator) -> int:
    """An odd length; short ones are the common ones: its logarithm is spread evenly."""
    longest = longest_blur(recipe)
    length = math.exp(rng.uniform(math.log(_SHORTEST_BLUR), math.log(longest)))
    return 2 * round((length - 1) / 2) + 1


def seen(image: Image, look: Look, without_colour: bool, mirrored: bool) -> Image:
    """The image under a look, then grey, then mirrored left to right."""
    image = illuminated(image, look)
    if look.blur is not None:
        image = cv2.filter2D(image, -1, look.blur, borderType=cv2.BORDER_REPLICATE)
    if look.coarseness > 1:
        image = coarsened(image, look.coarseness)
    if look.quality is not None:
        image = compressed(image, look.quality)
    if without_colour:
        image = grey(image)
    return flipped(image, mirrored)


def flipped(image: Image, mirrored: bool) -> Image:
    """The image, mirrored left to right if it is to be."""
    return image[:, ::-1] if mirrored else image


def illuminated(image: Image, look: Look) -> Image:
    """Change contrast, colour and brightness."""
    values = np.arange(256, dtype=np.float32)[:, None]
    table = (values - 128) * np.array(look.gains) + 128 + look.brightness
    return cv2.LUT(image, np.clip(table, 0, 255)[None].astype(np.uint8))


def grey(image: Image) -> Image:
    """The image without colour, still of three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def motion_kernel(length: int, angle: float) -> NDArray[np.float32]:
    """Kernel (length, length) that blurs along a line at `angle` radians."""
    kernel = np.zeros((length, length), dtype=np.float32)
    middle = (length - 1) / 2
    reach = (middle * math.cos(angle), middle * math.sin(angle))
    start = (round(middle - reach[0]), round(middle - reach[1]))
    cv2.line(kernel, start, (round(middle + reach[0]), round(middle + reach[1])), 1.0)
    return kernel / kernel.sum()


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


def patch_mask(frame: AffineFrame, polygons: tuple[tuple[float, ...], ...], place: Box) -> Image:
    """Where a pasted object covers a crop: its outlines within its place, or the whole place.

    Args:
        frame: how the object's image lies in the crop.
        polygons: outlines in pixels of that image, flat x, y lists; may be empty.
        place: the object's box in the crop.

    Returns:
        uint8 (frame.height, frame.width), 255 where the object is to be seen.
    """
    mask = np.zeros((frame.height, frame.width), dtype=np.uint8)
    left, top = round(place.x), round(place.y)
    right = max(left + 1, round(place.x + place.width))
    bottom = max(top + 1, round(place.y + place.height))
    inside = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not polygons:
        mask[inside] = 255
        return mask
    outlines = np.zeros_like(mask)
    for polygon in polygons:
        points = frame.points_to_crop(np.asarray(polygon, dtype=float).reshape(-1, 2))
        cv2.fillPoly(outlines, [np.round(points).astype(np.int32)], 255)
    mask[inside] = outlines[inside]
    return mask


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
