"""Networks rewritten for engines: the same function in fewer or cheaper steps.

What is exported is a copy in which

- batch norms are folded into convolutions (`visual_tracker.models.torch_matchers.folded`);
- `lite` takes the mean off the bytes where they lie, so that an engine need not lay them out anew,
  and scale and order of the colours are in the first layer's weights;
- a correlation filter's Fourier transform is products of matrices, since graphs have none;
- the two halves of a branch of `lite` are two convolutions, since engines copy what they split;
- AlexNet's first two layers are cheaper to compute (:class:`_PairedColumns`, :class:`_RowPairs`).

Training and eager torch run the networks as they are written. What each step gains:
docs/performance.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.alexnet import AlexNetSiamRpn
from visual_tracker.models.cfnet import LiteCfNet
from visual_tracker.models.correlation_filter import CorrelationFilter
from visual_tracker.models.efficientnet_lite import MEAN, SCALE, EfficientNetLite0
from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.lite_siamrpn import Branch, LiteSiamRpn, reached
from visual_tracker.models.region_maps import maps_of
from visual_tracker.models.torch_matchers import folded

#: taken off the bytes before AlexNet: any number would do, the middle one is small in bf16
_MIDDLE = 128.0

#: from images (N, height, width, 3) of bytes to what a network's features take
Planes = Callable[[Tensor], Tensor]


def deployed(network: nn.Module) -> tuple[nn.Module, Planes]:
    """A copy to be exported, and what makes its input.

    Args:
        network: a Siamese network in eval mode.
    """
    network = folded(network)
    if isinstance(network, LiteFeatures):
        network.trunk = _CentredTrunk(network.trunk)
    if isinstance(network, LiteSiamRpn):
        network.classification = _SplitBranch(network.classification)
        network.regression = _SplitBranch(network.regression)
    if isinstance(network, LiteCfNet):
        network.filter = _MatrixFilter(network.filter)
    if isinstance(network, AlexNetSiamRpn):
        network.featureExtract = _cheaper_alexnet(network.featureExtract)
        return network, _paired_columns
    return network, _centred


def deployed_maps(network: nn.Module) -> tuple[nn.Module, Callable[[Tensor], tuple[Tensor, ...]]]:
    """A copy to be exported, and what makes its maps of bytes (N, height, width, 3).

    Args:
        network: an `MdNet` or a `PolicyNetwork` in eval mode.
    """
    network = folded(network)
    planes = _plain
    for parent in list(network.modules()):
        trunk = getattr(parent, "trunk", None)
        if isinstance(trunk, EfficientNetLite0):
            parent.trunk = _CentredTrunk(trunk)
            planes = _centred
    maps = maps_of(network)
    return network, lambda image: maps(planes(image))


def _plain(image: Tensor) -> Tensor:
    return image.float().permute(0, 3, 1, 2)


def _centred(image: Tensor) -> Tensor:
    # The cast comes first: TensorRT takes bytes only as far as a cast. A sum between it and the
    # change of layout lets OpenVINO drop the latter.
    return (image.float() - MEAN).permute(0, 3, 1, 2)


class _CentredTrunk(nn.Module):
    """EfficientNet-Lite0 for BGR less MEAN; the scale is a power of 2, so nothing is rounded."""

    def __init__(self, trunk: EfficientNetLite0) -> None:
        super().__init__()
        self.trunk = trunk
        trunk.stem.weight.data = trunk.stem.weight.data.flip(1) / SCALE

    def forward(self, centred: Tensor) -> tuple[Tensor, Tensor]:
        return self.trunk.maps(centred)


class _MatrixFilter(nn.Module):
    """A correlation filter whose Fourier transforms are products with cosines and sines."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, layer: CorrelationFilter) -> None:
        super().__init__()
        self.layer = layer
        steps = torch.arange(layer.cells)
        # whole turns are left out before an angle is rounded
        turns = (steps.outer(steps) % layer.cells).double() / layer.cells
        self.register_buffer("cosine", (2 * math.pi * turns).cos().float())
        self.register_buffer("sine", (2 * math.pi * turns).sin().float())

    def forward(self, features: Tensor) -> Tensor:
        real, imaginary = self._transform(features * self.layer.window)
        gain = self.layer.gain(real, imaginary)
        # back: the real part of the conjugate's transform
        even, _ = self._transform(real * gain)
        _, odd = self._transform(imaginary * gain)
        return (even + odd) / self.layer.cells**2

    def _transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of the transform of (B, C, cells, cells)."""
        rows, odd_rows = self.cosine @ x, self.sine @ x
        return (
            rows @ self.cosine - odd_rows @ self.sine,
            -(odd_rows @ self.cosine + rows @ self.sine),
        )


class _SplitBranch(nn.Module):
    """A branch whose halves of the search features are made apart."""

    def __init__(self, branch: Branch) -> None:
        super().__init__()
        self.branch = branch
        self.kernels = branch.kernels
        convolution = branch.search[0]
        assert isinstance(convolution, nn.Conv2d)
        self.window, self.cells = (
            _convolution(*parts)
            for parts in zip(*map(_halves, (convolution.weight, convolution.bias)), strict=True)
        )

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        features = reached(features)
        maps = self.branch.answer_maps(kernel, self.window(features), self.cells(features))
        result: Tensor = self.branch.head(maps[-1])
        return result


def _halves(parameter: Tensor | None) -> tuple[Tensor, Tensor]:
    assert parameter is not None  # folding gives every convolution a bias
    first, second = parameter.chunk(2)
    return first, second


def _convolution(weight: Tensor, bias: Tensor, stride: tuple[int, int] = (1, 1)) -> nn.Conv2d:
    outputs, inputs, height, width = weight.shape
    layer = nn.Conv2d(inputs, outputs, (height, width), stride)
    layer.weight.data, layer.bias.data = weight.contiguous(), bias
    return layer.requires_grad_(False)


def _cheaper_alexnet(layers: nn.Sequential) -> nn.Sequential:
    """The same with other first layers: convolution, (norm), pooling and ReLU, twice, and more."""
    first, _, pool, relu, second, _, _, _, *others = layers
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    # ReLU before pooling gives the same, and engines join it to the convolution.
    return nn.Sequential(_PairedColumns(first), relu, pool, _RowPairs(second), *others)


def _paired_columns(image: Tensor) -> Tensor:
    """(N, 6, height, width / 2 + 1): the colours of two columns; crops are odd, zeros are added."""
    padded = functional.pad(image.float() - _MIDDLE, (0, 0, 0, 1))
    batch, height = padded.shape[:2]
    return padded.reshape(batch, height, -1, 6).permute(0, 3, 1, 2)


class _PairedColumns(nn.Module):
    """A convolution of stride 2 over 3 colours as one over the colours of two columns.

    bf16 multiplies channels in pairs, so that three cost as much as four and six as much as six.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight, bias = convolution.weight, convolution.bias
        assert bias is not None
        assert convolution.stride == (2, 2)
        assert convolution.padding == (0, 0)
        paired = functional.pad(weight, (0, weight.shape[3] % 2)).unflatten(3, (-1, 2))
        self.layer = _convolution(
            paired.permute(0, 4, 1, 2, 3).flatten(1, 2),
            bias + _MIDDLE * weight.sum(dim=(1, 2, 3)),
            stride=(2, 1),
        )

    def forward(self, paired: Tensor) -> Tensor:
        result: Tensor = self.layer(paired)
        return result


