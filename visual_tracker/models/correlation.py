"""Cross-correlation of template features (the kernel) with search features.

Depthwise convolutions are here too, since both share what makes their gradients fast on a CPU.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def depthwise_correlation(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate channel by channel (SiamRPN++, Li et al., CVPR 2019, section 3.3).

    Args:
        search: (B, C, H, W).
        kernel: (B, C, h, w), or (1, C, h, w) for one kernel on all.

    Returns:
        (B, C, H - h + 1, W - w + 1).
    """
    batch, channels, height, width = search.shape
    if kernel.shape[0] == 1:
        return functional.conv2d(search, kernel.transpose(0, 1), groups=channels)
    planes = search.reshape(1, batch * channels, height, width)
    result: Tensor = _PlanewiseCorrelation.apply(planes, kernel.reshape(-1, 1, *kernel.shape[2:]))
    return result.view(batch, channels, *result.shape[2:])


class _PlanewiseCorrelation(torch.autograd.Function):
    """Correlate each plane with its own kernel; both gradients are correlations, too.

    PyTorch's own backward of so many groups took .8 s on two CPU cores where this one takes .05 s
    (32 pairs, 192 channels), two thirds of a whole training step.
    """

    @staticmethod
    def forward(ctx: Any, planes: Tensor, kernels: Tensor) -> Tensor:
        """Correlate (1, N, H, W) with (N, 1, h, w) to (1, N, H - h + 1, W - w + 1)."""
        ctx.save_for_backward(planes, kernels)
        return functional.conv2d(planes, kernels, groups=len(kernels))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """With y = x * k: the gradient of x is dy * turned k, padded; k's is x * dy."""
        planes, kernels = ctx.saved_tensors
        (gradient,) = gradients
        groups = len(kernels)
        to_planes = to_kernels = None
        if ctx.needs_input_grad[0]:
            height, width = kernels.shape[2:]
            padded = functional.pad(gradient, (width - 1, width - 1, height - 1, height - 1))
            to_planes = functional.conv2d(padded, kernels.flip(2, 3), groups=groups)
        if ctx.needs_input_grad[1]:
            weight = gradient.reshape(groups, 1, *gradient.shape[2:])
            to_kernels = functional.conv2d(planes, weight, groups=groups)
            to_kernels = to_kernels.view_as(kernels)
        return to_planes, to_kernels


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution whose gradients are correlations.

    Args:
        channels: inputs and outputs.
        kernel: side, odd; padded to keep the size at stride 1.
        stride: of the output.
        bias: whether there is one.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, bias: bool = True) -> None:
        padding = kernel // 2
        super().__init__(channels, channels, kernel, stride, padding, groups=channels, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # the name is that of the base class
        """Map (B, channels, H, W) to (B, channels, H / stride, W / stride)."""
        if not torch.is_grad_enabled():
            return super().forward(input)
        weight = self.weight
        if torch.is_autocast_enabled(input.device.type):
            half = torch.get_autocast_dtype(input.device.type)
            input, weight = input.to(half), weight.to(half)
        result: Tensor = _DepthwiseConvolution.apply(input, weight, self.stride[0])
        return result if self.bias is None else result + self.bias[:, None, None].to(result.dtype)


class _DepthwiseConvolution(torch.autograd.Function):
    """Padded by half a kernel.

    PyTorch's own backward is fast for the weights of 3x3 kernels alone. Those of 5x5 took 103 ms
    where a correlation takes 13 (32 x 160 x 33 x 33, bfloat16, two CPU cores), and the input's at
    stride 2 took 49 ms where a convolution takes 5 (32 x 32 x 129 x 129, 3x3).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Convolve (B, C, H, W) with (C, 1, k, k)."""
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        pad = weight.shape[2] // 2
        return functional.conv2d(x, weight, stride=stride, padding=pad, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """The gradient of x is dy * turned weight; the weight's is x * dy over the batch."""
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            to_x = _depthwise_input_gradient(gradient, weight, ctx.stride, x)
        if ctx.needs_input_grad[1]:
            to_weight = _depthwise_weight_gradient(gradient, weight, ctx.stride, x)
        return to_x, to_weight, None


def _depthwise_input_gradient(gradient: Tensor, weight: Tensor, stride: int, x: Tensor) -> Tensor:
    """At stride s the gradient's cells lie s apart, with zeros between them."""
    if stride > 1:
        spread = torch.zeros_like(x)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    pad = weight.shape[2] // 2
    return functional.conv2d(gradient, weight.flip(2, 3), padding=pad, groups=len(weight))


def _depthwise_weight_gradient(gradient: Tensor, weight: Tensor, stride: int, x: Tensor) -> Tensor:
    """Where a kernel is larger than 3x3, correlate the padded input with the gradient.

    At stride s each of the input's s x s phases (every s-th row and column) meets its own part of
    the kernel at stride 1.
    """
    pad, groups = weight.shape[2] // 2, len(weight)
    if weight.shape[2] == 3:
        own: Tensor = nn.grad.conv2d_weight(x, weight.shape, gradient, stride, pad, groups=groups)
        return own
    padded = functional.pad(x, (pad,) * 4)
    kernels = gradient.reshape(-1, 1, *gradient.shape[2:])
    result = torch.empty_like(weight)
    for top, left in itertools.product(range(stride), repeat=2):
        part = result[:, :, top::stride, left::stride]
        height, width = (
            of_gradient + of_part - 1
            for of_gradient, of_part in zip(gradient.shape[2:], part.shape[2:], strict=True)
        )
        planes = padded[:, :, top::stride, left::stride][:, :, :height, :width]
        planes = planes.reshape(1, -1, height, width)
        each = functional.conv2d(planes, kernels, groups=len(kernels))
        part.copy_(each.view(len(x), *part.shape).float().sum(dim=0))
    return result


def center_window(features: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` cells of (B, C, H, W)."""
    top = (features.shape[2] - size) // 2
    left = (features.shape[3] - size) // 2
    return features[:, :, top : top + size, left : left + size]


def full_correlation(search: Tensor, kernel: Tensor, outputs: int = 1) -> Tensor:
    """Correlate over all channels.

    Args:
        search: (B, C, H, W).
        kernel: (B, outputs * C, h, w), or with B = 1 for one kernel on all.
        outputs: number of response maps a pair.

    Returns:
        (B, outputs, H - h + 1, W - w + 1).
    """
    batch, channels, height, width = search.shape
    if kernel.shape[0] == 1:
        return functional.conv2d(search, kernel.view(outputs, channels, *kernel.shape[2:]))
    result = functional.conv2d(
        search.reshape(1, batch * channels, height, width),
        kernel.reshape(batch * outputs, channels, *kernel.shape[2:]),
        groups=batch,
    )
    return result.view(batch, outputs, *result.shape[2:])
