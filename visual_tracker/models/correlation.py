"""Cross-correlation of template features (the kernel) with search features."""

from __future__ import annotations

from torch import Tensor
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
    weight = kernel.reshape(batch * channels, 1, *kernel.shape[2:])
    result = functional.conv2d(
        search.reshape(1, batch * channels, height, width), weight, groups=batch * channels
    )
    return result.view(batch, channels, *result.shape[2:])


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
