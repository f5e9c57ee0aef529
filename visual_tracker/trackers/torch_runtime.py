"""What a tracker needs to run on torch: is it there, on which device, with which weights."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from visual_tracker.extras import how_to_install
from visual_tracker.models.cuda import has_cuda_driver
from visual_tracker.models.engines import choice
from visual_tracker.models.engines.base import EngineError
from visual_tracker.models.shared_matchers import MatcherSpec
from visual_tracker.models.weights import WeightsError, packaged_weights
from visual_tracker.parameters import Applies, Parameters, parameter
from visual_tracker.trackers.base import TrackerUnavailableError
from visual_tracker.trackers.files import file_problem

_REQUIRED = ("torch", "safetensors")

#: what is documented; torch has more (mps, meta, ...), on which nothing here is tested
_DEVICE = re.compile("auto|cpu|cuda(:(0|[1-9][0-9]{0,2}))?")


@dataclass(frozen=True)
class NetworkParameters(Parameters):
    """Which network a tracker runs, with which weights."""

    network: str = parameter(
        "lite", "Name of the network.", choices=("lite",), applies=Applies.AT_RESTART
    )
    weights: str = parameter(
        "",
        "Path of a weights file for the network; empty for the one in the package.",
        applies=Applies.AT_RESTART,
    )


@dataclass(frozen=True)
class EngineParameters(NetworkParameters):
    """And what runs it."""

    engine: str = parameter(
        "auto",
        "What runs the network on the CPU: auto takes the fastest installed; a GPU needs torch.",
        choices=choice.ENGINES,
        applies=Applies.AT_RESTART,
    )
    precision: str = parameter(
        "auto",
        "Of the network: auto is the engine's fastest here, bf16 where the processor gains by it.",
        choices=choice.PRECISIONS,
        applies=Applies.AT_RESTART,
    )
    threads: int = parameter(
        1,
        "CPU threads of the network and of OpenCV, shared by a frame's targets (siamrpn and "
        "dasiamrpn); more than one is slow on a busy machine.",
        minimum=1,
        maximum=256,
        applies=Applies.AT_RESTART,
    )


def missing_libraries() -> str | None:
    """What to install before a network can run; None if nothing is missing."""
    for module in _REQUIRED:
        if importlib.util.find_spec(module) is None:
            return f"install {module} ({how_to_install('dl')})"
    return None


def missing_engine(engine: str) -> str | None:
    """What to install before an engine can run; None if nothing is missing."""
    missing = choice.missing_module(engine)
    if missing is None:
        return None
    return f"install {missing} ({how_to_install(choice.extra_of(engine))})"


@contextmanager
def loading(tracker: str) -> Iterator[None]:
    """While a tracker's network is loaded.

    Raises:
        TrackerUnavailableError: if weights or engine cannot be used.
    """
    try:
        yield
    except (WeightsError, EngineError) as error:
        raise TrackerUnavailableError(f"tracker '{tracker}' cannot run here: {error}") from None


def matcher_spec(kind: str, chosen: EngineParameters, weights: Path, device: str) -> MatcherSpec:
    """What says how a network of a kind is run, of a tracker's parameters."""
    return MatcherSpec(
        kind,
        chosen.network,
        weights,
        device,
        chosen.engine,
        chosen.precision,
        chosen.threads,
    )


def available_weights(kind: str, chosen: NetworkParameters) -> Path:
    """The weights file of a tracker whose `unavailable_reason` is None."""
    path = weights_path(kind, chosen.network, chosen.weights)
    assert path is not None  # or there would be a reason
    return path


def weights_path(kind: str, network: str, weights: str) -> Path | None:
    """The weights file to load; None if none ships and none is named. See `weights_problem`."""
    return Path(weights) if weights else packaged_weights(kind, network)


def weights_problem(kind: str, network: str, weights: str) -> str | None:
    """Why there are no weights to load; None if there are.

    Args:
        kind: of network, like "mdnet".
        network: its name, like "lite".
        weights: the tracker's parameter: a path, or "" for those in the package.
    """
    if weights:
        return file_problem("weights", weights)
    if packaged_weights(kind, network) is None:
        return (
            f"no weights of the network '{network}' come with the package; "
            "set its parameter 'weights' to a file"
        )
    return None


def resolve_device(device: str) -> str:
    """The torch device to run on: "auto" is a GPU where there is one and torch can use it.

    Raises:
        TrackerUnavailableError: if it is none of auto, cpu, cuda and cuda:N, if there is no such
            GPU, or if torch is missing that would use it.
    """
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        raise TrackerUnavailableError(
            f"there is no device {device!r:.60}; use auto, cpu, cuda or cuda:N"
        )
    # torch takes seconds to import, and only a GPU needs it to be asked
    if device == "cpu" or (device == "auto" and not has_cuda_driver()):
        return "cpu"
    missing = missing_libraries()
    if device == "auto":
        return "cuda" if missing is None and _cuda_devices() else "cpu"
    if missing:
        raise TrackerUnavailableError(f"device '{device}' was asked for: {missing}, or use cpu")
    _check_gpu(device)
    return device


def _check_gpu(device: str) -> None:
    """Refuse a GPU that is not there; torch itself takes any index until it is used."""
    cuda = _cuda_devices()
    if not cuda:
        raise TrackerUnavailableError(
            f"device '{device}' was asked for, but torch sees no CUDA device; use cpu or auto"
        )
    if int(device.partition(":")[2] or 0) >= cuda:
        raise TrackerUnavailableError(
            f"there is no device '{device}': torch sees {cuda} CUDA devices, the last is "
            f"cuda:{cuda - 1}"
        )


def _cuda_devices() -> int:
    """How many CUDA devices torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
