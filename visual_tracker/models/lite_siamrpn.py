"""`lite`: our small SiamRPN at stride 16 on an EfficientNet-Lite0 trunk.

Two correlations meet in each branch, as in NanoTrack v3, the teacher that it is trained with: by
depth (SiamRPN++, Li et al., CVPR 2019, section 3.3), in which a window of the template answers as a
whole, and by cells (Alpha-Refine, Yan et al., CVPR 2021, section 3.2), which says where each cell
of the template is seen. A deep tower on both reaches over the whole search crop. Unlike the teacher
it has no pooling over the crop, so that crops of any size get the same answers.

One square anchor a cell: the box of a target of any shape is regressed from it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.correlation import (
    DepthwiseConv2d,
    center_window,
    depthwise_correlation,
)
from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.geometry import LITE_RPN
from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.siamrpn import Proposals, SiamRpnNetwork, Template

#: cells a side of the template's features
_CELLS = (LITE_RPN.template_size - 1) // LITE_RPN.stride + 1
#: cells a side of the part of them that answers as a whole
_WINDOW = 5
#: cells a side of the embedding: the window of a cell of the response
_EMBEDDING = (LITE_RPN.kernel_span - 1) // LITE_RPN.stride + 1
#: cells at the border of the features that have no cell of the response
_MARGIN = _EMBEDDING // 2

TOWER_LAYERS = 6


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class Neck(nn.Module):
    """The trunk's features of strides 8 and 16 joined at stride 16.

    A 3x3 layer of stride 2 brings the fine ones down; on sides of 16 n + 1 pixels its cells lie on
    those of the coarse ones.
    """

    def __init__(self, fine: int, coarse: int, channels: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(fine, channels, 3, 2, 1, bias=False)
        self.coarse = nn.Conv2d(coarse, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Join (B, fine, 2 h - 1, 2 w - 1) and (B, coarse, h, w) to (B, channels, h, w)."""
        joined = self.norm(self.fine(fine) + self.coarse(coarse))
        result: Tensor = self.mix(functional.relu(joined))
        return result


class _Tower(nn.Module):
    """Residual separable 3x3 layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                DepthwiseConv2d(channels, 3, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                *_pointwise(channels, channels),
            )
            for _ in range(TOWER_LAYERS)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


class Branch(nn.Module):
    """One answer a cell: both correlations, the tower, the outputs.

    Args:
        channels: of the features.
        outputs: numbers a cell.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        cells = _CELLS**2
        # the first half is correlated by depth, the second by cells
        self.kernel = _pointwise(channels, 2 * channels)
        self.search = _pointwise(channels, 2 * channels)
        self.window_norm = nn.BatchNorm2d(channels)
        self.cell_norm = nn.BatchNorm2d(cells)
        self.cell_mix = nn.Sequential(
            DepthwiseConv2d(cells, 3, bias=False), nn.BatchNorm2d(cells), nn.ReLU()
        )
        self.join = _pointwise(channels + cells, channels)
        self.tower = _Tower(channels)
        self.head = nn.Conv2d(channels, outputs, 1)

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """Answer to search features (B, C, h, w) with kernels (B or 1, 2 C, 9, 9)."""
        return self.answer(kernel, *self.search(features).chunk(2, dim=1))

    def answer(self, kernel: Tensor, search_window: Tensor, search_cells: Tensor) -> Tensor:
        """Answer to both halves of what is searched, each (B, C, h, w)."""
        kernel_window, kernel_cells = kernel.chunk(2, dim=1)
        padded = functional.pad(search_window, (_WINDOW // 2,) * 4)
        window = depthwise_correlation(padded, center_window(kernel_window, _WINDOW))
        cells = torch.matmul(kernel_cells.flatten(2).transpose(1, 2), search_cells.flatten(2))
        cells = cells.unflatten(2, search_cells.shape[2:])
        joined = torch.cat((self.window_norm(window), self.cell_mix(self.cell_norm(cells))), dim=1)
        result: Tensor = self.head(self.tower(self.join(joined)))
        return result[:, :, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


class LiteSiamRpn(LiteFeatures, SiamRpnNetwork):
    """EfficientNet-Lite0 trunk, joined features, two branches.

    Args:
        channels: width of neck and branches.
    """

    geometry = LITE_RPN

    def __init__(self, channels: int = 96) -> None:
        super().__init__()
        self.neck = Neck(*EfficientNetLite0.channels, channels)
        self.classification = Branch(channels, 2 * self.geometry.anchors)
        self.regression = Branch(channels, 4 * self.geometry.anchors)

    def kernels(self, features: Tensor) -> Template:
        """Turn phi of template crops into kernels."""
        return Template(
            self.classification.kernel(features),
            self.regression.kernel(features),
            center_window(features, _EMBEDDING),
        )

    def answer(self, template: Template, features: Tensor) -> Proposals:
        """Find the templates in features."""
        logits = self.classification(template.classification, features)
        deltas = self.regression(template.regression, features)
        anchors = self.geometry.anchors
        return Proposals(
            logits.unflatten(1, (2, anchors)), deltas.unflatten(1, (4, anchors)), features
        )
