"""The supervised stage: what to do with boxes around the target (Yun et al., section 4.1)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from visual_tracker.adnet.episode import run_episode
from visual_tracker.boxes import overlaps
from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.models.policy_regions import head_outputs
from visual_tracker.training.adnet.batches import Batch, labelled_boxes, training_states
from visual_tracker.training.adnet.losses import supervised_loss
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.adnet.scenes import Scene, SceneMaker
from visual_tracker.training.adnet.trainer import Stage

#: the first number of the validation scenes, far from any training scene's
_VALIDATION_START = 1 << 40


class SupervisedStage(Stage):
    """Everything but the frozen parts learns actions and classes of labelled boxes.

    Args:
        network: its weights are changed in place.
        recipe: the numbers.
        scenes: of the training data.
        held_out: scenes of the held-out videos, None for no validation.
    """

    name = "supervised"
    columns = (
        "loss", "action_loss", "confidence_loss", "validation_action", "validation_class",
        "validation_iou",
    )  # fmt: skip

    def __init__(
        self,
        network: PolicyNetwork,
        recipe: AdnetRecipe,
        scenes: SceneMaker,
        held_out: SceneMaker | None,
    ) -> None:
        super().__init__(network, recipe)
        self._scenes = scenes
        self._held_out = held_out

    def parameters(self) -> list[nn.Parameter]:
        """All but the frozen parts'."""
        parts = self.network.frozen_parts()
        frozen = {id(parameter) for part in parts for parameter in part.parameters()}
        return [value for value in self.network.parameters() if id(value) not in frozen]

    def losses(self, step: int) -> dict[str, Tensor]:
        """Cross-entropies over the boxes of some scenes."""
        self.network.train()
        for part in self.network.frozen_parts():
            part.eval()
        numbers = range(step * self.recipe.scenes, (step + 1) * self.recipe.scenes)
        scenes = [self._scenes.make(number) for number in numbers]
        encoded = self.network.encode(self._images(scenes))
        batches = [self._batch(scene, n) for scene, n in zip(scenes, numbers, strict=True)]
        features = torch.cat(
            [
                self.network.describe(region, batch.boxes)
                for region, batch in zip(encoded, batches, strict=True)
            ]
        )
        joined = Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
        actions, classes = self.network.head(features, joined.histories)
        losses = supervised_loss(
            actions, classes, joined.actions, joined.classes, joined.teaches_action
        )
        return {
            "loss": losses.total,
            "action_loss": losses.action.detach(),
            "confidence_loss": losses.confidence.detach(),
        }

    def _batch(self, scene: Scene, number: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, number, 1])
        batch = labelled_boxes(scene.truth, scene.image.shape[1], self.recipe, rng)
        return Batch(*(part.to(self.device) for part in batch))

    def _images(self, scenes: list[Scene]) -> Tensor:
        """Regions as a batch (B, 3, S, S)."""
        batch = torch.from_numpy(np.stack([scene.image for scene in scenes])).to(self.device)
        return batch.float().contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Share of right actions and classes, and IoU after the policy moved boxes that are off."""
        if self._held_out is None:
            return {}
        self.network.eval()
        numbers = range(_VALIDATION_START, _VALIDATION_START + self.recipe.validation_scenes)
        rows = [self._measures(self._held_out.make(number), number) for number in numbers]
        action, confidence, iou = np.mean(rows, axis=0).round(5).tolist()
        return {
            "validation_action": action,
            "validation_class": confidence,
            "validation_iou": iou,
        }

    def _measures(self, scene: Scene, number: int) -> tuple[float, float, float]:
        network, size = self.network, scene.image.shape[1]
        encoded = network.encode(self._images([scene]))[0]
        batch = self._batch(scene, number)
        actions, classes = network.head(network.describe(encoded, batch.boxes), batch.histories)
        right = (actions.argmax(dim=1) == batch.actions)[batch.teaches_action]
        near = batch.teaches_action.cpu().numpy()
        rng = np.random.default_rng([self.recipe.seed, number, 1])
        states = training_states(scene.truth, size, self.recipe, rng)
        episode = run_episode(
            lambda boxes, histories: head_outputs(
                network.head,
                network.describe(encoded, torch.from_numpy(boxes).float().to(self.device)),
                histories,
            ),
            states.boxes[near],
            states.histories[near],
            (size, size),
            self.recipe.max_actions,
        )
        return (
            float(right.float().mean()),
            float((classes.argmax(dim=1) == batch.classes).float().mean()),
            float(overlaps(episode.boxes, scene.truth).mean()),
        )
