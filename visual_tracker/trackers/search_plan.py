"""Where to search while the target is lost: a region that grows until it covers the whole image.

Zhu et al., ECCV 2018, section 3.4 ("local-to-global"): the search region grows by a constant step
each frame. The scale stays that of the template, so the region in network pixels would grow without
bound in a large image. The cost of a frame is bounded by tiles: the region is divided into the
fewest equal tiles of at most a given size, and each frame searches one of them, in turn. A small
region is one tile and is searched in every frame.

All of it speaks of where the target's *centre* may be. A crop of side s covers centres in its
middle s - kernel_span pixels, so tiles overlap by kernel_span and reach beyond the image's border.

Crops come in few sizes: the first crop of a size costs an engine some 50 ms and 6 MB for good
(docs/performance.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.crops import CropFrame
from visual_tracker.models.geometry import Geometry

#: sides of crops differ by multiples of this, in crop pixels; a multiple of every network's step
_SIZE_STEP = 64


def lost_centers(
    center: tuple[float, float], side: float, image_width: int, image_height: int
) -> Box:
    """The part of the image in which the target's centre is searched.

    Args:
        center: where the target was last seen; inside the image.
        side: side of the square around it, in image pixels.
        image_width: in pixels.
        image_height: in pixels.
    """
    image = Box(0, 0, image_width, image_height)
    square = Box.from_center(*center, side, side)
    if square.intersection_area(image) <= 0:
        return image
    return square.clipped(image_width, image_height)


def tiles(region: Box, center: tuple[float, float], largest: float) -> BoxArray:
    """The fewest equal tiles of at most `largest` pixels a side that cover a region.

    A target of few pixels in a large image has thousands of them.

    Returns:
        The tiles, (n, 4) rows x, y, width, height, nearest to `center` first.
    """
    columns = max(1, math.ceil(region.width / largest - 1e-9))
    rows = max(1, math.ceil(region.height / largest - 1e-9))
    size = np.array([region.width / columns, region.height / rows])
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    corners = np.array([region.x, region.y]) + places * size
    distances = np.hypot(*(corners + size / 2 - center).T)
    nearest = np.argsort(distances, kind="stable")
    return np.hstack([corners, np.broadcast_to(size, corners.shape)])[nearest]


@dataclass(frozen=True)
class SearchPlan:
    """How far and in what crops a lost target is searched.

    Attributes:
        growth: step a frame of the region's side, in crop pixels.
        largest: largest side of a crop, in crop pixels.
        geometry: of the network.
    """

    growth: int
    largest: int
    geometry: Geometry

    def frame(
        self,
        center: tuple[float, float],
        pixel: float,
        frames_lost: int,
        turn: int,
        image_size: tuple[int, int],
    ) -> CropFrame:
        """The crop to search in the n-th frame after the loss.

        Args:
            center: where the target was last seen.
            pixel: image pixels a crop pixel, as the template's size asks for.
            frames_lost: n, 1 for the first frame after the one in which the target was lost.
            turn: n again, or less where the target is searched at several scales by turns: the
                number of this search among those of its scale.
            image_size: width and height in pixels.
        """
        span = self.geometry.kernel_span
        reach = self.geometry.search_size - span + self.growth * frames_lost
        region = lost_centers(center, reach * pixel, *image_size)
        parts = tiles(region, center, (self.largest - span) * pixel)
        tile = Box.from_xywh(*parts[(turn - 1) % len(parts)].tolist())
        # the few sizes need not meet the largest one
        end = self.geometry.fitting_size(self.largest)
        width, height = (
            min(end, self.geometry.fitting_size(side / pixel + span, _SIZE_STEP))
            for side in (tile.width, tile.height)
        )
        return CropFrame(*tile.center, pixel, width, height)
