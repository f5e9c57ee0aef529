"""Small data sets and networks for the training tests."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from visual_tracker.models.correlation import (
    DepthwiseConv2d,
    center_window,
    depthwise_correlation,
)
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.siamrpn import Proposals, SiamRpnNetwork, Template
from visual_tracker.training.recipe import Recipe

#: crops of half the usual size, so that a test trains in seconds
TINY = Geometry(template_size=65, search_size=129, stride=8, kernel_span=33, size_step=8)

PLAIN = {
    "validation_share": 0.0,
    "search_shift": 24.0,
    "light": 0.0,
    "blur": 0.0,
    "coarse": 0.0,
    "grey": 0.0,
    "compression": 0.0,
    "distractors": 0.0,
    "occluders": 0.0,
    "backgrounds": 0.0,
    "rotation": 0.0,
    "shear": 0.0,
    "negative_pairs": 0.0,
    "min_content": 0.0,
}


def plain_recipe(**changes: object) -> Recipe:
    """A recipe without augmentation."""
    return Recipe.from_mapping({**PLAIN, **changes})


class TinyBranch(nn.Module):
    """A depthwise correlation, then one layer."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.kernel = DepthwiseConv2d(24, 3)
        self.norm = nn.BatchNorm2d(24)
        self.head = nn.Conv2d(24, outputs, 1)

    def learn(self, features: torch.Tensor) -> torch.Tensor:
        return center_window(self.kernel(features), 5)

    def forward(self, kernel: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(depthwise_correlation(features, kernel)).relu())


class TinySiamRpn(SiamRpnNetwork):
    """Three convolutions, then a small head with five anchors."""

    geometry = TINY

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(24, 24, 3, 2, 1),
        )  # fmt: skip
        self.classification = TinyBranch(2 * TINY.anchors)
        self.regression = TinyBranch(4 * TINY.anchors)

    def trunk_parts(self) -> list[nn.Module]:
        return [self.trunk[4], self.trunk[2], self.trunk[0]]

    def kernels(self, features: torch.Tensor) -> Template:
        return Template(
            self.classification.learn(features),
            self.regression.learn(features),
            center_window(features, 5),
        )

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return self.trunk(image / 128 - 1)

    def answer(self, template: Template, features: torch.Tensor) -> Proposals:
        logits = self.classification(template.classification, features)
        deltas = self.regression(template.regression, features)
        size = logits.shape[2:]
        return Proposals(
            logits.view(-1, 2, TINY.anchors, *size),
            deltas.view(-1, 4, TINY.anchors, *size),
            features,
        )


def textured(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth random image."""
    small = rng.integers(0, 256, (max(2, height // 12), max(2, width // 12), 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write_native(folder: Path, videos: int = 2, frames: int = 6, stills: int = 3) -> Path:
    """A data set in our own format: a textured square on a textured ground."""
    rng = np.random.default_rng(7)
    document: dict[str, list] = {"videos": [], "images": []}
    for number in range(videos):
        ground, target = textured(rng, 120, 160), textured(rng, 32, 32)
        entries = []
        for frame in range(frames):
            image, x, y = ground.copy(), 30 + 8 * frame, 40 + 3 * frame
            image[y : y + 32, x : x + 32] = target
            path = f"videos/v{number}_{frame}.png"
            _write(folder / path, image)
            entries.append([path, [x, y, 32, 32]])
        document["videos"].append({"name": f"v{number}", "label": None, "frames": entries})
    for number in range(stills):
        image = textured(rng, 120, 160)
        image[50:90, 60:100] = textured(rng, 40, 40)
        path = f"images/i{number}.png"
        _write(folder / path, image)
        label = "cup" if number < 2 else "cat"
        objects = [{"name": label, "crowd": 0, "box": [60, 50, 40, 40], "poly": None}]
        document["images"].append({"file": path, "source": "made", "objects": objects})
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
