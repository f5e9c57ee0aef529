"""The training loop: one process, or several under torchrun.

A run is a function of data, recipe and number of processes. Its state lies in one checkpoint file,
written by replacing the old one, so that a kill at any time loses one interval at most.
"""

from __future__ import annotations

import dataclasses
import importlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from visual_tracker.models.lite import LiteFeatures
from visual_tracker.models.lite_siamrpn import HEADS, LiteSiamRpn
from visual_tracker.models.siamrpn import SiamRpnNetwork
from visual_tracker.parameters import ParameterError
from visual_tracker.training import torchrun
from visual_tracker.training.bookkeeping import (
    Checkpoint,
    RunLog,
    changed_settings,
    progress_bar,
)
from visual_tracker.training.losses import Losses
from visual_tracker.training.optimizers import Optimizer
from visual_tracker.training.recipe import Recipe
from visual_tracker.training.samples import CROPS
from visual_tracker.training.schedule import rate_factor, release_steps
from visual_tracker.training.sequences import Runs
from visual_tracker.training.tasks import Task

Network = SiamRpnNetwork | LiteFeatures

LOG_COLUMNS = (
    "step", "loss", "classification", "location", "distillation", "rate", "seconds",
    "validation_loss", "validation_quality",
)  # fmt: skip

#: the first number of the validation samples, far from any training sample's
_VALIDATION_START = 1 << 40


