"""Samples made on a device that holds every image, so that a fast one never waits for them.

The images lie there as uint8, each with a pyramid of halved sizes. The host only plans
(:class:`visual_tracker.training.plans.Plan`); crops and augmentation are batched torch operations.
A CPU is a device like another, which is how the tests compare both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from visual_tracker.annotations import DataError
from visual_tracker.images import Image
from visual_tracker.models.geometry import Geometry
from visual_tracker.training import device_looks
from visual_tracker.training.augment import Look, longest_blur
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import PairSampler
from visual_tracker.training.plans import Layer, Plan, Planner
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import Targets, target_arrays

#: sizes of the pyramid: 1, 1/2, 1/4, 1/8
_LEVELS = 4

#: crops sampled at once; bounds the memory of the sampling positions
_CHUNK = 64

#: layers of a plan in the order of their columns
_TEMPLATE, _SEARCH, _BACKGROUND, _PATCHES = 0, 1, 2, (3, 4)

#: part of a bilinear sample that lies in the image, from which on it counts as inside
_INSIDE = 0.999


class DeviceMemoryError(DataError):
    """The images do not fit into the memory given; the message says what to do."""


@dataclass(frozen=True)
class DeviceImages:
    """All images of a data set on one device.

    Attributes:
        pixels: uint8 (pixels of all images and sizes, 3), row by row, BGR.
        table: int64 (images, levels, 3) first pixel, width and height.
        means: float (images, 3), which pad crops beyond the border.
        numbers: an image's number by its file; files that cannot be used are missing.
        sizes: width and height by file.
    """

    pixels: Tensor
    table: Tensor
    means: Tensor
    numbers: dict[Path, int]
    sizes: dict[Path, tuple[int, int]]

    @classmethod
    def load(
        cls, paths: Iterable[Path], images: ImageStore, device: str, budget: int
    ) -> DeviceImages:
        """Decode images and move them to a device.

        Args:
            paths: files of the images.
            images: decodes them; it need not keep any.
            device: torch device.
            budget: bytes that they may fill.

        Raises:
            DeviceMemoryError: if they fill more.
            DataError: if there is no image.
        """
        paths = list(paths)
        parts: list[Tensor] = []
        table: list[list[tuple[int, int, int]]] = []
        means, numbers, sizes = [], {}, {}
        filled = 0
        for path in paths:
            image = images.get(path)
            if image is None:
                continue
            numbers[path], sizes[path] = len(table), (image.shape[1], image.shape[0])
            means.append(images.mean(path, image))
            rows = []
            for level in _pyramid(image):
                rows.append((filled // 3, level.shape[1], level.shape[0]))
                parts.append(torch.from_numpy(level.reshape(-1, 3)))
                filled += level.nbytes
            table.append(rows)
            if filled > budget:
                raise DeviceMemoryError(
                    f"{len(table)} of {len(paths)} images fill the {budget / 2**30:.2f} GiB that "
                    f"they may fill on {device}; raise --image-memory, pack the data smaller "
                    "(visual-tracker pack) or choose --sampler workers"
                )
        if not parts:
            raise DataError("none of the images can be used")
        return cls(
            torch.cat(parts).to(device),
            torch.tensor(table, dtype=torch.int64, device=device),
            torch.tensor(np.array(means), dtype=torch.float32, device=device),
            numbers,
            sizes,
        )

    def crops(self, numbers: Tensor, warps: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Sample crops bilinearly, of the halved size that suits their magnification.

        Args:
            numbers: int64 (n,) of the images.
            warps: float (n, 2, 3) from whole crop pixels to whole image pixels.
            size: side of the crops.

        Returns:
            Float (n, 3, size, size), padded with the images' means, and (n, 1, size, size), the
            share of each sample that lies in the image.
        """
        if len(numbers) == 0:
            empty = self.means.new_zeros
            return empty((0, 3, size, size)), empty((0, 1, size, size))
        chunks = [
            self._crops(some, matrices, size)
            for some, matrices in zip(numbers.split(_CHUNK), warps.split(_CHUNK), strict=True)
        ]
        values, inside = zip(*chunks, strict=True)
        return torch.cat(values), torch.cat(inside)

    def _crops(self, numbers: Tensor, warps: Tensor, size: int) -> tuple[Tensor, Tensor]:
        (a, b), (c, d) = warps[:, :, :2].permute(1, 2, 0)
        pixel = (a * d - b * c).abs().sqrt()
        levels = pixel.clamp(min=1).log2().floor().long().clamp(max=_LEVELS - 1)
        first, width, height = (
            column[:, None, None] for column in self.table[numbers, levels].unbind(-1)
        )
        scale = (0.5 ** levels.float())[:, None, None]
        steps = torch.arange(size, device=warps.device, dtype=torch.float32)
        place = warps[:, :, 0, None, None] * steps + warps[:, :, 1, None, None] * steps[:, None]
        x, y = ((place + warps[:, :, 2, None, None] + 0.5) * scale[:, None] - 0.5).unbind(1)
        values = self.means.new_zeros((len(numbers), size, size, 3))
        inside = self.means.new_zeros((len(numbers), size, size, 1))
        left, top = x.floor(), y.floor()
        for across, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            column, row = (left + across).long(), (top + down).long()
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
            known = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            weight = (weight * known)[..., None]
            index = first + (row.clamp(min=0).minimum(height - 1)) * width
            index = index + column.clamp(min=0).minimum(width - 1)
            values += weight * self.pixels[index].float()
            inside += weight
        values += (1 - inside) * self.means[numbers][:, None, None]
        return values.permute(0, 3, 1, 2), inside.permute(0, 3, 1, 2)


