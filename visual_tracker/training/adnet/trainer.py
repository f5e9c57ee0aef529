"""The loop of both stages: steps, validation, log, and a checkpoint that a kill cannot harm.

A run is a function of data, stage and recipe: the random numbers of a step depend on its number
alone, so that a resumed run ends as an uninterrupted one.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn

from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.bookkeeping import (
    Checkpoint,
    RunLog,
    changed_settings,
    progress_bar,
)
from visual_tracker.training.schedule import cosine_decay, phases


class Stage(ABC):
    """One kind of training."""

    name: str

    #: what `losses` and `validate` report, for the log
    columns: tuple[str, ...]

    def __init__(self, network: PolicyNetwork, recipe: AdnetRecipe) -> None:
        self.network = network
        self.recipe = recipe

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""

    @abstractmethod
    def losses(self, step: int) -> dict[str, Tensor]:
        """Losses of a step (0-d tensors or numbers); "loss" is minimised, the rest reported."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Measures on the held-out videos, the same ones every time; empty without such."""


class PolicyTrainer:
    """Trains one network in one stage.

    Args:
        stage: its network's weights are changed in place.
        output: folder for checkpoint and log.
    """

    def __init__(self, stage: Stage, output: Path) -> None:
        self.stage, self.recipe = stage, stage.recipe
        self.step = 0
        output.mkdir(parents=True, exist_ok=True)
        self._checkpoint = Checkpoint(output)
        self._log = RunLog(output, ("step", "rate", "seconds", *stage.columns))
        self._parameters = stage.parameters()
        for parameter in stage.network.parameters():
            parameter.requires_grad_(False)
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=0.0, weight_decay=self.recipe.weight_decay
        )

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the run has learned, with the frozen layers."""
        return self.stage.network.state_dict()

    def run(self, until: int | None = None, quiet: bool = False) -> None:
        """Train from the present step to the recipe's last one, or to `until`."""
        last = self.recipe.steps if until is None else min(until, self.recipe.steps)
        with progress_bar(quiet) as progress:
            bar = progress.add_task("", total=self.recipe.steps, completed=self.step)
            while self.step < last:
                row = self._one_step()
                if self._is_due(self.recipe.validate_every):
                    row |= self.stage.validate()
                self._log.append(row)
                if self._is_due(self.recipe.checkpoint_every) or self.step == last:
                    self.save()
                text = f"loss {row['loss']:.3f}"
                progress.update(bar, completed=self.step, description=text)

    def _is_due(self, interval: int) -> bool:
        return self.step == self.recipe.steps or self.step % interval == 0

    def _one_step(self) -> dict[str, float]:
        started = time.monotonic()
        rate = self.recipe.learning_rate * rate_factor(self.step, self.recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)
        losses = self.stage.losses(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self._parameters, self.recipe.clip)
        self._optimizer.step()
        self.step += 1
        row = {name: round(float(value.detach()), 5) for name, value in losses.items()}
        row |= {"step": self.step, "rate": rate}
        return row | {"seconds": round(time.monotonic() - started, 3)}

    # State ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        self._checkpoint.write(
            {
                "stage": self.stage.name,
                "step": self.step,
                "recipe": dataclasses.asdict(self.recipe),
                "network": self.stage.network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
            }
        )

    def resume(self) -> bool:
        """Go on from the output folder's checkpoint, if there is one.

        Raises:
            CheckpointError: if it was made by another stage or recipe or cannot be read.
        """
        state = self._checkpoint.read(self.stage.device, ("stage", "step", "recipe"))
        if state is None:
            self._log.truncate(0)
            return False
        different = changed_settings(state["recipe"], self.recipe)
        if state["stage"] != self.stage.name:
            different.insert(0, f"stage: {state['stage']} -> {self.stage.name}")
        self._checkpoint.refuse(different, "otherwise")
        with self._checkpoint.restoring():
            self.stage.network.load_state_dict(state["network"])
            self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self._log.truncate(self.step)
        return True


def rate_factor(step: int, recipe: AdnetRecipe) -> float:
    """Share of the peak rate at a step: linear warm-up, then a cosine down to the final share."""
    rising, progress = phases(step, recipe.steps, recipe.warmup)
    return rising * cosine_decay(progress, recipe.final_rate)
