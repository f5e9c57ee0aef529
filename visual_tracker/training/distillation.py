"""What a teacher adds to the loss: its features and where it would look.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, for the response; Romero et
al., "FitNets", ICLR 2015, for the features, which a linear map of ours must predict.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from visual_tracker.models.geometry import LITE
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.teachers.nanotrack import (
    RESPONSE_SIZE,
    SEARCH_SIZE,
    STRIDE,
    TEMPLATE_SIZE,
    NanoTrackTeacher,
)

#: cells of ours for one of the teacher's
_STEP = STRIDE // LITE.stride


class Distillation(nn.Module):
    """Compares a `lite` SiamRPN with NanoTrack v3.

    The crops are ours without their last row and column, so that both centres coincide: the
    teacher's 127 and 255 pixels are our 129 and 257 without a border of one.

    Args:
        teacher: looks at the same crops.
        channels: of our embedding.
        recipe: weights and temperature.
    """

    def __init__(self, teacher: NanoTrackTeacher, channels: int, recipe: Recipe) -> None:
        super().__init__()
        # in a list, so that it is no part of what is trained, moved or saved with this module
        self._teacher = [teacher]
        self._recipe = recipe
        self.predict = nn.Conv2d(channels, teacher.channels, 1)
        self.norm = nn.BatchNorm2d(teacher.channels, affine=False)

    @classmethod
    def of(cls, recipe: Recipe, channels: int) -> Distillation | None:
        """The distillation that a recipe asks for, if any.

        Raises:
            WeightsError: if its teacher cannot be loaded.
        """
        if not recipe.teacher:
            return None
        return cls(NanoTrackTeacher(Path(recipe.teacher)), channels, recipe)

    def forward(self, batch: dict[str, Tensor], logits: Tensor, embedding: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            batch: of template (B, 3, 129, 129), search (B, 3, 257, 257) and box (B, 4).
            logits: ours, (B, 2, 5, 27, 27).
            embedding: ours of the search crop, (B, C, 33, 33).
        """
        teacher = self._teacher[0].to(embedding.device)
        template, search = (
            batch[name][:, :, 1 : 1 + size, 1 : 1 + size]
            for name, size in (("template", TEMPLATE_SIZE), ("search", SEARCH_SIZE))
        )
        lesson = teacher(template, search)
        positive = batch["box"][:, 2] > 0
        return self._recipe.teacher_features * self._features(
            embedding, lesson.features
        ) + self._recipe.teacher_response * self._response(logits, lesson.logits, positive)

    def _features(self, embedding: Tensor, features: Tensor) -> Tensor:
        """Mean squared error of the predicted features, each channel of unit variance."""
        cells = features.shape[2]
        ours = embedding[:, :, ::_STEP, ::_STEP][:, :, :cells, :cells]
        return functional.mse_loss(self.predict(ours).float(), self.norm(features.float()))

    def _response(self, logits: Tensor, theirs: Tensor, positive: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the spatial distributions, over positive pairs."""
        temperature = self._recipe.teacher_temperature
        margin = (logits[:, 1] - logits[:, 0]).float().logsumexp(dim=1)
        ours, theirs = common_cells(margin, theirs)
        divergence = functional.kl_div(
            functional.log_softmax(ours.flatten(1) / temperature, dim=1),
            functional.log_softmax(theirs.float().flatten(1) / temperature, dim=1),
            reduction="none",
            log_target=True,
        ).sum(dim=1)
        return (divergence * positive).sum() / positive.sum().clamp(min=1)


def common_cells(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """The cells of two centred maps that lie on the same pixels of the crop.

    Args:
        ours: (B, 27, 27), stride 8.
        theirs: (B, 15, 15), stride 16.

    Returns:
        Both (B, 13, 13), stride 16.
    """
    reach = min((ours.shape[1] // 2) // _STEP, RESPONSE_SIZE // 2)
    middle = ours.shape[1] // 2
    chosen = slice(middle - _STEP * reach, middle + _STEP * reach + 1, _STEP)
    inner = slice(RESPONSE_SIZE // 2 - reach, RESPONSE_SIZE // 2 + reach + 1)
    return ours[:, chosen, chosen], theirs[:, inner, inner]
