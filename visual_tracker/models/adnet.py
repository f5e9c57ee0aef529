"""The policy network of ADNet: features of a box, then what to do with it and whether it is right.

Yun et al., "Action-Decision Networks for Visual Tracking with Deep Reinforcement Learning", CVPR
2017, section 3.2: convolutional features of 1.4 times the box, two fully connected layers (512 wide
in the paper and `vgg-m`, 256 in `lite`), and from these together with the last ten actions
(one-hot, 110) eleven actions and a confidence pair.

The paper cuts out and computes every box anew. Here an image region is encoded once, and boxes are
described from that: `lite` encodes by its trunk and describes by RoIAlign, so that a box costs next
to nothing; `vgg-m` is the paper's, encodes nothing and runs its convolutions on every box.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.adnet.actions import ACTIONS
from visual_tracker.adnet.history import SIZE as HISTORY_SIZE
from visual_tracker.adnet.regions import CONTEXT, PATCH
from visual_tracker.models.efficientnet_lite import EfficientNetLite0
from visual_tracker.models.mdnet import MdNet, VggMFeatures
from visual_tracker.online.align_one import align_one
from visual_tracker.online.roi_align import roi_align


def with_context(boxes: Tensor) -> Tensor:
    """Boxes 1.4 times as large around the same centres, (N, 4)."""
    margin = (CONTEXT - 1) / 2 * boxes[:, 2:]
    return torch.cat([boxes[:, :2] - margin, CONTEXT * boxes[:, 2:]], dim=1)


def _pixels_to_cells(stride: int) -> NDArray[np.float64]:
    """What :func:`with_context` does and then the step to cells, affine: (4, 4) and its offset."""
    frame = torch.cat([torch.eye(4), torch.zeros(1, 4)]).double()
    # cell i lies on the middle of pixel stride * i
    frame[4, :2] = -0.5
    return np.asarray((with_context(frame) / stride).numpy())


class PolicyHead(nn.Module):
    """The fully connected layers fc4 to fc7, which learn on line.

    Args:
        features: numbers that describe a box.
        width: of the hidden layers.
        dropout: share of hidden activations left out while training.
    """

    def __init__(self, features: int, width: int = 512, dropout: float = 0.3) -> None:
        super().__init__()
        self.fc4 = nn.Linear(features, width)
        self.fc5 = nn.Linear(width, width)
        self.action = nn.Linear(width + HISTORY_SIZE, ACTIONS)
        self.confidence = nn.Linear(width + HISTORY_SIZE, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, histories: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the actions (N, 11) and of background and target (N, 2).

        Args:
            features: (N, F).
            histories: (N, 110), see :mod:`visual_tracker.adnet.history`.
        """
        hidden = self.dropout(functional.relu(self.fc4(features)))
        hidden = self.dropout(functional.relu(self.fc5(hidden)))
        state = torch.cat([hidden, histories], dim=1)
        return self.action(state), self.confidence(state)