class BatchMaker(Protocol):
    """Makes batches of samples by number, on the host or on the device."""

    def batches(
        self, numbers: Sequence[int], size: int, workers: int = 0, pinned: bool = False
    ) -> Iterable[dict[str, Tensor]]:
        """Batches in order; see :meth:`SampleMaker.batches`."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where a run happens.

    Attributes:
        device: torch device.
        rank: number of this process.
        processes: how many there are.
        workers: processes that make samples, each; 0 makes them in the loop.
        half: mixed precision where the device computes faster with it: float16 on CUDA, bfloat16
            on a CPU that has it.
    """

    device: str = "cpu"
    rank: int = 0
    processes: int = 1
    workers: int = 1
    half: bool = True

    @classmethod
    def from_environment(cls, device: str = "auto", workers: int = 1) -> Machine:
        """Read torchrun's variables and join its group if they are set."""
        rank, processes = torchrun.rank(), torchrun.processes()
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda":
            device = f"cuda:{torchrun.local_rank()}"
            torch.cuda.set_device(device)
        if processes > 1 and not torch.distributed.is_initialized():
            # DistributedDataParallel imports it, and it keeps the group there is at its import as
            # default of its functions: imported now, that is none, and `leave` ends the group.
            importlib.import_module("torch.distributed.nn.functional")
            torch.distributed.init_process_group("nccl" if "cuda" in device else "gloo")
        return cls(device, rank, processes, workers)

    def leave(self) -> None:
        """Leave torchrun's group, if there is one, and end its threads.

        A group that lives on has threads at work while the interpreter is taken down, and a process
        that had finished then aborts. Trainers must not be in the middle of a run.
        """
        if self.processes > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class Trainer:
    """Trains one network.

    Args:
        network: its weights are changed in place.
        task: targets, loss and measure.
        maker: of the training samples.
        validation: of the validation samples, None for no validation.
        recipe: everything else.
        output: folder for checkpoint and log.
        machine: where it runs.

    Raises:
        ParameterError: if the batch cannot be shared out evenly.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        maker: BatchMaker,
        validation: BatchMaker | None,
        recipe: Recipe,
        output: Path,
        machine: Machine,
    ) -> None:
        check_batch(recipe, machine.processes, task.together)
        self.recipe, self.task, self.machine = recipe, task, machine
        self._maker, self._validation = maker, validation
        output.mkdir(parents=True, exist_ok=True)
        self._checkpoint, self._log = Checkpoint(output), RunLog(output, LOG_COLUMNS)
        self.network = network.to(machine.device, memory_format=torch.channels_last)
        self.average = {name: value.clone() for name, value in network.state_dict().items()}
        self.step = 0
        task.extra.to(machine.device)
        self._released = -1
        self._releases = release_steps(recipe)
        self._groups = self._parameter_groups()
        self._optimizer = Optimizer(
            [group for group, _, _ in self._groups], recipe.weight_decay, recipe.muon
        )
        self._half = mixed_precision(machine.device) if machine.half else None
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._half == torch.float16)
        self._wrapped: nn.Module = self.network

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the run has learned: the averaged weights."""
        return self.average

    # Parameters -----------------------------------------------------------------------------------

    def _learning_parts(self) -> list[nn.Module]:
        """What learns by the recipe, beside the parts of the trunk."""
        network = self.network
        if self.recipe.learns == "all":
            return [network]
        assert isinstance(network, LiteSiamRpn)
        parts: dict[str, list[nn.Module]] = {
            "features": [network.neck],
            "heads": [network.get_submodule(name) for name in HEADS],
            "boxes": [network.regression],
        }
        return parts[self.recipe.learns]

    def _parameter_groups(self) -> list[tuple[list[nn.Parameter], float, int]]:
        """Parameters, peak rate and step of release: heads first, then trunk parts."""
        parts = self.network.trunk_parts()
        in_trunk = {id(parameter) for part in parts for parameter in part.parameters()}
        heads = [p for part in self._learning_parts() for p in part.parameters()]
        heads = [p for p in heads if id(p) not in in_trunk]
        groups = [(heads + list(self.task.extra.parameters()), self.recipe.learning_rate, 0)]
        for part, step in zip(parts, self._releases, strict=False):
            groups.append((list(part.parameters()), self.recipe.trunk_rate, step))
        return groups

    def _prepare_step(self) -> None:
        """Release what is due, and set the rates."""
        released = sum(step <= self.step for step in self._releases)
        if released != self._released:
            self._released = released
            for parameter in self.network.parameters():
                parameter.requires_grad_(False)
            for group, _, start in self._groups:
                for parameter in group:
                    parameter.requires_grad_(start <= self.step)
            if self.machine.processes > 1:
                self._wrapped = nn.parallel.DistributedDataParallel(self.network)
        self._optimizer.set_rates(
            [peak * rate_factor(self.step, self.recipe, start) for _, peak, start in self._groups]
        )

    def _unwrap(self) -> None:
        """Drop DistributedDataParallel, which would hold the group of processes for ever."""
        self._wrapped, self._released = self.network, -1

    # Loop -----------------------------------------------------------------------------------------

    def run(self, until: int | None = None, quiet: bool = False) -> None:
        """Train from the present step to the recipe's last one, or to `until`."""
        last = self.recipe.steps if until is None else min(until, self.recipe.steps)
        if self.step == 0:
            self.network.train()
            self.task.begin(self.network, lambda: self._to_device(next(self._batches(1))))
        batches = self._batches(last)
        with progress_bar(quiet or self.machine.rank != 0) as progress:
            bar = progress.add_task("", total=self.recipe.steps, completed=self.step)
            while self.step < last:
                started = time.monotonic()
                self._prepare_step()
                losses = self._one_step(batches)
                self.step += 1
                row = {"step": self.step, "seconds": round(time.monotonic() - started, 3)}
                row |= {name: round(value, 5) for name, value in losses.items()}
                row["rate"] = self._optimizer.rates[0]
                self._after_step(row, last)
                text = f"loss {losses['loss']:.3f}  rate {row['rate']:.1e}"
                progress.update(bar, completed=self.step, description=text)
        self._unwrap()

    def _train_parts(self) -> None:
        """Put in training mode what learns, and all else in that of use."""
        self._wrapped.train(self.recipe.learns == "all")
        parts, released = self.network.trunk_parts(), max(0, self._released)
        # a single branch is taught on crops of its own, which its norms need not see
        adapting = [] if self.recipe.learns == "boxes" else self._learning_parts()
        for part in (*adapting, *parts[:released], self.task.extra):
            part.train()
        for part in parts[released:]:
            part.eval()  # the statistics of frozen batch norms stay too

    def _one_step(self, batches: Iterator[dict[str, Tensor]]) -> dict[str, float]:
        self._train_parts()
        generator = torch.Generator().manual_seed(
            (self.recipe.seed * 1_000_003 + self.step) * self.machine.processes + self.machine.rank
        )
        sums = np.zeros(len(Losses._fields))
        for _ in range(self.recipe.accumulate):
            batch = self._to_device(next(batches))
            with self._autocast():
                outputs = self._wrapped(*self.task.inputs(batch))
                losses = self.task.loss(outputs, batch, generator)
            self._scaler.scale(losses.total / self.recipe.accumulate).backward()
            sums += [float(part.detach()) / self.recipe.accumulate for part in losses]
        self._average_extra_gradients()
        self._optimizer.unscale(self._scaler)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self._optimizer.step(self._scaler)
        self._scaler.update()
        self._optimizer.zero_grad()
        self._update_average()
        return dict(zip(("loss", *Losses._fields[1:]), sums.tolist(), strict=True))

    def _average_extra_gradients(self) -> None:
        """What DistributedDataParallel does for the network."""
        if self.machine.processes == 1:
            return
        for parameter in self.task.extra.parameters():
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.machine.processes

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._half is None:
            return nullcontext()
        return torch.autocast(torch.device(self.machine.device).type, self._half)

    def _update_average(self) -> None:
        # The average follows closely at first, or it would remember the random start.
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)

    def _after_step(self, row: dict[str, Any], last: int) -> None:
        ends = self.step == last
        if self.machine.rank == 0:
            if self._validation is not None and (
                ends or self.step % self.recipe.validate_every == 0
            ):
                row |= self.validate()
            self._log.append(row)
            if ends or self.step % self.recipe.checkpoint_every == 0:
                self.save()
        if self.machine.processes > 1 and ends:
            torch.distributed.barrier()

    # Data -----------------------------------------------------------------------------------------

    def _batches(self, last: int) -> Iterator[dict[str, Tensor]]:
        """Batches from the present step on; sample numbers tell the step, so a resume is exact."""
        machine, together = self.machine, self.task.together
        runs = self.recipe.batch // together
        first = self.step * runs + machine.rank
        numbers = Runs(range(first, last * runs, machine.processes), together)
        size = self.recipe.batch // (machine.processes * self.recipe.accumulate)
        return iter(self._loader(self._maker, numbers, size))

    def _loader(
        self, maker: BatchMaker, numbers: Sequence[int], size: int
    ) -> Iterable[dict[str, Tensor]]:
        machine = self.machine
        return maker.batches(numbers, size, machine.workers, "cuda" in machine.device)

    def _to_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        moved = {
            name: value.to(self.machine.device, non_blocking=True) for name, value in batch.items()
        }
        for name in CROPS & moved.keys():
            moved[name] = moved[name].float().contiguous(memory_format=torch.channels_last)
        return moved

    # Validation -----------------------------------------------------------------------------------

    def validate(self) -> dict[str, float]:
        """Loss and quality of the averaged weights on the same samples every time."""
        assert self._validation is not None
        kept = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        self.network.eval()
        self.task.extra.eval()
        runs = max(1, self.recipe.validation_pairs // self.task.together)
        numbers = Runs(range(_VALIDATION_START, _VALIDATION_START + runs), self.task.together)
        generator = torch.Generator().manual_seed(self.recipe.seed)
        losses, qualities = [], []
        with torch.no_grad():
            for raw in self._loader(self._validation, numbers, self.recipe.batch):
                batch = self._to_device(raw)
                outputs = self.network(*self.task.crops(batch))
                losses.append(float(self.task.loss(outputs, batch, generator).total))
                qualities += self.task.quality(outputs, batch)
        self.network.load_state_dict(kept)
        quality = float(np.mean(qualities)) if qualities else 0.0
        return {
            "validation_loss": round(float(np.mean(losses)), 5),
            "validation_quality": round(quality, 5),
        }

    # State ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint; the old one stays whole until the new one is."""
        self._checkpoint.write(
            {
                "step": self.step,
                "recipe": dataclasses.asdict(self.recipe),
                "network": self.network.state_dict(),
                "average": self.average,
                "extra": self.task.extra.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._scaler.state_dict(),
            }
        )

    def resume(self) -> bool:
        """Go on from the output folder's checkpoint, if there is one.

        Raises:
            CheckpointError: if it was made by another recipe or cannot be read.
        """
        state = self._checkpoint.read(self.machine.device, ("step", "recipe", "average"))
        if state is None:
            if self.machine.rank == 0:
                self._log.truncate(0)
            return False
        self._checkpoint.refuse(changed_settings(state["recipe"], self.recipe))
        with self._checkpoint.restoring():
            self.network.load_state_dict(state["network"])
            self.task.extra.load_state_dict(state["extra"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._scaler.load_state_dict(state["scaler"])
        self.average, self.step = state["average"], state["step"]
        if self.machine.rank == 0:  # the others would cut what it writes
            self._log.truncate(self.step)
        return True


def check_batch(recipe: Recipe, processes: int, together: int = 1) -> None:
    """Refuse a batch that cannot be shared out evenly: its steps would not be those of its samples.

    Args:
        recipe: of the run.
        processes: how many share a batch.
        together: samples that must not be parted (:attr:`Task.together`).

    Raises:
        ParameterError: if processes and forward passes do not divide it.
    """
    parts = processes * recipe.accumulate * together
    if recipe.batch % parts:
        sequences = f" of sequences of {together} samples" if together > 1 else ""
        raise ParameterError(
            f"batch={recipe.batch} cannot be shared out evenly among {processes} processes with "
            f"{recipe.accumulate} forward passes each (accumulate){sequences}; set batch to a "
            f"multiple of {parts}"
        )


def mixed_precision(device: str) -> torch.dtype | None:
    """The half type that makes training faster on a device; None if there is none.

    float16 on CUDA; bfloat16 on a CPU that computes with it.
    """
    if "cuda" in device:
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else None
