"""Feature maps of a region's crop, for the trackers that learn on line: on torch or on an engine.

These trackers need torch in any case, for what learns. Only the frozen trunk, most of their time,
gains from an engine.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import torch
from torch import Tensor

from visual_tracker.images import Image
from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.models.engines.base import Graph
from visual_tracker.timing import NETWORK, timed

#: name of the exported graph
MAPS = "maps"


class RegionMaps(Protocol):
    """Computes the maps of crops."""

    def __call__(self, crop: Image) -> tuple[Tensor, ...]:
        """Maps (c, h, w), fp32, of a crop, BGR uint8 (height, width, 3)."""


class TorchMaps:
    """On torch, eager.

    Args:
        network: an `MdNet` or a `PolicyNetwork` in eval mode, on the device.
        device: torch device.
        precision: "fp32" or "bf16".
    """

    def __init__(self, network: Any, device: str, precision: str = "fp32") -> None:
        self._maps = maps_of(network)
        self._device = device
        self._is_half = precision == "bf16"

    @timed(NETWORK)
    @torch.no_grad()
    def __call__(self, crop: Image) -> tuple[Tensor, ...]:
        """Maps of a crop."""
        batch = torch.from_numpy(crop).to(self._device).permute(2, 0, 1)[None].float()
        with self._type():
            maps = self._maps(batch.contiguous(memory_format=torch.channels_last))
        return tuple(one[0].float() for one in maps)

    def _type(self) -> AbstractContextManager[None]:
        if not self._is_half:
            return nullcontext()
        return torch.autocast(torch.device(self._device).type, torch.bfloat16)


class GraphMaps:
    """On an engine.

    Args:
        graph: of :func:`visual_tracker.models.exports.export_maps`.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @classmethod
    def load(cls, folder: Path, engine: ModuleType, precision: str, threads: int) -> GraphMaps:
        """Read an export.

        Raises:
            EngineError: if it is incomplete or the engine cannot run it.
        """
        return cls(engine.load(folder / f"{MAPS}.onnx", precision, threads))

    @timed(NETWORK)
    def __call__(self, crop: Image) -> tuple[Tensor, ...]:
        """Maps of a crop."""
        # channels come last, as RoIAlign wants them in memory
        maps = self._graph.run(crop[None])
        return tuple(torch.from_numpy(one[0]).permute(2, 0, 1) for one in maps)


def maps_of(network: Any) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """What computes the maps of crops (B, 3, H, W).

    Args:
        network: an `MdNet`, whose maps are those of its features, or a `PolicyNetwork`, whose are
            what it encodes and then those of an MDNet on the same convolutions.
    """
    if not isinstance(network, PolicyNetwork):
        features: Callable[[Tensor], tuple[Tensor, ...]] = network.features.maps
        return features

    def look(image: Tensor) -> tuple[Tensor, ...]:
        encoded, maps = network.look(image)
        return encoded, *maps

    return look
