"""NanoTrack v3 as a teacher: MobileNetV3 features, pixel-wise and depthwise correlation, towers.

Written from the tensors of the released file (HonglinChu/SiamTrackers, Apache-2.0) and its
configuration; MobileNetV3 is Howard et al., ICCV 2019, the pixel-wise correlation is Yan et al.,
"Alpha-Refine", CVPR 2021. The names of the modules are those of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.correlation import center_window, depthwise_correlation
from visual_tracker.models.lite_siamrpn import in_two
from visual_tracker.models.siamrpn import with_others
from visual_tracker.models.weights import WeightsError

TEMPLATE_SIZE = 127
SEARCH_SIZE = 255
STRIDE = 16
#: cells a side of the response, whose middle is the centre of the search crop
RESPONSE_SIZE = 15
#: cells a side of the features of template and search crops
TEMPLATE_CELLS, SEARCH_CELLS = 8, 16

_CHANNELS = 96
_TOWER_LAYERS = 6
#: parts of a layer of the tower
_LAYER = 5


class _Block(NamedTuple):
    """An inverted residual: widths, kernel, width of squeeze-and-excitation, hard swish, stride."""

    expanded: int
    channels: int
    kernel: int
    squeeze: int
    swish: bool
    stride: int


_STEM = 16
_BLOCKS = (
    _Block(16, 16, 3, 8, False, 2),
    _Block(72, 24, 3, 0, False, 2),
    _Block(88, 24, 3, 0, False, 1),
    _Block(96, 40, 5, 24, True, 2),
    _Block(240, 40, 5, 64, True, 1),
    _Block(240, 40, 5, 64, True, 1),
    _Block(120, 48, 5, 32, True, 1),
    _Block(144, 48, 5, 40, True, 1),
    _Block(288, 96, 5, 72, True, 1),
)


class Lesson(NamedTuple):
    """What the teacher makes of pairs.

    Attributes:
        features: of the search crops, (B, 96, 16, 16); cell i lies on pixel 16 i of the crop.
        logits: target minus background, (N, 15, 15), stride 16 around the crop's centre; N is B, or
            more where other templates were looked for, too.
        boxes: of each cell, (N, 4, 15, 15): centre x, centre y from the crop's centre, width,
            height; crop pixels.
        template_features: of the template crops, (B, 96, 8, 8).
        maps: what the head computes on its way, of scores and then of boxes; each as in
            :meth:`visual_tracker.models.lite_siamrpn.Branch.maps`.
    """

    features: Tensor
    logits: Tensor
    boxes: Tensor
    template_features: Tensor
    maps: list[Tensor]


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    padding = (kernel - 1) // 2
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)


class _Squeeze(nn.Module):
    """Squeeze-and-excitation (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        layers = (nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.fc = nn.Sequential(*layers, nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]
        return result


class _InvertedResidual(nn.Module):
    def __init__(self, inputs: int, block: _Block) -> None:
        super().__init__()
        hidden = block.expanded
        activation = nn.Hardswish if block.swish else nn.ReLU
        squeeze = _Squeeze(hidden, block.squeeze) if block.squeeze else nn.Identity()
        depthwise = _convolution(hidden, hidden, block.kernel, block.stride, hidden)
        layers: list[nn.Module]
        if inputs == hidden:
            layers = [depthwise, nn.BatchNorm2d(hidden), activation(), squeeze]
        else:
            expand = _convolution(inputs, hidden, 1, 1, 1)
            layers = [expand, nn.BatchNorm2d(hidden), activation()]
            layers += [depthwise, nn.BatchNorm2d(hidden), squeeze, activation()]
        project = _convolution(hidden, block.channels, 1, 1, 1)
        self.conv = nn.Sequential(*layers, project, nn.BatchNorm2d(block.channels))
        self.shortcut = block.stride == 1 and inputs == block.channels

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.conv(x) if self.shortcut else self.conv(x)
        return result


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stem = (_convolution(3, _STEM, 3, 2, 1), nn.BatchNorm2d(_STEM), nn.Hardswish())
        widths = [_STEM, *(block.channels for block in _BLOCKS)]
        blocks = [_InvertedResidual(*pair) for pair in zip(widths, _BLOCKS, strict=False)]
        self.features = nn.Sequential(nn.Sequential(*stem), *blocks)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.features(image)
        return result


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs)]


