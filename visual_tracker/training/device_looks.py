"""Batched light, blur, compression, grey and mirror in torch; `augment` does the same in OpenCV.

Images are float (n, 3, height, width), BGR, 0 to 255 in whole numbers, as from uint8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

#: arrays of a batch of looks
NAMES = ("gains", "brightness", "blur", "quality")

_BLOCK = 8

#: standard quantisation tables (ITU-T T.81, annex K), of brightness and of colour
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    *[99] * 32,
)  # fmt: skip

#: rows are Y, Cb, Cr of blue, green, red (ITU-T T.871)
_TO_YCC = ((0.114, 0.587, 0.299), (0.5, -0.331264, -0.168736), (-0.081312, -0.418688, 0.5))


def seen(images: Tensor, looks: Mapping[str, Tensor]) -> Tensor:
    """Images under their looks.

    Args:
        images: (n, 3, height, width).
        looks: `gains` (n, 3), `brightness` (n,), `blur` (n, K, K) and `quality` (n,).
    """
    gains, brightness = looks["gains"][..., None, None], looks["brightness"][:, None, None, None]
    images = ((images - 128) * gains + 128 + brightness).clamp(0, 255).floor()
    rows = (looks["blur"].sum(dim=(1, 2)) > 0).nonzero()[:, 0]
    if len(rows):
        images[rows] = blurred(images[rows], looks["blur"][rows])
    rows = (looks["quality"] > 0).nonzero()[:, 0]
    if len(rows):
        images[rows] = compressed(images[rows], looks["quality"][rows])
    return images


def blurred(images: Tensor, kernels: Tensor) -> Tensor:
    """Each image correlated with its kernel (n, K, K), K odd, the border repeated."""
    count, channels, height, width = images.shape
    margin = kernels.shape[-1] // 2
    padded = functional.pad(images, (margin,) * 4, mode="replicate")
    weights = kernels.repeat_interleave(channels, dim=0)[:, None]
    flat = padded.reshape(1, count * channels, *padded.shape[2:])
    result = functional.conv2d(flat, weights, groups=count * channels)
    return result.reshape(count, channels, height, width).round().clamp(0, 255)


def greyed(images: Tensor, chosen: Tensor) -> Tensor:
    """The chosen images (bool (n,)) without colour, still of three channels."""
    weights = images.new_tensor(_TO_YCC[0])[:, None, None]
    grey = (images * weights).sum(dim=1, keepdim=True).round().expand_as(images)
    return torch.where(chosen[:, None, None, None], grey, images)


def mirrored(images: Tensor, chosen: Tensor) -> Tensor:
    """The chosen images (bool (n,)) mirrored left to right."""
    return torch.where(chosen[:, None, None, None], images.flip(-1), images)


def compressed(images: Tensor, qualities: Tensor) -> Tensor:
    """Images after JPEG of a quality (1 to 100) each: 8x8 cosine transform, colour at half size.

    Baseline JPEG apart from rounding and the interpolation of colour.
    """
    height, width = images.shape[2:]
    margin = (0, -width % (2 * _BLOCK), 0, -height % (2 * _BLOCK))
    padded = functional.pad(images, margin, mode="replicate")
    to_ycc = images.new_tensor(_TO_YCC)
    ycc = (
        torch.einsum("kc,nchw->nkhw", to_ycc, padded)
        - images.new_tensor([128, 0, 0])[:, None, None]
    )
    colour = functional.avg_pool2d(ycc[:, 1:], 2)
    light = _quantised(ycc[:, :1], _table(_LUMINANCE, qualities))
    colour = _quantised(colour, _table(_CHROMINANCE, qualities))
    colour = functional.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    back = torch.tensor(_TO_YCC).inverse().to(images.device)
    result = torch.einsum("ck,nkhw->nchw", back, torch.cat([light + 128, colour], dim=1))
    return result[:, :, :height, :width].round().clamp(0, 255)


def _table(standard: tuple[int, ...], qualities: Tensor) -> Tensor:
    """Quantisation steps (n, 1, 1, 1, 8, 8), scaled by the quality as libjpeg does."""
    quality = qualities.float()[:, None]
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()
    table = torch.tensor(standard, device=qualities.device)[None] * scale
    return ((table + 50) / 100).floor().clamp(1, 255).view(-1, 1, 1, 1, _BLOCK, _BLOCK)


def _quantised(planes: Tensor, table: Tensor) -> Tensor:
    """Planes (n, c, height, width) after rounding the transform of their 8x8 blocks."""
    count, channels, height, width = planes.shape
    place, wave = torch.arange(_BLOCK).float(), torch.arange(_BLOCK).float()[:, None]
    basis = torch.cos((2 * place + 1) * wave * math.pi / (2 * _BLOCK)) / 2
    basis[0] /= math.sqrt(2)
    basis = basis.to(planes.device)
    blocks = planes.reshape(count, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = blocks.transpose(3, 4)
    waves = (basis @ blocks @ basis.T / table).round() * table
    return (basis.T @ waves @ basis).transpose(3, 4).reshape(planes.shape)
