"""A trunk of narrow blocks that starts as what a wide one does.

He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017: of each block
the channels are kept that its last layer makes most of, and that layer is fitted anew, by least
squares on real crops, to give with the channels that are left what the wide block gave. From block
to block the narrow trunk's own errors go into the fit, so that a later block makes up for an
earlier one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visual_tracker.models.efficientnet_lite import EfficientNetLite0, InvertedResidual

#: added to the diagonal of the normal equations, as a share of its mean
_RIDGE = 1e-3
#: cells that a layer is fitted to, at most; drawn from all crops alike
_CELLS = 60_000


@torch.no_grad()
def narrow(wide: EfficientNetLite0, trunk: EfficientNetLite0, normalised: Tensor) -> None:
    """Give a trunk the weights that make it as like a wide one as its widths allow.

    Args:
        wide: the trunk to follow.
        trunk: of the same or smaller widths; changed in place.
        normalised: crops (B, 3, 16 n + 1, 16 m + 1) as :meth:`EfficientNetLite0.maps` takes them.

    Raises:
        ValueError: if the trunk is wider somewhere.
    """
    first = wide.stages[0][0]
    followed = wide.activation(wide.stem(normalised))
    # The first block expands nothing: its depthwise channels are the stem's.
    kept = _strongest(first, first.inner(followed), trunk.stem.out_channels)
    _take(trunk.stem, wide.stem, kept)
    own = trunk.activation(trunk.stem(normalised))
    for wide_stage, stage in zip(wide.stages, trunk.stages, strict=True):
        for wide_block, block in zip(wide_stage, stage, strict=True):
            inner = wide_block.inner(followed)
            if block.expand is not None:
                kept = _strongest(wide_block, inner, block.expand.out_channels)
                _take(block.expand, wide_block.expand, kept)
            _take(block.depthwise, wide_block.depthwise, kept)
            followed = wide_block.ended(followed, inner)
            own_inner = block.inner(own)
            _fit(block.project, own_inner, followed - own if block.shortcut else followed)
            own = block.ended(own, own_inner)


def _strongest(block: InvertedResidual, inner: Tensor, count: int) -> Tensor:
    """The channels that change a block's result most, in ascending order."""
    if count > inner.shape[1]:
        raise ValueError(f"a block of {inner.shape[1]} channels cannot be narrowed to {count}")
    strength = _rows(inner).std(dim=0) * block.project.weight[:, :, 0, 0].norm(dim=0)
    return strength.topk(count).indices.sort().values


def _take(layer: torch.nn.Conv2d, source: torch.nn.Conv2d, kept: Tensor) -> None:
    """Let a layer have the outputs `kept` of another one."""
    layer.weight.copy_(source.weight[kept])
    assert layer.bias is not None
    assert source.bias is not None
    layer.bias.copy_(source.bias[kept])


def _fit(layer: torch.nn.Conv2d, inner: Tensor, wanted: Tensor) -> None:
    """Set a block's last layer so that it makes of `inner` what is wanted (ridge regression)."""
    inner, target = _rows(inner), _rows(wanted)
    chosen = torch.randperm(len(inner), generator=torch.Generator().manual_seed(0))[:_CELLS]
    inner, target = inner[chosen].double(), target[chosen].double()
    mean, target_mean = inner.mean(dim=0), target.mean(dim=0)
    centred = inner - mean
    normal = centred.T @ centred
    normal.diagonal().add_(_RIDGE * normal.diagonal().mean())
    weight = torch.linalg.solve(normal, centred.T @ (target - target_mean))
    layer.weight.copy_(weight.T[:, :, None, None])
    assert layer.bias is not None
    layer.bias.copy_(target_mean - mean @ weight)


def _rows(maps: Tensor) -> Tensor:
    """Cells of all images, (B h w, C), of maps (B, C, h, w)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