def _pyramid(image: Image) -> Iterator[Image]:
    """The image, and its halves: means of 2x2 pixels, the border repeated for odd sides."""
    for _ in range(_LEVELS - 1):
        yield np.ascontiguousarray(image)
        height, width = image.shape[:2]
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    yield np.ascontiguousarray(image)


class DeviceMaker:
    """Makes the same samples as :class:`visual_tracker.training.samples.SampleMaker`, on a device.

    Boxes and labels are the same numbers; pixels differ by the interpolation (halved sizes instead
    of whole factors) and by the JPEG (see `device_looks.compressed`).
    """

    def __init__(
        self,
        sampler: PairSampler,
        images: DeviceImages,
        geometry: Geometry,
        targets: Targets,
        recipe: Recipe,
        planner: type[Planner] = Planner,
    ) -> None:
        self._planner = planner(sampler, images.sizes.get, geometry, recipe)
        self._images = images
        self._geometry = geometry
        self._targets = targets

    def batches(
        self, numbers: Sequence[int], size: int, workers: int = 0, pinned: bool = False
    ) -> Iterator[dict[str, Tensor]]:
        """Batches of samples as dictionaries of tensors on the device.

        Args:
            numbers: of the samples, in order.
            size: samples a batch.
            workers: processes that plan; 0 plans in the loop.
            pinned: keep plans where a GPU fetches them faster.
        """
        # The data set is handed to worker processes, so it must not hold the device's memory.
        plans = NumberedPlans(self._planner, self._targets, self._images.numbers, numbers)
        loader: Iterable[dict[str, Tensor]] = DataLoader(
            plans,
            batch_size=size,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=pinned,
        )
        device = self._images.pixels.device
        for batch in loader:
            yield self.render(
                {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            )

    @torch.no_grad()
    def render(self, plans: dict[str, Tensor]) -> dict[str, Tensor]:
        """Crops and targets of a batch of plans (:class:`NumberedPlans`)."""
        numbers, warps = plans["numbers"], plans["warps"]
        template, _ = self._images.crops(
            numbers[:, _TEMPLATE], warps[:, _TEMPLATE], self._geometry.template_size
        )
        crops = [template.round(), self._search(numbers, warps, plans["mask"])]
        seen = [
            device_looks.seen(crop, {name: plans[name][:, which] for name in device_looks.NAMES})
            for which, crop in enumerate(crops)
        ]
        seen = [device_looks.greyed(crop, plans["grey"]) for crop in seen]
        names = ["template", "search"]
        if self._planner.recipe.teacher_clear:
            names += ["clear_template", "clear_search"]
            seen += crops
        shown = (device_looks.mirrored(crop, plans["flip"]) for crop in seen)
        targets = {name: plans[name] for name in ("labels", "deltas", "box")}
        return {**dict(zip(names, shown, strict=True)), **targets}

    def _search(self, numbers: Tensor, warps: Tensor, mask: Tensor) -> Tensor:
        size = self._geometry.search_size
        search, inside = self._images.crops(numbers[:, _SEARCH], warps[:, _SEARCH], size)
        rows = (numbers[:, _BACKGROUND] >= 0).nonzero()[:, 0]
        ground, _ = self._images.crops(numbers[rows, _BACKGROUND], warps[rows, _BACKGROUND], size)
        search[rows] = torch.where(inside[rows] > _INSIDE, search[rows], ground)
        for which, column in enumerate(_PATCHES, start=1):
            rows = (numbers[:, column] >= 0).nonzero()[:, 0]
            patch, _ = self._images.crops(numbers[rows, column], warps[rows, column], size)
            search[rows] = torch.where(mask[rows, None] == which, patch, search[rows])
        return search.round()


class NumberedPlans(Dataset):
    """Plans by number, as arrays of a fixed size.

    `numbers` (5,) of the images of template, search, background and two patches, -1 for none;
    `warps` (5, 2, 3); `mask` (S, S), 1 and 2 where a patch is seen; of both looks `gains` (2, 3),
    `brightness` (2,), `blur` (2, K, K), zeros for none, `coarseness` (2,), 1 for none, and
    `quality` (2,), 0 for none; `grey`, `flip`; and the sample's `labels`, `deltas` and `box`.
    """

    def __init__(
        self, planner: Planner, targets: Targets, images: dict[Path, int], numbers: Sequence[int]
    ) -> None:
        self._planner = planner
        self._longest_blur = longest_blur(planner.recipe)
        self._targets = targets
        self._images = images
        self._numbers = numbers

    def __len__(self) -> int:
        """How many."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One plan."""
        plan = self._planner.plan(self._numbers[index])
        labels, deltas, box = target_arrays(plan, self._targets)
        return {
            **self._layers(plan),
            **_look_arrays([plan.template_look, plan.search_look], self._longest_blur),
            "grey": plan.grey,
            "flip": plan.flip,
            "labels": labels,
            "deltas": deltas,
            "box": box,
        }

    def _layers(self, plan: Plan) -> dict[str, NDArray[Any]]:
        layers: list[Layer | None] = [plan.template, plan.search, plan.background]
        side = plan.search.frame.width
        mask = np.zeros((side, side), dtype=np.uint8)
        for which, patch in enumerate(plan.patches, start=1):
            layers.append(patch.layer)
            mask[patch.mask > 0] = which
        numbers = np.full(3 + len(_PATCHES), -1, dtype=np.int64)
        warps = np.zeros((3 + len(_PATCHES), 2, 3), dtype=np.float32)
        for column, layer in enumerate(layers):
            if layer is not None:
                numbers[column], warps[column] = self._images[layer.path], layer.frame.warp()
        return {"numbers": numbers, "warps": warps, "mask": mask}


def _look_arrays(looks: list[Look], side: int) -> dict[str, NDArray[Any]]:
    """Arrays of looks, with kernels of motion blur `side` pixels wide."""
    blur = np.zeros((len(looks), side, side), dtype=np.float32)
    for kernel, look in zip(blur, looks, strict=True):
        if look.blur is not None:
            start = (side - len(look.blur)) // 2
            kernel[start : start + len(look.blur), start : start + len(look.blur)] = look.blur
    return {
        "gains": np.array([look.gains for look in looks], dtype=np.float32),
        "brightness": np.array([look.brightness for look in looks], dtype=np.float32),
        "blur": blur,
        "coarseness": np.array([look.coarseness for look in looks], dtype=np.float32),
        "quality": np.array([look.quality or 0 for look in looks], dtype=np.int64),
    }
