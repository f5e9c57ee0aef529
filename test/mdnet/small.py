"""A network of one convolution, so that tests of MDNet take no time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visual_tracker.models.mdnet import RegionFeatures
from visual_tracker.online.roi_align import pool_box, roi_align


class SmallFeatures(RegionFeatures):
    """Colours and edges in cells of four pixels."""

    target_side = 32.0
    region_size = 128
    crop_size = 48
    channels = 12
    bins = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 12, 4, 4)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return (torch.relu(self.layer(images / 64.0 - 2.0)),)

    def pool(self, maps: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        return roi_align(maps[0], self._cells(boxes), self.bins)

    def pool_each(self, maps: tuple[Tensor, ...], box: Tensor) -> Tensor:
        return pool_box(maps[0], self._cells(box), self.bins)

    @staticmethod
    def _cells(boxes: Tensor) -> Tensor:
        return boxes / 4 - boxes.new_tensor([0.5, 0.5, 0.0, 0.0])
