"""Weights from a file into a network, and back; nothing in a file is ever executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from visual_tracker.models.weights import FOLDER, WeightsError, check_packaged

#: batch norms count their batches under such a name, which no trained network needs
_COUNTER = "num_batches_tracked"

#: batch norms keep these of what they have seen
_STATISTICS = ("running_mean", "running_var")

#: how many names a message lists
_SHOWN = 3


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors file, or a state dict that torch saved, into a network of the same shape.

    Args:
        network: changed in place.
        path: a shipped file (checked by hash) or the user's own: ``.safetensors``, else torch's.

    Raises:
        WeightsError: if the file is missing, damaged, of another network or not plain tensors.
    """
    if path.resolve().parent == FOLDER.resolve():
        check_packaged(path)
    put_weights(network, read_weights(path), path)


def put_weights(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put tensors that were read from a file into a network of the same shape.

    Args:
        network: changed in place.
        state: every tensor of the network by name, and no other.
        path: the file, for messages.

    Raises:
        WeightsError: if they do not fit.
    """
    own = {
        name: value for name, value in network.state_dict().items() if not name.endswith(_COUNTER)
    }
    given = {name: value for name, value in state.items() if name in own}
    wrong = [name for name, value in given.items() if value.shape != own[name].shape]
    missing = [name for name in own if name not in given]
    strange = [name for name in state if name not in own and not name.endswith(_COUNTER)]
    for kind, names in (("lacks", missing), ("has the unknown", strange), ("misshapes", wrong)):
        if names:
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            raise WeightsError(
                f"{path} does not fit this network: it {kind} {shown}; "
                "check the parameter 'network' or give another file"
            )
    network.load_state_dict({name: value.float() for name, value in given.items()}, strict=False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a state dict that torch saved, by name.

    Args:
        path: ``.safetensors``, else torch's.

    Raises:
        WeightsError: if the file is missing, damaged or not plain tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is no file; set 'weights' to a weights file")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch's reader raises whatever rubbish leads it to
        raise WeightsError(
            f"{path} cannot be read as weights; give a .safetensors file or a state dict saved by "
            "torch (one with other Python objects in it is refused)"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} is no state dict: it must map names to tensors")
    # Files of DataParallel models carry a prefix.
    return {name.removeprefix("module."): value for name, value in state.items()}


def write_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Write a network's tensors as :func:`load_weights` reads them, in half precision.

    Means and variances of batch norms stay as they are: variances have left half precision's range
    in both directions.

    Args:
        state: tensors by name, on any device.
        path: a safetensors file to write.
    """
    tensors = {
        name: (value.half() if _fits_half(name, value) else value).cpu().contiguous()
        for name, value in state.items()
        if not name.endswith(_COUNTER)
    }
    save_file(tensors, path)


def _fits_half(name: str, value: Tensor) -> bool:
    return value.is_floating_point() and not name.endswith(_STATISTICS)
