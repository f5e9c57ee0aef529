"""From a pair of views to the arrays that a network is trained on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from visual_tracker.crops import draw_crop, take_crop
from visual_tracker.images import Image
from visual_tracker.models.anchors import anchor_grid, encode, iou_with
from visual_tracker.models.geometry import Geometry
from visual_tracker.training import augment
from visual_tracker.training.images import ImageStore
from visual_tracker.training.pairs import PairSampler
from visual_tracker.training.plans import Layer, Plan, Planner, SampleError
from visual_tracker.training.recipe import Recipe

#: labels of anchors and cells
NEGATIVE, POSITIVE, IGNORED = 0, 1, -1
#: arrays of a sample that are crops
CROPS = frozenset(("template", "search", "clear_template", "clear_search"))


class Sample(NamedTuple):
    """One training example.

    Attributes:
        template: BGR uint8 (3, T, T).
        search: BGR uint8 (3, S, S).
        labels: int8, NEGATIVE, POSITIVE or IGNORED; (A, H, W) of anchors or (1, H, W) of cells.
        deltas: float32 (4, A, H, W) that move each anchor onto the target; zeros without anchors.
        box: float32 (4,) centre x, centre y, width, height of the target in crop pixels from the
            crop's centre; of width 0 in a negative pair.
        clear_template: the template crop as it was before light, blur, coarseness, compression and
            grey; None where no teacher asks for it.
        clear_search: likewise the search crop.
    """

    template: NDArray[np.uint8]
    search: NDArray[np.uint8]
    labels: NDArray[np.int8]
    deltas: NDArray[np.float32]
    box: NDArray[np.float32]
    clear_template: NDArray[np.uint8] | None = None
    clear_search: NDArray[np.uint8] | None = None


class Targets(Protocol):
    """Turns the target's box into labels and deltas."""

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels and deltas of a box from the crop's centre, or of a negative pair (None)."""


