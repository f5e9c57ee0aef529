"""The reinforcement stage: the policy plays clips and learns from how they end (section 4.2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from visual_tracker.adnet.episode import drawn_by, most_probable
from visual_tracker.boxes import overlaps
from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.training.adnet.clips import ClipMaker, advantages, play, rewards
from visual_tracker.training.adnet.losses import reinforce_loss
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.adnet.supervised import SupervisedStage
from visual_tracker.training.adnet.trainer import Stage

#: the first number of the validation clips, far from any training clip's
_VALIDATION_START = 1 << 40


class ReinforceStage(Stage):
    """The fully connected layers learn from played clips, without drop-out.

    The supervised loss goes on beside it with a weight of `supervised_weight`: the reward says
    nothing of the confidence, which the same layers give.

    Args:
        network: its weights are changed in place.
        recipe: the numbers.
        clips: of the training videos.
        held_out: clips of the held-out videos, None for no validation.
        supervised: what gives the supervised loss.
        size: side of the regions in pixels.
    """

    name = "reinforce"
    columns = (
        "loss", "policy_loss", "supervised_loss", "reward", "actions",
        "validation_success", "validation_iou",
    )  # fmt: skip

    def __init__(
        self,
        network: PolicyNetwork,
        recipe: AdnetRecipe,
        clips: ClipMaker,
        held_out: ClipMaker | None,
        supervised: SupervisedStage,
        size: int,
    ) -> None:
        super().__init__(network, recipe)
        self._clips = clips
        self._held_out = held_out
        self._supervised = supervised
        self._size = size

    def parameters(self) -> list[nn.Parameter]:
        """The head's."""
        return list(self.network.head.parameters())

    def losses(self, step: int) -> dict[str, Tensor]:
        """The policy's loss over some clips, and the supervised one."""
        recipe = self.recipe
        supervised = torch.zeros((), device=self.device)
        if recipe.supervised_weight > 0:
            supervised = self._supervised.losses(step)["loss"]
        self.network.eval()
        features, histories, actions, gains, values = [], [], [], [], []
        for number in range(step * recipe.clips, (step + 1) * recipe.clips):
            clip = self._clips.make(number)
            rng = np.random.default_rng([recipe.seed, number, 3])
            played = play(
                self.network, clip, recipe.runs, self._size, recipe.max_actions, drawn_by(rng)
            )
            value = rewards(played.boxes, clip.last, recipe.success_iou)
            gain = advantages(value, recipe.baseline)[played.runs]
            features.append(played.features)
            histories.append(played.histories)
            actions.append(played.actions)
            gains.append(torch.from_numpy(gain).float().to(self.device))
            values.append(value)
        logits, _ = self.network.head(torch.cat(features), torch.cat(histories))
        plays = recipe.clips * recipe.runs
        policy = reinforce_loss(logits, torch.cat(actions), torch.cat(gains), plays)
        return {
            "loss": policy + recipe.supervised_weight * supervised,
            "policy_loss": policy.detach(),
            "supervised_loss": supervised.detach(),
            "reward": torch.tensor(np.mean(values)),
            "actions": torch.tensor(len(logits) / plays / (recipe.clip_frames - 1)),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Share of clips that end well, and their last IoU, with the most probable actions."""
        if self._held_out is None:
            return {}
        self.network.eval()
        ious = []
        for number in range(self.recipe.validation_scenes):
            clip = self._held_out.make(_VALIDATION_START + number)
            played = play(self.network, clip, 1, self._size, self.recipe.max_actions, most_probable)
            ious.append(float(overlaps(played.boxes, clip.last)[0]))
        success = np.mean(np.array(ious) > self.recipe.success_iou)
        return {
            "validation_success": round(float(success), 5),
            "validation_iou": round(float(np.mean(ious)), 5),
        }
