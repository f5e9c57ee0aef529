"""The loop of both stages: steps, validation, log, and a checkpoint that a kill cannot harm.

A run is a function of data, stage and recipe: the random numbers of a step depend on its number
alone, so that a resumed run ends as an uninterrupted one.
"""

from __future__ import annotations

import csv
import dataclasses
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from visual_tracker.models.adnet import PolicyNetwork
from visual_tracker.training.adnet.recipe import AdnetRecipe
from visual_tracker.training.schedule import cosine_decay
from visual_tracker.training.trainer import (
    CHECKPOINT,
    LOG,
    CheckpointError,
    changed_settings,
)


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
        self._output = output
        self._parameters = stage.parameters()
        for parameter in stage.network.parameters():
            parameter.requires_grad_(False)
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=0.0, weight_decay=self.recipe.weight_decay
        )
        output.mkdir(parents=True, exist_ok=True)

    def run(self, until: int | None = None, quiet: bool = False) -> None:
        """Train from the present step to the recipe's last one, or to `until`."""
        last = self.recipe.steps if until is None else min(until, self.recipe.steps)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), disable=quiet) as progress:
            bar = progress.add_task("", total=self.recipe.steps, completed=self.step)
            while self.step < last:
                row = self._one_step()
                if self._is_due(self.recipe.validate_every):
                    row |= self.stage.validate()
                self._log(row)
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
        return {"step": self.step, "rate": rate} | row | {"seconds": time.monotonic() - started}

    # State ----------------------------------------------------------------------------------------

    @property
    def _columns(self) -> list[str]:
        return ["step", "rate", "seconds", *self.stage.columns]

    def _log(self, row: dict[str, float]) -> None:
        row["seconds"] = round(row["seconds"], 3)
        path = self._output / LOG
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def save(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        state = {
            "stage": self.stage.name,
            "step": self.step,
            "recipe": dataclasses.asdict(self.recipe),
            "network": self.stage.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        path = self._output / CHECKPOINT
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def resume(self) -> bool:
        """Go on from the output folder's checkpoint, if there is one.

        Raises:
            CheckpointError: if it was made by another stage or recipe or cannot be read.
        """
        path = self._output / CHECKPOINT
        if not path.exists():
            return False
        state = self._read(path)
        different = changed_settings(state["recipe"], self.recipe)
        if state["stage"] != self.stage.name:
            different.insert(0, f"stage: {state['stage']} -> {self.stage.name}")
        if different:
            raise CheckpointError(
                f"{path} was made otherwise ({', '.join(different)}); "
                "use the same settings or another --output"
            )
        self.stage.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self._truncate_log()
        return True

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(
                path, map_location=self.stage.device, weights_only=True
            )
            if state["network"].keys() == self.stage.network.state_dict().keys():
                return state
        except Exception as error:  # torch's reader raises whatever rubbish leads it to
            raise CheckpointError(
                f"{path} cannot be resumed ({type(error).__name__}); delete it to start anew"
            ) from None
        raise CheckpointError(
            f"{path} is of another network; use the same --network or another --output"
        )

    def _truncate_log(self) -> None:
        """Drop the lines of steps that the checkpoint has not seen; they are done again."""
        path = self._output / LOG
        if not path.exists():
            return
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) <= self.step]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)


def rate_factor(step: int, recipe: AdnetRecipe) -> float:
    """Share of the peak rate at a step: linear warm-up, then a cosine down to the final share."""
    warmup = max(1, round(recipe.warmup * recipe.steps))
    progress = min(1.0, max(0.0, (step - warmup) / max(1, recipe.steps - warmup)))
    return min(1.0, (step + 1) / warmup) * cosine_decay(progress, recipe.final_rate)
