"""What differs between training SiamRPN and the networks of one response map.

Samples, targets, loss, measure, and what a teacher adds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from visual_tracker.boxes import overlaps
from visual_tracker.models.anchors import anchor_grid, decode, iou_with
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.lite_siamrpn import LiteSiamRpn
from visual_tracker.parameters import ParameterError
from visual_tracker.training.distillation import Distillation
from visual_tracker.training.losses import Losses, response_loss, siamrpn_loss
from visual_tracker.training.plans import Planner
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import (
    AnchorTargets,
    EllipseTargets,
    NoLabels,
    RadiusTargets,
    Targets,
)
from visual_tracker.training.sequences import SequencePlanner

#: settings that ask a teacher for more than its answers to the crops at hand; off at first
_LESSONS = ("teacher_maps", "teacher_clear", "teacher_mirrored")


class Task(ABC):
    """One kind of training.

    Attributes:
        geometry: the network's.
        recipe: the numbers.
        extra: what is trained beside the network and thrown away in the end.
        planner: of the samples.
        has_teacher: whether there is a teacher for such networks.
        together: samples that follow each other and are given to the network as one.

    Raises:
        ParameterError: if the recipe asks for what the network has not.
    """

    planner: ClassVar[type[Planner]] = Planner
    has_teacher: ClassVar[bool] = False

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        if recipe.learns != "all" and not isinstance(network, LiteSiamRpn):
            raise ParameterError("only siamrpn's lite can learn a part; set learns=all")
        if not self.has_teacher:
            _refuse_teacher(recipe)
        self.geometry: Geometry = network.geometry
        self.recipe = recipe
        self.extra = nn.Module()
        self.together = 1

    @abstractmethod
    def targets(self) -> Targets:
        """What turns boxes into labels."""

    def begin(  # noqa: B027 - there is nothing to do for most
        self, network: nn.Module, first_batch: Callable[[], dict[str, Tensor]]
    ) -> None:
        """Do to the network what has to be done before the first step."""

    def crops(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Template and search crops, all that a network needs to answer."""
        return batch["template"], batch["search"]

    def inputs(self, batch: dict[str, Tensor]) -> tuple[Any, ...]:
        """What the network is called with in training."""
        return self.crops(batch)

    @abstractmethod
    def loss(self, outputs: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Loss of the network's outputs."""

    @abstractmethod
    def quality(self, outputs: Any, batch: dict[str, Tensor]) -> list[float]:
        """A number in [0, 1] for each positive pair, higher is better."""


def _asked(recipe: Recipe, *names: str) -> list[str]:
    """Those of some settings that are on."""
    return [name for name in names if getattr(recipe, name)]


def _refuse_teacher(recipe: Recipe) -> None:
    """Refuse a teacher of what has none.

    Raises:
        ParameterError: if the recipe asks for one.
    """
    asked = _asked(recipe, "teacher", *_LESSONS)
    if asked:
        raise ParameterError(f"only siamrpn can learn from a teacher; leave {asked[0]} out")


def _check_lessons(recipe: Recipe) -> None:
    """Refuse lessons that nobody gives, or that contradict each other.

    Raises:
        ParameterError: if there are such.
    """
    asked = _asked(recipe, *_LESSONS)
    if asked and not recipe.teacher:
        raise ParameterError(f"{asked[0]} needs a teacher; set teacher=, or leave {asked[0]} out")
    if recipe.teacher_mirrored and recipe.teacher_maps > 0:
        raise ParameterError(
            "teacher_mirrored and teacher_maps exclude each other: maps differ in the mirror"
        )


class SiamRpnTask(Task):
    """Anchors; the quality is the IoU of the highest-scoring proposal with the target.

    Raises:
        ParameterError: if the recipe has a teacher that the network cannot learn from.
        WeightsError: if the teacher cannot be loaded.
    """

    has_teacher = True

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        if recipe.teacher and not isinstance(network, LiteSiamRpn):
            raise ParameterError("a teacher needs --network lite; set teacher= to nothing")
        _check_lessons(recipe)
        if isinstance(network, LiteSiamRpn):
            distillation = Distillation.of(recipe)
            self.extra = distillation or self.extra

    def targets(self) -> Targets:
        """Anchors by IoU; a single anchor's cells by their place in the target."""
        if self.geometry.anchors == 1:
            return EllipseTargets(self.geometry)
        return AnchorTargets(self.geometry, self.recipe)

    def begin(self, network: nn.Module, first_batch: Callable[[], dict[str, Tensor]]) -> None:
        """Let fresh heads begin where the teacher's maps lie."""
        if self.recipe.fresh_heads and self.recipe.teacher_maps > 0:
            assert isinstance(self.extra, Distillation)
            assert isinstance(network, LiteSiamRpn)
            self.extra.adopt_statistics(network, first_batch())

    def inputs(self, batch: dict[str, Tensor]) -> tuple[Any, ...]:
        """Crops, how many other templates a teacher looks for, too, and what the heads are for."""
        crops, recipe = self.crops(batch), self.recipe
        if not isinstance(self.extra, Distillation):
            return crops
        return *crops, recipe.others, recipe.detached_heads, recipe.asks_heads

    def loss(self, outputs: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Cross-entropy and smooth L1 of the pairs, and what a teacher adds."""
        if not self.recipe.asks_heads:
            return self._features_loss(outputs, batch)
        labels = batch["labels"]
        logits, deltas = outputs.logits[: len(labels)], outputs.deltas[: len(labels)]
        losses = siamrpn_loss(logits, deltas, labels, batch["deltas"], self.recipe, generator)
        if not isinstance(self.extra, Distillation):
            return losses
        distillation = self.extra(batch, outputs)
        total = self.recipe.truth * losses.total + distillation
        return losses._replace(total=total, distillation=distillation)

    def _features_loss(self, outputs: Any, batch: dict[str, Tensor]) -> Losses:
        """What a teacher of features alone says; nobody asks what the heads make of them."""
        assert isinstance(self.extra, Distillation)
        distillation = self.extra.features_loss(batch, outputs)
        none = torch.zeros_like(distillation)
        return Losses(distillation, none, none, distillation)

    def quality(self, outputs: Any, batch: dict[str, Tensor]) -> list[float]:
        """IoU of the best proposal, no window, no penalty."""
        margins = (outputs.logits[:, 1] - outputs.logits[:, 0]).float().cpu().numpy()
        deltas = outputs.deltas.float().cpu().numpy()
        anchors = anchor_grid(*margins.shape[2:], self.geometry).reshape(4, -1)
        result = []
        for margin, delta, box in zip(margins, deltas, batch["box"].cpu().numpy(), strict=True):
            if box[2] > 0:
                best = int(margin.argmax())
                proposal = decode(anchors[:, best], delta.reshape(4, -1)[:, best])
                result.append(float(iou_with(proposal[:, None], tuple(box))[0]))
        return result


class ResponseTask(Task):
    """Cells by radius; the quality is 1 where the highest cell lies within the radius."""

    def targets(self) -> Targets:
        """Cells by distance."""
        return RadiusTargets(self.geometry, self.recipe)

    def loss(self, outputs: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Balanced logistic loss."""
        return response_loss(outputs, batch["labels"])

    def quality(self, outputs: Any, batch: dict[str, Tensor]) -> list[float]:
        """Whether the peak hits."""
        labels = batch["labels"].cpu().numpy().reshape(len(outputs), -1)
        best = outputs.reshape(len(outputs), -1).argmax(dim=1).cpu().numpy()
        hits = labels[np.arange(len(labels)), best] == 1
        positive = batch["box"].cpu().numpy()[:, 2] > 0
        return [float(hit) for hit in hits[positive]]


class SequenceTask(Task):
    """Frames that follow each other, for a network that remembers."""

    planner = SequencePlanner

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        self.together = recipe.frames

    def crops(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Template and search crops (B, T, 3, side, side) of sequences of T frames."""
        template, search = (
            crops.unflatten(0, (-1, self.together)) for crops in super().crops(batch)
        )
        return template, search


class MemoryTask(SequenceTask, ResponseTask):
    """Response maps of each frame."""

    def loss(self, outputs: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """Balanced logistic loss of all frames."""
        return super().loss(outputs.flatten(0, 1), batch, generator)

    def quality(self, outputs: Any, batch: dict[str, Tensor]) -> list[float]:
        """Whether the peaks hit, frame by frame."""
        return super().quality(outputs.flatten(0, 1), batch)


class RegressionTask(SequenceTask):
    """The box of each frame; the quality is its IoU with the target."""

    def targets(self) -> Targets:
        """The box alone."""
        return NoLabels()

    def loss(self, outputs: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Losses:
        """L1 of the corners, ten to a crop's side as Re3's authors scale them."""
        side = self.geometry.search_size
        center, size = (batch["box"] / side).split(2, dim=1)
        truth = torch.cat([center - size / 2, center + size / 2], dim=1)
        location = 10 * (outputs.flatten(0, 1).float() - truth).abs().mean()
        none = torch.zeros_like(location)
        return Losses(location, none, location, none)

    def quality(self, outputs: Any, batch: dict[str, Tensor]) -> list[float]:
        """IoU, frame by frame."""
        corners = outputs.flatten(0, 1).float().cpu().numpy() * self.geometry.search_size
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        center, size = np.split(batch["box"].cpu().numpy(), 2, axis=1)
        truth = np.concatenate([center - size / 2, size], axis=1)
        result: list[float] = overlaps(boxes.clip((-np.inf, -np.inf, 0, 0)), truth).tolist()
        return result
