"""`lite`: our small SiamRPN at stride 16 on an EfficientNet-Lite0 trunk.

Two correlations meet in each branch, as in NanoTrack v3, the teacher that it is trained with: by
depth (SiamRPN++, Li et al., CVPR 2019, section 3.3), in which a window of the template answers as a
whole, and by cells (Alpha-Refine, Yan et al., CVPR 2021, section 3.2), which says where each cell
of the template is seen. A deep tower on both reaches over the whole search crop. The branches have
the teacher's shapes, so that each of their maps can be compared with its own, but for its pooling
over the crop, which says next to nothing (docs/experiments.md, 21): so crops of any size get the
same answers.

One square anchor a cell: the box of a target of any shape is regressed from it, as the logarithms
of the distances to its four sides.
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
from visual_tracker.models.efficientnet_lite import NARROW, EfficientNetLite0, Widths
from visual_tracker.models.geometry import LITE_RPN
from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.siamrpn import Proposals, SiamRpnNetwork, Template

#: cells a side of the template's features that are looked for; the last ones, which lie on the
#: crop's border, are left out
_CELLS = (LITE_RPN.template_size - 1) // LITE_RPN.stride
#: cells a side of the part of them that answers as a whole
_WINDOW = 4
#: cells a side of the embedding: the window of a cell of the response
_EMBEDDING = (LITE_RPN.kernel_span - 1) // LITE_RPN.stride + 1

_TOWER_LAYERS = 6

#: parts of `lite` that make answers of features
HEADS = ("classification", "regression")


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


def _tower_layer(channels: int) -> nn.Sequential:
    return nn.Sequential(
        DepthwiseConv2d(channels, 3, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
        *_pointwise(channels, channels),
    )


def in_two(layer: nn.Sequential, x: Tensor) -> tuple[Tensor, Tensor]:
    """What goes into the activation of a layer, its third part, and what comes out of the layer."""
    depthwise, depthwise_norm, activation, pointwise, pointwise_norm = layer
    before = depthwise_norm(depthwise(x))
    return before, pointwise_norm(pointwise(activation(before)))


def reached(features: Tensor) -> Tensor:
    """The cells of search features that kernels of an even side reach: all but the last ones."""
    return features[:, :, :-1, :-1]


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
        self.cell_mix = nn.Sequential(
            nn.Conv2d(cells, cells, 2, groups=cells, bias=False),
            nn.BatchNorm2d(cells),
            nn.ReLU6(),
            *_pointwise(cells, cells),
        )
        self.join = _pointwise(channels + cells, channels)
        self.tower = nn.ModuleList(_tower_layer(channels) for _ in range(_TOWER_LAYERS))
        self.head = nn.Conv2d(channels, outputs, 1)

    def kernels(self, features: Tensor) -> Tensor:
        """What to look for, (B, 2 C, 8, 8), of template features (B, C, 9, 9)."""
        result: Tensor = self.kernel(features[:, :, :_CELLS, :_CELLS])
        return result

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """Answer to search features (B, C, h, w) with kernels (B or 1, 2 C, 8, 8).

        Returns:
            (B, outputs, h - 2, w - 2).
        """
        result: Tensor = self.head(self.maps(kernel, features)[-1])
        return result

    def maps(self, kernel: Tensor, features: Tensor) -> list[Tensor]:
        """What a teacher's branch has, too, of arguments as in :meth:`forward`.

        Returns:
            The kernels; the features that they are looked for in, (B, 2 C, h - 1, w - 1); and then
            what :meth:`answer_maps` makes of them.
        """
        searched = self.search(reached(features))
        return [kernel, searched, *self.answer_maps(kernel, *searched.chunk(2, dim=1))]

    def answer_maps(
        self, kernel: Tensor, search_window: Tensor, search_cells: Tensor
    ) -> list[Tensor]:
        """The maps (B, ., h - 2, w - 2) from both halves of what is searched to the last layer.

        Returns:
            Where each cell is seen, that and the windows' answers joined, and what each of the
            tower's layers makes of it. Where a layer has an activation, what goes into it comes
            before what the layer makes of it.
        """
        kernel_window, kernel_cells = kernel.chunk(2, dim=1)
        padded = functional.pad(search_window, (1,) * 4)
        window = depthwise_correlation(padded, center_window(kernel_window, _WINDOW))
        seen = torch.matmul(kernel_cells.flatten(2).transpose(1, 2), search_cells.flatten(2))
        result = [*in_two(self.cell_mix, seen.unflatten(2, search_cells.shape[2:]))]
        result.append(self.join(torch.cat((window, result[-1]), dim=1)))
        for layer in self.tower:
            result += in_two(layer, result[-1])
        return result

    def norms(self) -> list[nn.BatchNorm2d]:
        """The norms that end each of :meth:`maps`: all there are, declared in the maps' order."""
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]


def _deltas(sides: Tensor) -> Tensor:
    """Deltas against the square anchor of boxes given by their sides.

    Args:
        sides: (B, 4, H, W), logarithms of the distances from the cell's centre to left, top, right
            and bottom, in halves of the anchor's side.
    """
    left, top, right, bottom = sides.exp().unbind(dim=1)
    shift = (right - left) / 4, (bottom - top) / 4
    growth = ((left + right) / 2).log(), ((top + bottom) / 2).log()
    return torch.stack((*shift, *growth), dim=1)


class LiteSiamRpn(LiteFeatures, SiamRpnNetwork):
    """EfficientNet-Lite0 trunk, joined features, two branches.

    Args:
        channels: width of neck and branches.
        widths: inside of the trunk.
    """

    geometry = LITE_RPN

    def __init__(self, channels: int = 96, widths: Widths = NARROW) -> None:
        super().__init__(widths)
        self.neck = Neck(*EfficientNetLite0.channels, channels)
        self.classification = Branch(channels, 2 * self.geometry.anchors)
        self.regression = Branch(channels, 4 * self.geometry.anchors)

    def kernels(self, features: Tensor) -> Template:
        """Turn phi of template crops into kernels."""
        return Template(
            self.classification.kernels(features),
            self.regression.kernels(features),
            center_window(features, _EMBEDDING),
        )

    def answer(self, template: Template, features: Tensor) -> Proposals:
        """Find the templates in features."""
        logits = self.classification(template.classification, features)
        sides = self.regression(template.regression, features)
        return self._proposals(logits, sides, features)

    def explained_answer(
        self, template: Template, features: Tensor
    ) -> tuple[Proposals, list[Tensor]]:
        """Find the templates in features; with the maps of both branches, see `Branch.maps`."""
        scored = self.classification.maps(template.classification, features)
        boxed = self.regression.maps(template.regression, features)
        logits, sides = self.classification.head(scored[-1]), self.regression.head(boxed[-1])
        return self._proposals(logits, sides, features), scored + boxed

    def _proposals(self, logits: Tensor, sides: Tensor, features: Tensor) -> Proposals:
        anchors = self.geometry.anchors
        return Proposals(
            logits.unflatten(1, (2, anchors)), _deltas(sides).unflatten(1, (4, anchors)), features
        )

    def map_norms(self) -> list[nn.BatchNorm2d]:
        """The norms that end each of the maps of :meth:`explained_answer`."""
        return self.classification.norms() + self.regression.norms()