@dataclass(frozen=True)
class _BoxTargets(ABC):
    """Labels of anchors, and the deltas that move each onto the target."""

    geometry: Geometry

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels (A, H, W) and deltas (4, A, H, W)."""
        size = self.geometry.response_size(self.geometry.search_size)
        anchors = anchor_grid(size, size, self.geometry)
        if box is None:
            labels = np.full(anchors.shape[1:], NEGATIVE, dtype=np.int8)
            return labels, np.zeros(anchors.shape, dtype=np.float32)
        return self._labels(anchors, box), encode(anchors, box)

    @abstractmethod
    def _labels(
        self, anchors: NDArray[np.float32], box: tuple[float, float, float, float]
    ) -> NDArray[np.int8]:
        """Labels (A, H, W) of anchors (4, A, H, W)."""


@dataclass(frozen=True)
class AnchorTargets(_BoxTargets):
    """SiamRPN's: anchors by their IoU with the target (Li et al., CVPR 2018, section 3.3).

    The best anchor is positive in any case, or a target of an unusual shape would teach nothing.
    """

    recipe: Recipe

    def _labels(
        self, anchors: NDArray[np.float32], box: tuple[float, float, float, float]
    ) -> NDArray[np.int8]:
        overlap = iou_with(anchors, box)
        labels = np.full(overlap.shape, IGNORED, dtype=np.int8)
        labels[overlap < self.recipe.negative_iou] = NEGATIVE
        labels[overlap > self.recipe.positive_iou] = POSITIVE
        labels[np.unravel_index(overlap.argmax(), overlap.shape)] = POSITIVE
        return labels


class EllipseTargets(_BoxTargets):
    """Of one anchor a cell: cells by their place in the target (SiamBAN, Chen et al., CVPR 2020).

    Cells inside the ellipse with half the box's sides as axes are positive, those outside the one
    with its sides as axes negative; the nearest cell is positive in any case. An anchor of one
    shape says too little by its IoU.
    """

    def _labels(
        self, anchors: NDArray[np.float32], box: tuple[float, float, float, float]
    ) -> NDArray[np.int8]:
        # 1 on the ellipse that touches the box's sides
        distance = np.hypot(
            (anchors[0] - box[0]) / (box[2] / 2), (anchors[1] - box[1]) / (box[3] / 2)
        )
        labels = np.full(distance.shape, NEGATIVE, dtype=np.int8)
        labels[distance < 1] = IGNORED
        labels[distance < 0.5] = POSITIVE
        labels[np.unravel_index(distance.argmin(), distance.shape)] = POSITIVE
        return labels


@dataclass(frozen=True)
class RadiusTargets:
    """Cells within a radius of the target's centre (SiamFC: Bertinetto et al., section 2.2)."""

    geometry: Geometry
    recipe: Recipe

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels (1, H, W) and empty deltas."""
        size = self.geometry.response_size(self.geometry.search_size)
        labels = np.full((1, size, size), NEGATIVE, dtype=np.int8)
        if box is not None:
            cells = (np.arange(size) - (size - 1) / 2) * self.geometry.stride
            distance = np.hypot(cells[None, :] - box[0], cells[:, None] - box[1])
            labels[0][distance <= self.recipe.radius] = POSITIVE
        return labels, np.zeros((0,), dtype=np.float32)


class NoLabels:
    """No labels: the sample's box is all there is to learn."""

    def __call__(
        self, box: tuple[float, float, float, float] | None
    ) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Nothing, twice."""
        return np.zeros((0,), dtype=np.int8), np.zeros((0,), dtype=np.float32)


class SampleMaker:
    """Makes the sample of a number with OpenCV: the same number, seed and data, the same sample."""

    def __init__(
        self,
        sampler: PairSampler,
        images: ImageStore,
        geometry: Geometry,
        targets: Targets,
        recipe: Recipe,
        planner: type[Planner] = Planner,
    ) -> None:
        self._planner = planner(sampler, images.size, geometry, recipe)
        self._images = images
        self._targets = targets
        self._clear = recipe.teacher_clear

    def make(self, number: int) -> Sample:
        """Make one sample.

        Raises:
            SampleError: if many draws in a row were unusable.
        """
        plan = self._planner.plan(number)
        template, search = self._crop(plan.template), self._search(plan)
        sample = Sample(
            _planes(augment.seen(template, plan.template_look, plan.grey, plan.flip)),
            _planes(augment.seen(search, plan.search_look, plan.grey, plan.flip)),
            *target_arrays(plan, self._targets),
        )
        if not self._clear:
            return sample
        return sample._replace(
            clear_template=_planes(augment.flipped(template, plan.flip)),
            clear_search=_planes(augment.flipped(search, plan.flip)),
        )

    def batches(
        self, numbers: Sequence[int], size: int, workers: int = 0, pinned: bool = False
    ) -> DataLoader:
        """Batches of samples as dictionaries of tensors, made ahead by worker processes.

        Args:
            numbers: of the samples, in order.
            size: samples a batch.
            workers: processes; 0 makes the samples in the loop.
            pinned: keep batches where a GPU fetches them faster.
        """
        return DataLoader(
            NumberedSamples(self, numbers),
            batch_size=size,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=pinned,
        )

    def _crop(self, layer: Layer) -> Image:
        image = self._image(layer)
        return take_crop(image, layer.frame, self._images.mean(layer.path, image))

    def _search(self, plan: Plan) -> Image:
        if plan.background is None:
            search = self._crop(plan.search)
        else:
            search = self._crop(plan.background)
            draw_crop(self._image(plan.search), plan.search.frame, search)
        for patch in plan.patches:
            shown = patch.mask > 0
            search[shown] = self._crop(patch.layer)[shown]
        return search

    def _image(self, layer: Layer) -> Image:
        image = self._images.get(layer.path)
        if image is None:  # it could be read when the plan was made
            raise SampleError(f"{layer.path} vanished while training")
        return image


class NumberedSamples(Dataset):
    """Samples by number, as dictionaries of arrays."""

    def __init__(self, maker: SampleMaker, numbers: Sequence[int]) -> None:
        self._maker = maker
        self._numbers = numbers

    def __len__(self) -> int:
        """How many."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """One sample."""
        sample = self._maker.make(self._numbers[index])._asdict()
        return {name: array for name, array in sample.items() if array is not None}


def target_arrays(
    plan: Plan, targets: Targets
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Labels, deltas and box of a plan's sample."""
    centered = plan.centered_box
    labels, deltas = targets(centered)
    return labels, deltas, np.asarray(centered or (0, 0, 0, 0), dtype=np.float32)


def _planes(image: Image) -> NDArray[np.uint8]:
    """(height, width, 3) to contiguous (3, height, width)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