class PolicyNetwork(nn.Module, ABC):
    """Features and head."""

    #: numbers that describe a box
    feature_size: ClassVar[int]

    head: PolicyHead

    @abstractmethod
    def encode(self, image: Tensor) -> Tensor:
        """What boxes are described from, of B regions.

        Args:
            image: (B, 3, S, S) BGR in 0..255, S of the form 16 n + 1.

        Returns:
            (B, ...).
        """

    @abstractmethod
    def look(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What :meth:`encode` gives, and the maps of an MDNet on the same convolutions.

        The second is what :meth:`visual_tracker.models.mdnet.RegionFeatures.pool` takes, each map
        (B, c, h, w): whether a box shows the target is for MDNet's classifier to say.
        """

    @abstractmethod
    def describe(self, encoded: Tensor, boxes: Tensor) -> Tensor:
        """Features of boxes of one region.

        Args:
            encoded: one of :meth:`encode`'s B.
            boxes: (N, 4) rows x, y, width, height in pixels of the region.

        Returns:
            (N, feature_size).
        """

    def describe_one(self, encoded: Tensor, box: NDArray[np.float64]) -> NDArray[np.float32]:
        """:meth:`describe` of a single box (4,) on the CPU, (feature_size,)."""
        with torch.no_grad():
            features = self.describe(encoded, torch.from_numpy(box[None]).float())
        return np.asarray(features[0].numpy())

    @abstractmethod
    def frozen_parts(self) -> list[nn.Module]:
        """What keeps its pretrained weights."""


#: pixels between cells of the joined map, and what makes boxes in cells of boxes in pixels
_STRIDE = 8
_CELLS = _pixels_to_cells(_STRIDE)


class LiteAdnet(PolicyNetwork):
    """EfficientNet-Lite0 trunk, one joined map of stride 8, RoIAlign.

    Both of the trunk's maps are reduced to the same channels by 1x1 convolutions and added on the
    finer grid; on regions of 16 n + 1 pixels every second cell of it is a cell of the coarser one.
    """

    channels = 48
    bins = 7
    stride = _STRIDE
    feature_size = channels * bins**2

    _to_cells: Tensor

    def __init__(self) -> None:
        super().__init__()
        fine, coarse = EfficientNetLite0.channels
        self.trunk = EfficientNetLite0()
        self.fine = nn.Conv2d(fine, self.channels, 1)
        self.coarse = nn.Conv2d(coarse, self.channels, 1, bias=False)
        # 512 were no better on new videos (docs/experiments-adnet.md, 19)
        self.head = PolicyHead(self.feature_size, width=256)
        # boxes in pixels to cells, with context: one product, since a policy asks box by box
        self.register_buffer("_to_cells", torch.from_numpy(_CELLS).float(), persistent=False)

    def encode(self, image: Tensor) -> Tensor:
        """Joined maps (B, 48, 2 n + 1, 2 n + 1)."""
        return self.look(image)[0]

    def look(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The joined maps, and the trunk's of strides 8 and 16."""
        fine, coarse = self.trunk(image)
        return self._joined(fine, coarse), (fine, coarse)

    def _joined(self, fine: Tensor, coarse: Tensor) -> Tensor:
        fine = self.fine(fine)
        enlarged = functional.interpolate(
            self.coarse(coarse), size=fine.shape[2:], mode="bilinear", align_corners=True
        )
        return fine + enlarged

    def describe(self, encoded: Tensor, boxes: Tensor) -> Tensor:
        """Rectified means of 7x7 bins over 1.4 times the box."""
        cells = torch.addmm(self._to_cells[4], boxes, self._to_cells[:4])
        return functional.relu(roi_align(encoded, cells, self.bins)).flatten(1)

    def describe_one(self, encoded: Tensor, box: NDArray[np.float64]) -> NDArray[np.float32]:
        """The same in NumPy."""
        cells = np.ascontiguousarray(encoded.permute(1, 2, 0).numpy())
        bins = align_one(cells, _CELLS[4] + box @ _CELLS[:4], self.bins)
        return np.maximum(bins, 0).ravel()

    def frozen_parts(self) -> list[nn.Module]:
        """The trunk."""
        return [self.trunk]


class VggAdnet(PolicyNetwork):
    """The paper's: VGG-M's first three convolutions on a patch of 112 pixels for every box."""

    feature_size = 512 * 3**2

    def __init__(self) -> None:
        super().__init__()
        self.features = VggMFeatures()
        self.head = PolicyHead(self.feature_size)

    def encode(self, image: Tensor) -> Tensor:
        """The regions as they are."""
        return image

    def look(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The regions as they are, and the last convolution's map of them."""
        return image, self.features.maps(image)

    def describe(self, encoded: Tensor, boxes: Tensor) -> Tensor:
        """The last convolution's 3x3 cells of 1.4 times the box, resampled to 112x112."""
        # pixel i is centred at i + .5
        corner = boxes.new_tensor([0.5, 0.5, 0.0, 0.0])
        patches = roi_align(encoded, with_context(boxes) - corner, PATCH)
        return self.features.maps(patches)[0].flatten(1)

    def frozen_parts(self) -> list[nn.Module]:
        """All convolutions."""
        return [self.features]


def classifier_of(network: VggAdnet) -> MdNet:
    """An MDNet on the network's convolutions that begins with copies of its fc4 and fc5."""
    made = MdNet(network.features)
    made.fc4, made.fc5 = copy.deepcopy(network.head.fc4), copy.deepcopy(network.head.fc5)
    return made.eval().requires_grad_(False)
