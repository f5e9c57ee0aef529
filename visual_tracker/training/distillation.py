"""What a teacher adds to the loss: its features, scores and boxes, cell by cell.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, for scores and response; Romero
et al., "FitNets", ICLR 2015, for the features; Chen et al., "Learning Efficient Object Detection
Models with Knowledge Distillation", NeurIPS 2017, for the boxes. The network has the teacher's
cells, so that each can be compared with its own. A teacher can be asked about any crop, and knows
more of the world than our labels: it was trained on a thousand times our data.

The heads may learn map by map, too (`teacher_maps`; FitNets again): the teacher's head then reads
our features, so that ours is asked for the same function of the same inputs, which holds on new
pictures where labels of few pictures are learned by heart (docs/experiments.md, 21).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.anchors import anchor_grid
from visual_tracker.models.geometry import LITE_RPN
from visual_tracker.models.lite_siamrpn import LiteSiamRpn
from visual_tracker.models.siamrpn import PairFeatures, PairProposals
from visual_tracker.training.losses import mean_of_chosen
from visual_tracker.training.mirrored import mirrored_answers, with_both
from visual_tracker.training.own_size import at_own_size, best_boxes, own_scale
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.teachers.nanotrack import (
    RESPONSE_SIZE,
    SEARCH_CELLS,
    SEARCH_SIZE,
    TEMPLATE_CELLS,
    TEMPLATE_SIZE,
    Lesson,
    NanoTrackTeacher,
)

#: weight of the teacher's boxes where it sees no target, against 1 where it is sure
_LEAST_BOX_WEIGHT = 0.02
#: added to variances, which may be 0
_LEAST = 1e-6
#: the teacher's probability from which a cell counts as one of the target's
_IS_TARGET = 0.5


class Distillation(nn.Module):
    """Compares a `lite` SiamRPN with NanoTrack v3.

    The crops are ours without their outermost pixels, so that both centres coincide: the teacher's
    127 and 255 pixels are our 129 and 257 without a border of one. Its features then lie one pixel
    beside ours, of the 16 of a cell.

    Args:
        teacher: looks at the same crops.
        recipe: weights and temperature.
    """

    def __init__(self, teacher: NanoTrackTeacher, recipe: Recipe) -> None:
        super().__init__()
        # in a list, so that it is no part of what is trained, moved or saved with this module
        self._teacher = [teacher]
        self._recipe = recipe
        self.norm = nn.BatchNorm2d(teacher.channels, affine=False)
        anchors = anchor_grid(RESPONSE_SIZE, RESPONSE_SIZE, LITE_RPN)[:, 0]
        self.register_buffer("_anchors", torch.tensor(anchors), persistent=False)

    @classmethod
    def of(cls, recipe: Recipe) -> Distillation | None:
        """The distillation that a recipe asks for, if any.

        Raises:
            WeightsError: if its teacher cannot be loaded.
        """
        if not recipe.teacher:
            return None
        return cls(NanoTrackTeacher(Path(recipe.teacher)), recipe)

    def forward(self, batch: dict[str, Tensor], proposals: PairProposals) -> Tensor:
        """The loss of a batch.

        Features count in all pairs, boxes where a template meets its own target, probability and
        response there and, with a weight of their own, where it meets another's.

        Args:
            batch: of template (B, 3, 129, 129), search (B, 3, 257, 257) and box (B, 4).
            proposals: ours, logits (N, 2, 1, 15, 15), embedding (B, 96, 17, 17), features of the
                template (B, 96, 9, 9); N is a multiple of B if other templates were looked for,
                too.
        """
        pairs, count = len(batch["box"]), len(proposals.logits)
        lesson = self._lesson(batch, proposals, count // pairs - 1)
        recipe, own = self._recipe, batch["box"][:, 2] > 0
        of_features = self._feature_terms(proposals, lesson.template_features, lesson.features)
        positive = functional.pad(own, (0, count - pairs))
        margin = (proposals.logits[:, 1] - proposals.logits[:, 0]).float()[:, 0]
        theirs = lesson.logits.float()
        places = recipe.teacher_scores * self._scores(margin, theirs)
        places = places + recipe.teacher_response * self._response(margin, theirs)
        targets = self._box_targets(batch, lesson)
        boxes = self._boxes(proposals.deltas[:, :, 0].float(), targets, theirs)
        return (
            of_features
            + recipe.teacher_boxes * mean_of_chosen(boxes, positive)
            + mean_of_chosen(places, positive)
            + recipe.teacher_others * mean_of_chosen(places, ~positive)
            + recipe.teacher_maps * self._maps(proposals.maps, lesson.maps)
        )

    def features_loss(self, batch: dict[str, Tensor], ours: PairFeatures | PairProposals) -> Tensor:
        """The loss of a batch's features alone; the teacher's head is not asked either.

        Args:
            batch: as in :meth:`forward`.
            ours: of its pairs.
        """
        theirs = self._teacher_on(ours.embedding).features(*_theirs(batch))
        return self._feature_terms(ours, *theirs)

    def adopt_statistics(self, network: LiteSiamRpn, batch: dict[str, Tensor]) -> None:
        """Let the norms of a network's heads begin with mean and spread of the teacher's maps.

        Args:
            network: in training mode; changed in place.
            batch: as in :meth:`forward`.
        """
        with torch.no_grad():
            proposals = network(batch["template"], batch["search"])
            # the teacher can read our features only once its own are known
            features = self._lesson(batch, proposals).features.float()
            variance, mean = torch.var_mean(features, dim=(0, 2, 3))
            self.norm.running_mean.copy_(mean)
            self.norm.running_var.copy_(variance)
            lesson = self._lesson(batch, proposals)
            for norm, theirs in zip(network.map_norms(), lesson.maps, strict=True):
                spread, mean = torch.std_mean(theirs.float(), dim=(0, 2, 3))
                norm.weight.copy_(spread)
                norm.bias.copy_(mean)

    def _lesson(
        self, batch: dict[str, Tensor], proposals: PairProposals, others: int = 0
    ) -> Lesson:
        template, search = _theirs(batch)
        read = None
        if self._recipe.teacher_maps > 0:
            read = self._as_theirs(proposals)
        teacher = self._teacher_on(proposals.embedding)
        lesson: Lesson = teacher(template, search, others, read)
        if self._recipe.teacher_mirrored:
            lesson = with_both(lesson, *mirrored_answers(teacher, template, search, others))
        return lesson

    def _teacher_on(self, where: Tensor) -> NanoTrackTeacher:
        """The teacher, on the device of a tensor."""
        return self._teacher[0].to(where.device)

    def _as_theirs(self, proposals: PairProposals) -> tuple[Tensor, Tensor]:
        """Our features of template and search crops, in the teacher's cells and units."""
        mean, spread = self.norm.running_mean, (self.norm.running_var + self.norm.eps).sqrt()
        template, search = (
            features.detach()[:, :, :cells, :cells].float() * spread[:, None, None]
            + mean[:, None, None]
            for features, cells in (
                (proposals.template_features, TEMPLATE_CELLS),
                (proposals.embedding, SEARCH_CELLS),
            )
        )
        return template, search

    def _maps(self, ours: list[Tensor], theirs: list[Tensor]) -> Tensor | float:
        """Mean squared error of the heads' maps, each in units of the variance of its channels."""
        if not self._recipe.teacher_maps:
            return 0.0
        errors = []
        for own, given in zip(ours, theirs, strict=True):
            variance = given.float().var(dim=(0, 2, 3), keepdim=True)
            errors.append(((own.float() - given.float()).square() / (variance + _LEAST)).mean())
        return torch.stack(errors).mean()

    def _feature_terms(
        self, ours: PairFeatures | PairProposals, template: Tensor, search: Tensor
    ) -> Tensor:
        """What our features of template and search crops cost, by the recipe's weights."""
        if self.training:
            self.norm(search.float())  # follows their mean and variance
        recipe = self._recipe
        of_search = self._features(ours.embedding, search)
        of_template = self._features(ours.template_features, template)
        return recipe.teacher_features * of_search + recipe.teacher_template * of_template

    def _features(self, embedding: Tensor, features: Tensor) -> Tensor:
        """Mean squared error of the features, each channel of unit variance over search crops.

        Those of templates are measured by the same mean and variance, since both are compared.
        """
        cells, norm = features.shape[2], self.norm
        ours = embedding[:, :, :cells, :cells]
        theirs = functional.batch_norm(
            features.float(), norm.running_mean, norm.running_var, eps=norm.eps
        )
        return functional.mse_loss(ours.float(), theirs)

    def _scores(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Cross-entropy with the teacher's probabilities; target and rest weigh the same, (B,)."""
        probability = theirs.sigmoid()
        entropy = functional.binary_cross_entropy_with_logits(ours, probability, reduction="none")
        is_target = (probability > _IS_TARGET).flatten(1)
        entropy = entropy.flatten(1)
        of_target = mean_of_chosen(entropy, is_target, dim=1)
        return 0.5 * (of_target + mean_of_chosen(entropy, ~is_target, dim=1))

    def _response(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the spatial distributions, (B,)."""
        ours, theirs = (
            functional.log_softmax(map_.flatten(1) / self._recipe.teacher_temperature, dim=1)
            for map_ in (ours, theirs)
        )
        return functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=1)

    def _box_targets(self, batch: dict[str, Tensor], lesson: Lesson) -> Tensor:
        """Deltas to the boxes that ours should be, (N, 4, 15, 15)."""
        targets = self._encoded(lesson.boxes.float())
        share = self._recipe.teacher_own_size
        if share:
            pairs = len(batch["box"])
            own = self._encoded(self._boxes_at_own_size(batch)[:, :, None, None])
            targets = torch.cat((targets[:pairs].lerp(own, share), targets[pairs:]))
        return targets

    def _boxes_at_own_size(self, batch: dict[str, Tensor]) -> Tensor:
        """The teacher's box in each crop, asked of one with the target at its own size, (B, 4)."""
        boxes, scale = batch["box"].float(), own_scale(batch["box"].float())
        template, _ = _theirs(batch)
        lesson: Lesson = self._teacher_on(boxes)(template, at_own_size(_shown(batch)[1], scale))
        scale = scale[:, None]
        return best_boxes(lesson, boxes / scale) * scale

    def _encoded(self, boxes: Tensor) -> Tensor:
        """Deltas (N, 4, 15, 15) to boxes (N, 4, 15, 15), or to (N, 4, 1, 1) from every cell."""
        anchors = self._anchors
        assert isinstance(anchors, Tensor)
        shift = (boxes[:, :2] - anchors[:2]) / anchors[2:]
        growth = (boxes[:, 2:] / anchors[2:]).log()
        return torch.cat((shift, growth), dim=1)

    def _boxes(self, deltas: Tensor, targets: Tensor, logits: Tensor) -> Tensor:
        """Smooth L1 of the deltas to those wanted, by the teacher's probability, (B,)."""
        distance = functional.smooth_l1_loss(
            deltas, targets, reduction="none", beta=self._recipe.smooth_l1_beta
        ).sum(dim=1)
        weight = logits.sigmoid() + _LEAST_BOX_WEIGHT
        return (distance * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))


def _theirs(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Template and search crops as the teacher sees them."""
    template, search = (
        crop[:, :, 1 : 1 + size, 1 : 1 + size]
        for crop, size in zip(_shown(batch), (TEMPLATE_SIZE, SEARCH_SIZE), strict=True)
    )
    return template, search


def _shown(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Template and search crops that the teacher is to see: clear ones where there are any."""
    return (
        batch.get("clear_template", batch["template"]),
        batch.get("clear_search", batch["search"]),
    )
