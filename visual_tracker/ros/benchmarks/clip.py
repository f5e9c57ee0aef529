"""The benchmark's scene as a folder of images that loops without a jump."""

from __future__ import annotations

from pathlib import Path

import cv2

from visual_tracker.benchmarks.speed import Scene

#: distinct images; the folder shows them forwards and backwards
IMAGES = 30


def write_clip(folder: Path, width: int, height: int) -> Scene:
    """Write the scene's images, forwards and backwards, and return the scene.

    BMP, since a camera that has to decode its images would be measured instead of the node.
    """
    scene = Scene(width, height)
    order = [*range(IMAGES), *range(IMAGES - 2, 0, -1)]
    for place, index in enumerate(order):
        path = folder / f"{place:04d}.bmp"
        if place < IMAGES:
            cv2.imwrite(str(path), scene.image(index))
        else:
            path.symlink_to(folder / f"{index:04d}.bmp")
    return scene
