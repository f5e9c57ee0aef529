"""The EfficientNet-Lite0 trunk in a file of weights, whichever network the file is of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from visual_tracker.annotations import DataError
from visual_tracker.models.efficientnet_lite import EfficientNetLite0

#: stands before the names of a trunk's tensors; what stands before it depends on the network
_PREFIX = "trunk."


def trunk_in(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file's trunk by their names in it, float32; none if the file has no trunk.

    Args:
        given: all tensors of the file by name.
    """
    return {
        name.split(_PREFIX, 1)[1]: value.float() for name, value in given.items() if _PREFIX in name
    }


def fits(trunk: EfficientNetLite0, state: Mapping[str, Tensor]) -> bool:
    """Whether the tensors are those of a trunk of the same widths."""
    return _shapes(trunk.state_dict()) == _shapes(state)


def load_wide(wide: EfficientNetLite0, state: Mapping[str, Tensor], path: Path) -> None:
    """Give a wide trunk a file's, which must be one, too.

    Args:
        wide: changed in place.
        state: its tensors, see :func:`trunk_in`.
        path: the file, for the message.

    Raises:
        DataError: if it is another.
    """
    if not fits(wide, state):
        raise DataError(f"the trunk in {path} is not a wide one; give weights of lite-wide")
    wide.load_state_dict(state)


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
