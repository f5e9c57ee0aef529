"""The multi-domain training loop.

MDNet, section 3.2: each step takes one video and trains the shared layers and that video's own
classifier on positives and the hardest of many negatives, one video after the other. A run is a
function of data and recipe; its state lies in one checkpoint file, written by replacing the old.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from visual_tracker.mdnet.objectives import CrossEntropy
from visual_tracker.models.mdnet import Classifier, MdNet
from visual_tracker.online.bank import Samples
from visual_tracker.online.mining import hardest
from visual_tracker.training.bookkeeping import (
    Checkpoint,
    RunLog,
    changed_settings,
    progress_bar,
)
from visual_tracker.training.mdnet.domains import Domain, DomainSampler
from visual_tracker.training.mdnet.recipe import MdNetRecipe
from visual_tracker.training.mdnet.validation import validate
from visual_tracker.training.schedule import cosine_decay

LOG_COLUMNS = ("cycle", "loss", "rate", "seconds", "validation_quality")


class DomainTrainer:
    """Trains the shared layers of an MDNet.

    Args:
        network: its fc4 and fc5 are changed in place.
        domains: the videos to train on.
        held_out: those to validate on; may be empty.
        recipe: everything else.
        output: folder for checkpoint and log.
        device: torch device, where the network is already.
    """

    def __init__(
        self,
        network: MdNet,
        domains: list[Domain],
        held_out: list[Domain],
        recipe: MdNetRecipe,
        output: Path,
        device: str,
    ) -> None:
        self.network, self.recipe = network, recipe
        self._domains, self._held_out = domains, held_out
        self._device = device
        output.mkdir(parents=True, exist_ok=True)
        self._checkpoint, self._log = Checkpoint(output), RunLog(output, LOG_COLUMNS)
        self._sampler = DomainSampler(network.features, recipe, device)
        torch.manual_seed(recipe.seed)
        self.classifier = Classifier(network.fc4, network.fc5, len(domains)).to(device).eval()
        self._optimizer = torch.optim.SGD(
            [{"params": group} for group, _ in self.classifier.groups],
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.cycle = 0

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the run has learned, with the frozen layers."""
        return self.network.state_dict()

    def run(self, until: int | None = None, quiet: bool = False) -> None:
        """Train from the present cycle to the recipe's last one, or to `until`."""
        last = self.recipe.cycles if until is None else min(until, self.recipe.cycles)
        with progress_bar(quiet) as progress:
            bar = progress.add_task("", total=self.recipe.cycles, completed=self.cycle)
            while self.cycle < last:
                row = self._one_cycle()
                ends = self.cycle == last
                if self._held_out and (ends or self.cycle % self.recipe.validate_every == 0):
                    row["validation_quality"] = round(self.validate(), 5)
                self._log.append(row)
                if ends or self.cycle % self.recipe.checkpoint_every == 0:
                    self.save()
                text = f"loss {row['loss']:.3f}"
                progress.update(bar, completed=self.cycle, description=text)

    def validate(self) -> float:
        """Quality on the held-out videos, in [0, 1]."""
        return validate(self.network, self._held_out, self._sampler, self.recipe)

    # Steps ----------------------------------------------------------------------------------------

    def _one_cycle(self) -> dict[str, Any]:
        started = time.monotonic()
        rate = self._rate()
        for group, (_, factor) in zip(
            self._optimizer.param_groups, self.classifier.groups, strict=True
        ):
            group["lr"] = rate * factor
        order = np.random.default_rng((self.recipe.seed, self.cycle)).permutation(
            len(self._domains)
        )
        losses = [self._step(int(number)) for number in order]
        self.cycle += 1
        return {
            "cycle": self.cycle,
            "loss": round(float(np.mean(losses)), 5),
            "rate": rate,
            "seconds": round(time.monotonic() - started, 3),
        }

    def _rate(self) -> float:
        progress = self.cycle / max(1, self.recipe.cycles - 1)
        return self.recipe.learning_rate * cosine_decay(progress, self.recipe.final_rate)

    def _step(self, number: int) -> float:
        seed = (self.recipe.seed, self.cycle, number)
        rng = np.random.default_rng(seed)
        positives, pool = self._sampler.draw(self._domains[number], rng)
        self.classifier.dropout.reseed(int(rng.integers(2**31)))
        objective = CrossEntropy(self.classifier, number)
        with torch.no_grad():
            chosen = hardest(objective.score(pool.features), self.recipe.negatives)
        self.classifier.train()
        negatives = Samples(pool.features[chosen], pool.labels[chosen])
        loss, _ = objective.loss(positives, negatives)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.classifier.parameters(), self.recipe.clip)
        self._optimizer.step()
        self.classifier.eval()
        return float(loss.detach())

    # State ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        self._checkpoint.write(
            {
                "cycle": self.cycle,
                "recipe": dataclasses.asdict(self.recipe),
                "domains": self._domain_names(),
                "classifier": self.classifier.state_dict(),
                "optimizer": self._optimizer.state_dict(),
            }
        )

    def resume(self) -> bool:
        """Go on from the output folder's checkpoint, if there is one.

        Raises:
            CheckpointError: if it was made by another recipe or data, or cannot be read.
        """
        state = self._checkpoint.read(self._device, ("cycle", "recipe", "domains"))
        if state is None:
            self._log.truncate(0)
            return False
        different = changed_settings(state["recipe"], self.recipe)
        if state["domains"] != self._domain_names():
            different.append("other videos")
        self._checkpoint.refuse(different)
        with self._checkpoint.restoring():
            self.classifier.load_state_dict(state["classifier"])
            self._optimizer.load_state_dict(state["optimizer"])
        self.cycle = state["cycle"]
        self._log.truncate(self.cycle)
        return True

    def _domain_names(self) -> list[str]:
        return [domain.name for domain in self._domains]
