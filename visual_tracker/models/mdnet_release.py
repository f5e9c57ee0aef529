"""Weights of py-MDNet's release for `vgg-m`, from files that a user has.

`mdnet_vot-otb.pth` and its like hold all shared layers; `imagenet-vgg-m.mat` (MatConvNet) holds the
convolutions only, and the fully connected layers then keep their random start. Nothing in a file is
ever executed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visual_tracker.models.loading import load_weights, put_weights
from visual_tracker.models.mdnet import MdNet
from visual_tracker.models.weights import WeightsError

#: the release's file of torch holds its layers under this name
_SHARED = "shared_layers"

#: of the MatConvNet file's list of layers: ReLU, normalisation and pooling follow a convolution
_LAYERS_A_STAGE = 4


def load_mdnet(network: MdNet, path: Path) -> None:
    """Load weights of ours or of the release into a network of the same shape.

    Args:
        network: changed in place; the release fits `vgg-m` only.
        path: ours (.safetensors or torch's), the release's .pth, or imagenet-vgg-m.mat.

    Raises:
        WeightsError: if the file is missing, damaged, of another network or not plain tensors.
    """
    if path.suffix == ".mat":
        put_weights(network, {**network.state_dict(), **_read_matlab(path)}, path)
    elif path.suffix == ".pth" and (released := _read_released(path)) is not None:
        put_weights(network, released, path)
    else:
        load_weights(network, path)


def _read_released(path: Path) -> dict[str, Tensor] | None:
    """The release's tensors under our names; None if the file is not of its form."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        shared = state[_SHARED].items()
    except Exception:  # torch's reader raises whatever rubbish leads it to; load_weights tells
        return None
    # conv1.0.weight, .., fc4.0.weight, .., fc5.1.bias: the number is the place in their stage
    renamed = {}
    for name, value in shared:
        layer, _, kind = name.split(".")
        renamed[f"features.{layer}.{kind}" if layer.startswith("conv") else f"{layer}.{kind}"] = (
            value
        )
    return renamed


def _read_matlab(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path} is no file; set 'weights' to a weights file")
    if importlib.util.find_spec("scipy") is None:
        raise WeightsError(f"reading {path} needs scipy; pip install scipy")
    import scipy.io

    tensors = {}
    try:
        layers = scipy.io.loadmat(path)["layers"][0]
        for number in range(3):
            weight, bias = layers[number * _LAYERS_A_STAGE]["weights"].item()[0]
            # MatConvNet keeps height, width, inputs, outputs
            name = f"features.conv{number + 1}"
            tensors[f"{name}.weight"] = torch.from_numpy(weight.transpose(3, 2, 0, 1).copy())
            tensors[f"{name}.bias"] = torch.from_numpy(np.ravel(bias).copy())
    except Exception:  # scipy's reader and a strange layout raise whatever they raise
        raise WeightsError(
            f"{path} cannot be read as imagenet-vgg-m.mat (MatConvNet's file); "
            "give that file, or mdnet_vot-otb.pth of py-MDNet"
        ) from None
    return tensors