class _Correlation(nn.Module):
    """1x1 convolutions of both sides, to be correlated."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_kernel = nn.Sequential(*_pointwise(_CHANNELS, _CHANNELS))
        self.conv_search = nn.Sequential(*_pointwise(_CHANNELS, _CHANNELS))


class _Depthwise(_Correlation):
    def forward(self, kernel: Tensor, searched: Tensor) -> Tensor:
        """Correlate what both convolutions made of template and search features."""
        return depthwise_correlation(functional.pad(searched, (1,) * 4), center_window(kernel, 4))


class _ChannelAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels, 1)
        self.fc2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        result: Tensor = x * torch.sigmoid(self.fc2(functional.relu(self.fc1(pooled))))
        return result


class _Pixelwise(_Correlation):
    """Every template cell is a 1x1 kernel."""

    def __init__(self) -> None:
        super().__init__()
        cells = TEMPLATE_CELLS**2
        self.CA_layer = _ChannelAttention(cells)
        depthwise = nn.Conv2d(cells, cells, 2, groups=cells, bias=False)
        self.conv = nn.Sequential(
            depthwise, nn.BatchNorm2d(cells), nn.ReLU6(), *_pointwise(cells, cells)
        )

    def seen(self, kernel: Tensor, searched: Tensor) -> Tensor:
        """Where each cell is seen, of what both convolutions made of template and search."""
        response = torch.matmul(kernel.flatten(2).transpose(1, 2), searched.flatten(2))
        result: Tensor = self.CA_layer(response.unflatten(2, searched.shape[2:]))
        return result


def _tower() -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(_TOWER_LAYERS):
        depthwise = _convolution(_CHANNELS, _CHANNELS, 3, 1, _CHANNELS)
        pointwise = _convolution(_CHANNELS, _CHANNELS, 1, 1, 1)
        layers += [depthwise, nn.BatchNorm2d(_CHANNELS), nn.ReLU6()]
        layers += [pointwise, nn.BatchNorm2d(_CHANNELS)]
    return nn.Sequential(*layers)


def _down() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(_CHANNELS + TEMPLATE_CELLS**2, _CHANNELS, 1))


class _Head(nn.Module):
    """Two class scores, and the logarithms of the distances to the box's four sides."""

    def __init__(self) -> None:
        super().__init__()
        self.corr_dw_cls, self.corr_pw_cls = _Depthwise(), _Pixelwise()
        self.corr_dw_reg, self.corr_pw_reg = _Depthwise(), _Pixelwise()
        self.down_cls, self.down_reg = _down(), _down()
        self.cls_tower, self.bbox_tower = _tower(), _tower()
        self.cls_logits = nn.Sequential(nn.Conv2d(_CHANNELS, 2, 1))
        self.bbox_pred = nn.Sequential(nn.Conv2d(_CHANNELS, 4, 1))

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Scores (N, 2, 15, 15), distances (N, 4, 15, 15), and all maps, as `Lesson` has them."""
        scored = _maps(
            self.corr_dw_cls, self.corr_pw_cls, self.down_cls, self.cls_tower, template, search
        )
        boxed = _maps(
            self.corr_dw_reg, self.corr_pw_reg, self.down_reg, self.bbox_tower, template, search
        )
        return self.cls_logits(scored[-1]), self.bbox_pred(boxed[-1]).exp(), scored + boxed


def _maps(
    window: _Depthwise,
    cells: _Pixelwise,
    down: nn.Sequential,
    tower: nn.Sequential,
    template: Tensor,
    search: Tensor,
) -> list[Tensor]:
    """What a branch computes on its way."""
    parts = (window, cells)
    kernels = [part.conv_kernel(template) for part in parts]
    searched = [part.conv_search(search) for part in parts]
    seen = cells.seen(kernels[1], searched[1])
    result = [torch.cat(kernels, dim=1), torch.cat(searched, dim=1), *in_two(cells.conv, seen)]
    window_answer = window(kernels[0], searched[0])
    result.append(down(torch.cat((result[-1], window_answer), dim=1)))
    for start in range(0, len(tower), _LAYER):
        result += in_two(tower[start : start + _LAYER], result[-1])
    return result


class NanoTrackTeacher(nn.Module):
    """NanoTrack v3's features, target scores and boxes.

    Args:
        path: `nanotrackv3.safetensors`.

    Raises:
        WeightsError: if the file is something else.
    """

    channels = _CHANNELS

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.backbone = _Backbone()
        self.ban_head = _Head()
        own = self.state_dict()
        try:
            given = {name: value for name, value in load_file(path).items() if name in own}
            self.load_state_dict(given)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise WeightsError(
                f"{path} does not hold NanoTrack v3's weights: {str(error).splitlines()[0]}"
            ) from None
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def features(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Features of template crops (B, 96, 8, 8) and of search crops (B, 96, 16, 16).

        Args:
            template: (B, 3, 127, 127) BGR in 0..255.
            search: (B, 3, 255, 255) BGR in 0..255.
        """
        return self.backbone(template), self.backbone(search)

    @torch.no_grad()
    def forward(
        self,
        template: Tensor,
        search: Tensor,
        others: int = 0,
        given: tuple[Tensor, Tensor] | None = None,
    ) -> Lesson:
        """Look at pairs.

        Args:
            template: (B, 3, 127, 127) BGR in 0..255.
            search: (B, 3, 255, 255) BGR in 0..255.
            others: how many other templates of the batch to look for, too; see
                :func:`visual_tracker.models.siamrpn.with_others`.
            given: features of template (B, 96, 8, 8) and search crops (B, 96, 16, 16) for the head
                to read instead of its own.
        """
        own, features = self.features(template, search)
        read = given or (own, features)
        templates = with_others(read[0], others)
        logits, sides, maps = self.ban_head(templates, read[1].repeat(others + 1, 1, 1, 1))
        return Lesson(features, logits[:, 1] - logits[:, 0], _boxes(sides), own, maps)


def _boxes(sides: Tensor) -> Tensor:
    """Boxes of cells from the distances to their left, top, right and bottom sides."""
    left, top, right, bottom = sides.unbind(dim=1)
    place = (torch.arange(RESPONSE_SIZE, device=sides.device) - RESPONSE_SIZE // 2) * STRIDE
    x, y = place[None, None, :] + (right - left) / 2, place[None, :, None] + (bottom - top) / 2
    return torch.stack((x, y, left + right, top + bottom), dim=1)
