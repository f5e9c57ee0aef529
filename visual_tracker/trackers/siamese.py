"""What the Siamese trackers share: torch when it is needed, weights, device, template crop."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame, channel_mean, context_side, take_crop
from visual_tracker.images import Image
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.weights import WeightsError, packaged_weights
from visual_tracker.parameters import Applies, Parameters, parameter
from visual_tracker.trackers.base import Tracker, TrackerUnavailableError

_REQUIRED = ("torch", "safetensors")

#: targets are not followed below this side in pixels, unless they start smaller
MIN_SIDE = 10.0


@dataclass(frozen=True)
class SiameseParameters(Parameters):
    """What every Siamese tracker takes."""

    network: str = parameter(
        "lite", "Name of the network.", choices=("lite",), applies=Applies.AT_RESTART
    )
    weights: str = parameter(
        "",
        "Path of a weights file for the network; empty for the one in the package.",
        applies=Applies.AT_RESTART,
    )
    threads: int = parameter(
        1,
        "CPU threads of PyTorch, in the whole process; more than one is slow on a busy machine.",
        minimum=1,
        maximum=256,
        applies=Applies.AT_RESTART,
    )


class SiameseTracker(Tracker):
    """Base of the Siamese trackers.

    Instances share the network, which has no state: a file is loaded once, and freed with the last
    tracker that holds it.
    """

    kind: ClassVar[str]

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        self._limit_threads()
        try:
            self.matcher = self._make_matcher()
        except WeightsError as error:
            raise TrackerUnavailableError(
                f"tracker '{self.name}' cannot run here: {error}"
            ) from None

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Say if torch is missing or no weights are given or packaged."""
        for module in _REQUIRED:
            if importlib.util.find_spec(module) is None:
                return f"install {module} (pip install 'visual_tracker[dl]')"
        chosen: Any = cls.parameters_class() if parameters is None else parameters
        if chosen.weights:
            if not Path(chosen.weights).is_file():
                return f"its parameter 'weights' names {chosen.weights}, which is no file"
        elif packaged_weights(cls.kind, chosen.network) is None:
            return (
                f"no weights of the network '{chosen.network}' come with the package; "
                "set its parameter 'weights' to a file"
            )
        return None

    @property
    def geometry(self) -> Geometry:
        """Sizes of the network."""
        geometry: Geometry = self.matcher.geometry
        return geometry

    def _limit_threads(self) -> None:
        # PyTorch's threads wait for each other by spinning: two on one busy core took 37 times as
        # long as one did (992 ms against 27 ms a frame)
        import torch

        torch.set_num_threads(self.parameters.threads)

    def _make_matcher(self) -> Any:
        """The network behind its protocol (`visual_tracker.models.matchers`)."""
        network = self.parameters.network
        path = self.parameters.weights or packaged_weights(self.kind, network)
        assert path is not None  # or unavailable_reason would have said so
        return _shared_matcher(self.kind, network, Path(path), self.device)

    def _start(self, image: Image, box: Box) -> Any:
        """Remember size and padding, and return the first frame's template."""
        self._padding = channel_mean(image)
        self._min_side = min(MIN_SIDE, box.width, box.height)
        side = context_side(box.width, box.height)
        frame = CropFrame.square(box.center, side, self.geometry.template_size)
        return self.matcher.learn(take_crop(image, frame, self._padding))

    def _pixel(self, box: Box) -> float:
        """Side of a crop pixel in image pixels, for a target of the box's size."""
        return context_side(box.width, box.height) / self.geometry.template_size

    def _local_frame(self, box: Box) -> CropFrame:
        """The search crop around the last box."""
        side = self._pixel(box) * self.geometry.search_size
        return CropFrame.square(box.center, side, self.geometry.search_size)

    def _bounded(
        self, center: tuple[float, float], size: tuple[float, float], image_size: tuple[int, int]
    ) -> Box:
        """A box whose centre lies in the image and whose sides lie in [MIN_SIDE, image]."""
        x, y = (
            min(max(value, 0.0), float(limit))
            for value, limit in zip(center, image_size, strict=True)
        )
        width, height = (
            max(min(value, float(limit)), self._min_side)
            for value, limit in zip(size, image_size, strict=True)
        )
        return Box.from_center(x, y, width, height)

    def _resolve_device(self, device: str) -> str:
        import torch

        if device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise TrackerUnavailableError(
                f"device '{device}' was asked for, but torch sees no CUDA device; use cpu or auto"
            )
        try:
            torch.device(device)
        except RuntimeError:
            raise TrackerUnavailableError(
                f"there is no device '{device}'; use auto, cpu, cuda or cuda:N"
            ) from None
        return device


#: networks in use, by kind, name, file and device; one that no tracker holds any more is freed
_MATCHERS: WeakValueDictionary[tuple[str, str, Path, str], Any] = WeakValueDictionary()


def _shared_matcher(kind: str, network: str, path: Path, device: str) -> Any:
    """The network in use, or the file loaded if none is.

    Raises:
        WeightsError: if the file cannot be used.
    """
    key = (kind, network, path, device)
    matcher = _MATCHERS.get(key)
    if matcher is None:
        matcher = _MATCHERS[key] = _load_matcher(*key)
    return matcher


def _load_matcher(kind: str, network: str, path: Path, device: str) -> Any:
    from visual_tracker.models import torch_matchers

    matchers: dict[str, Any] = {
        "siamrpn": torch_matchers.TorchProposalMatcher,
        "siamfc": torch_matchers.TorchResponseMatcher,
    }
    return matchers[kind](torch_matchers.load_network(kind, network, path), device)
