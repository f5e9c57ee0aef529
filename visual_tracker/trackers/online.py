"""What the trackers that learn on line share: a frozen network, a seed, an end to each slice.

Instances share the network's frozen part; what is learned of a target belongs to the instance. On
the CPU an inference engine runs the frozen part where there is one; what learns is torch's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

from visual_tracker.boxes import Box
from visual_tracker.images import Image
from visual_tracker.parameters import Applies, Parameters, parameter, with_default
from visual_tracker.threads import limit_threads
from visual_tracker.trackers.base import Track, Tracker
from visual_tracker.trackers.torch_runtime import (
    EngineParameters,
    available_weights,
    loading,
    matcher_spec,
    missing_engine,
    missing_libraries,
    resolve_device,
    weights_problem,
)

if TYPE_CHECKING:
    from visual_tracker.models.region_maps import RegionMaps


@dataclass(frozen=True)
class OnlineParameters(EngineParameters):
    """What every tracker that learns on line takes.

    In fp32 an engine's boxes are eager torch's; what bf16 gains does not outweigh that here
    (docs/experiments-adnet.md, 13).
    """

    precision: str = with_default(EngineParameters, "precision", "fp32")
    seed: int = parameter(
        0,
        "Seed of every random choice; the same images give the same boxes.",
        minimum=0,
        maximum=2**31 - 1,
        applies=Applies.AT_NEXT_INIT,
    )


class OnlineTracker(Tracker):
    """Base of the trackers that learn on line; a subclass gives its `kind` of network."""

    kind: ClassVar[str]

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        import torch

        limit_threads(self.parameters.threads)
        # torch loads much of itself with its first optimiser, which no stream should wait for
        torch.optim.SGD([torch.zeros(1)], lr=0.0)
        path = available_weights(self.kind, self.parameters)
        with _learning_possible(), loading(self.name):
            self.network = self._shared_network(self.kind, path)
            self.maps = self._shared_maps(path)

    def init(self, image: Image, box: Box) -> Box:
        """Start on a target; see :meth:`Tracker.init`."""
        with _learning_possible():
            return super().init(image, box)

    def track(self, image: Image) -> Track:
        """Find the target in the next image; see :meth:`Tracker.track`."""
        with _learning_possible():
            return super().track(image)

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Say if torch or the engine is missing or no weights are given or packaged."""
        chosen: Any = cls.parameters_class() if parameters is None else parameters
        return (
            missing_libraries()
            or missing_engine(chosen.engine)
            or weights_problem(cls.kind, chosen.network, chosen.weights)
        )

    @classmethod
    def _load_network(cls, kind: str, network: str, path: Path) -> Any:
        """The network of a kind by name with the file's weights.

        Raises:
            WeightsError: if the file cannot be used.
        """
        from visual_tracker.models.mdnet_release import load_mdnet
        from visual_tracker.models.networks import create_network

        made = create_network(kind, network)
        load_mdnet(made, path)
        return made

    def _shared_network(self, kind: str, path: Path) -> Any:
        """The network in use by another target, or the file loaded, frozen, on the device.

        Raises:
            WeightsError: if the file cannot be used.
        """
        import torch

        key = (kind, self.parameters.network, path, self.device)
        network = _NETWORKS.get(key)
        if network is None:
            network = self._load_network(kind, self.parameters.network, path).eval()
            network = network.requires_grad_(False).to(
                self.device, memory_format=torch.channels_last
            )
            _NETWORKS[key] = network
        return network

    def _shared_maps(self, path: Path) -> RegionMaps:
        """What computes the frozen part of the network on crops.

        Raises:
            EngineError: if the engine named cannot run it.
        """
        from visual_tracker.models.shared_maps import shared_maps

        spec = matcher_spec(self.kind, self.parameters, path, self.device)
        return shared_maps(spec, self.network)

    def _resolve_device(self, device: str) -> str:
        return resolve_device(device)


def _learning_possible() -> AbstractContextManager[object]:
    """Also within a caller's `torch.inference_mode`, whose tensors nothing can be learned from."""
    import torch

    return torch.inference_mode(False)


#: networks in use, by kind, name, file and device; one that no tracker holds any more is freed
_NETWORKS: WeakValueDictionary[tuple[str, str, Path, str], Any] = WeakValueDictionary()
