"""MDNet: features of candidate boxes, shared layers, and one classifier a target.

Nam and Han, "Learning Multi-Domain Convolutional Neural Networks for Visual Tracking", CVPR 2016.
Two extractors stand behind the same code: the paper's VGG-M layers and the project's `lite` trunk.
Both give a candidate's features in two ways: from one crop of its own, as the paper does, or from
one map of the whole search region by RoIAlign (Jung et al., "Real-Time MDNet", ECCV 2018).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.online.align_one import align_one
from visual_tracker.online.roi_align import pool_box, roi_align

#: width of the fully connected layers fc4 and fc5 (section 3.1)
HIDDEN = 512
DROP_OUT = 0.5

#: of `lite`'s maps: cell i lies on the middle of pixel stride * i, at stride * i + .5
_FIRST_CELL = (0.5, 0.5, 0.0, 0.0)


class RegionFeatures(nn.Module, ABC):
    """Turns boxes of an image into features.

    Images are BGR in 0..255; coordinates are continuous, pixel i covers [i, i + 1).

    Attributes:
        target_side: how large a target is shown: sqrt(w h) in crop pixels.
        region_size: side of a search region's crop in crop pixels.
        crop_size: side of a single candidate's crop, in the middle of which it fills a square of
            `target_side`.
        channels: of the features.
        bins: a side of the features.
    """

    target_side: ClassVar[float]
    region_size: ClassVar[int]
    crop_size: ClassVar[int]
    channels: ClassVar[int]
    bins: ClassVar[int]

    @property
    def inputs(self) -> int:
        """Numbers that describe a box."""
        return self.channels * self.bins * self.bins

    @abstractmethod
    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps (B, c, h, w) of images (B, 3, H, W)."""

    @abstractmethod
    def pool(self, maps: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        """Features (N, channels, bins, bins) of boxes (N, 4) in one image's maps (c, h, w)."""

    def pool_one(self, maps: tuple[Tensor, ...], box: NDArray[np.float64]) -> NDArray[np.float32]:
        """:meth:`pool` of a single box (4,) on the CPU, (channels, bins, bins)."""
        with torch.no_grad():
            features = self.pool(maps, torch.from_numpy(box[None]).float())
        return np.asarray(features[0].numpy())

    @abstractmethod
    def pool_each(self, maps: tuple[Tensor, ...], box: Tensor) -> Tensor:
        """Features (B, channels, bins, bins) of the same box (4,) in each of B images' maps."""

    def crops(self, images: Tensor) -> Tensor:
        """Features (B, channels, bins, bins) of candidates, each with a crop of its own."""
        margin = (self.crop_size - self.target_side) / 2
        box = images.new_tensor([margin, margin, self.target_side, self.target_side])
        return self.pool_each(self.maps(images), box)


class LiteFeatures(RegionFeatures):
    """The maps of strides 8 and 16 of EfficientNet-Lite0, joined, each channel standardised."""

    target_side = 64.0
    region_size = 257
    crop_size = 97
    channels = sum(EfficientNetLite0.channels)
    bins = 3
    strides = (8, 16)

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0()
        # of the training boxes, so that the layers after it need no batch norm
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("deviation", torch.ones(self.channels))

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of strides 8 and 16 of images whose sides are 16 n + 1."""
        fine, coarse = self.trunk(images)
        return fine, coarse

    def pool(self, maps: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        """RoIAlign in both maps."""
        pooled = [
            roi_align(one, self._in_cells(boxes, stride), self.bins)
            for one, stride in zip(maps, self.strides, strict=True)
        ]
        return self._standardised(torch.cat(pooled, dim=1))

    def pool_one(self, maps: tuple[Tensor, ...], box: NDArray[np.float64]) -> NDArray[np.float32]:
        """The same in NumPy."""
        pooled = [
            align_one(
                np.ascontiguousarray(one.permute(1, 2, 0).numpy()),
                (box - _FIRST_CELL) / stride,
                self.bins,
            )
            for one, stride in zip(maps, self.strides, strict=True)
        ]
        features = np.concatenate(pooled)
        features -= self.mean.numpy()[:, None, None]
        features /= self.deviation.numpy()[:, None, None]
        return features

    def pool_each(self, maps: tuple[Tensor, ...], box: Tensor) -> Tensor:
        """RoIAlign of one box in all."""
        pooled = [
            pool_box(one, self._in_cells(box[None], stride)[0], self.bins)
            for one, stride in zip(maps, self.strides, strict=True)
        ]
        return self._standardised(torch.cat(pooled, dim=1))

    def _in_cells(self, boxes: Tensor, stride: int) -> Tensor:
        return (boxes - boxes.new_tensor(_FIRST_CELL)) / stride

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self.mean[:, None, None]) / self.deviation[:, None, None]


class VggMFeatures(RegionFeatures):
    """The first three convolutions of VGG-M (Chatfield et al., 2014), as MDNet uses them.

    A crop of 107 pixels gives 3x3 cells, whose fields of view are 75 pixels wide and 16 apart. A
    candidate of 75 pixels in a larger crop therefore has its three cells within the middle 48
    pixels, which is the box that RoIAlign takes.
    """

    target_side = 75.0
    region_size = 299
    crop_size = 107
    channels = 512
    bins = 3
    #: of a map: pixels between cells, and the middle of the first one
    stride, first = 16.0, 37.5

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 7, 2)
        self.conv2 = nn.Conv2d(96, 256, 5, 2)
        self.conv3 = nn.Conv2d(256, 512, 3)
        self.activation = nn.ReLU()
        self.normalization = nn.LocalResponseNorm(2)
        self.pooling = nn.MaxPool2d(3, 2)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """One map."""
        x = images.flip(1) - 128.0
        for convolution in (self.conv1, self.conv2):
            x = self.pooling(self.normalization(self.activation(convolution(x))))
        return (self.activation(self.conv3(x)),)

    def pool(self, maps: tuple[Tensor, ...], boxes: Tensor) -> Tensor:
        """RoIAlign of the boxes' middles."""
        return roi_align(maps[0], self._in_cells(boxes), self.bins)

    def pool_each(self, maps: tuple[Tensor, ...], box: Tensor) -> Tensor:
        """RoIAlign of one box's middle in all; the 3x3 map itself for the paper's crop."""
        return pool_box(maps[0], self._in_cells(box[None])[0], self.bins)

    def _in_cells(self, boxes: Tensor) -> Tensor:
        share = self.bins * self.stride / self.target_side
        sizes = boxes[:, 2:] * share
        corners = boxes[:, :2] + (boxes[:, 2:] - sizes) / 2
        return torch.cat([(corners - self.first) / self.stride, sizes / self.stride], dim=1)


class SeededDropout(nn.Module):
    """Drop-out that draws from a generator of its own, so that targets do not disturb each other.

    Args:
        seed: of the generator.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed
        self._generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop half of (N, D) in training mode, nothing otherwise."""
        if not self.training:
            return x
        if self._generator is None or self._generator.device != x.device:
            self._generator = torch.Generator(x.device).manual_seed(self._seed)
        kept = torch.rand(x.shape, generator=self._generator, device=x.device) >= DROP_OUT
        return x * kept / (1 - DROP_OUT)

    def reseed(self, seed: int) -> None:
        """Start anew with another seed."""
        self._seed, self._generator = seed, None


class Classifier(nn.Module):
    """fc4 and fc5, and one fc6 for each target: (N, 2), background and target.

    Args:
        fc4: the shared layers, which become part of this module.
        fc5: likewise.
        targets: how many fc6 there are.
        seed: of drop-out.
    """

    def __init__(self, fc4: nn.Linear, fc5: nn.Linear, targets: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.fc4, self.fc5 = fc4, fc5
        self.fc6 = nn.ModuleList(nn.Linear(fc5.out_features, 2) for _ in range(targets))
        self.activation = nn.ReLU()
        self.dropout = SeededDropout(seed)

    def forward(self, features: Tensor, target: int = 0) -> Tensor:
        """Logits (N, 2) of features (N, C, P, P)."""
        x = self.activation(self.fc4(features.flatten(1)))
        x = self.activation(self.fc5(self.dropout(x)))
        logits: Tensor = self.fc6[target](self.dropout(x))
        return logits

    def margin(self, features: Tensor, target: int = 0) -> Tensor:
        """Target's logit minus the background's, (N,)."""
        logits = self(features, target)
        return logits[:, 1] - logits[:, 0]

    @property
    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Parameters with their factors on the learning rate: fc6 learns ten times as fast."""
        shared = [*self.fc4.parameters(), *self.fc5.parameters()]
        return [(shared, 1.0), (list(self.fc6.parameters()), 10.0)]


class MdNet(nn.Module):
    """What all targets share: the features and the fully connected layers fc4 and fc5.

    Args:
        features: the extractor.
    """

    def __init__(self, features: RegionFeatures) -> None:
        super().__init__()
        self.features = features
        self.fc4 = nn.Linear(features.inputs, HIDDEN)
        self.fc5 = nn.Linear(HIDDEN, HIDDEN)

    @classmethod
    def lite(cls) -> MdNet:
        """On the project's trunk."""
        return cls(LiteFeatures())

    @classmethod
    def vgg_m(cls) -> MdNet:
        """The paper's."""
        return cls(VggMFeatures())

    def classifier(self, seed: int) -> Classifier:
        """Copies of the shared layers and a new fc6, for one target."""
        device = self.fc5.weight.device
        classifier = Classifier(copy.deepcopy(self.fc4), copy.deepcopy(self.fc5), seed=seed)
        last = classifier.fc6[0]
        assert isinstance(last, nn.Linear)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            last.weight.normal_(0.0, 0.01, generator=generator)
            last.bias.zero_()
        return classifier.to(device).requires_grad_(True).eval()