class _RowPairs(nn.Module):
    """Convolution with an odd kernel, max pooling by 3 with stride 2, and ReLU.

    Even and odd rows of the result come from three convolutions of half the rows instead of four
    (the fast FIR algorithm of two phases: Mou and Duhamel, IEEE Transactions on Signal Processing
    39, 1991): with the kernel's even rows a and odd rows b, and the input's even rows x and odd
    rows y, the even rows of the result are ax + by, and the odd ones ay + bx = ax + by - (a - b)
    (x - y), each b one row later. Five rows of kernel cost four. Differences, since neighbouring
    rows are alike, and little is lost in bf16.

    The rows need not be put together again: pooling takes them as they are.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        weight, bias = convolution.weight.data, convolution.bias
        assert bias is not None
        assert convolution.stride == (1, 1)
        assert convolution.padding == (0, 0)
        even, odd = weight[:, :, 0::2], weight[:, :, 1::2]
        difference = functional.pad(odd, (0, 0, 1, 0)) - even
        none = torch.zeros_like(bias)
        self.even, self.odd = _convolution(even, bias.data), _convolution(odd, none)
        self.difference = _convolution(difference, none)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) of odd H and W."""
        even_rows, odd_rows = x[:, :, 0::2], x[:, :, 1::2]
        of_even, of_odd = self.even(even_rows), self.odd(odd_rows)
        of_difference = self.difference(even_rows[:, :, :-1] - odd_rows)
        even = of_even + of_odd
        odd = of_even[:, :, :-1] + of_odd[:, :, 1:] + of_difference
        highest = torch.maximum(torch.maximum(even[:, :, :-1], even[:, :, 1:]), odd)
        return functional.max_pool2d(functional.relu(highest), (1, 3), (1, 2))
