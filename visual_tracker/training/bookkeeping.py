"""What a training run keeps of itself: a checkpoint, a log, and a bar for who watches.

The state lies in one file, written by replacing the old one, so that a kill at any time loses one
interval at most. The log is then cut back to what the checkpoint has seen. A lock keeps a second
run out of the folder, in which both would write over each other.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from visual_tracker.parameters import Parameters

CHECKPOINT = "checkpoint.pt"
LOG = "log.csv"
LOCK = ".lock"


class CheckpointError(RuntimeError):
    """A run that cannot be resumed; the message says why."""


@contextmanager
def only_run_in(output: Path) -> Iterator[None]:
    """Keep the runs of other processes out of a folder, which is made if need be.

    The lock is the process's own: it ends with it, whatever ends it and whatever workers it leaves
    behind. Where a file system knows no locks there is none. A run that was refused before it wrote
    anything leaves no folder that was not there.

    Raises:
        CheckpointError: if another process has a run in the folder.
    """
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    with (output / LOCK).open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise CheckpointError(
                    f"another process trains in {output}; let it end or use another --output"
                ) from None
        try:
            yield
        finally:
            if is_new and [path.name for path in output.iterdir()] == [LOCK]:
                (output / LOCK).unlink()
                output.rmdir()


class Checkpoint:
    """The state of a run, in one file of its output folder."""

    def __init__(self, output: Path) -> None:
        self.path = output / CHECKPOINT

    def write(self, state: Mapping[str, Any]) -> None:
        """Write a state; the old one stays whole until the new one is."""
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def read(self, device: str | torch.device, parts: Sequence[str]) -> dict[str, Any] | None:
        """The state with its tensors on a device; None where nothing was written.

        Args:
            device: torch device.
            parts: what the state must hold.

        Raises:
            CheckpointError: if the file cannot be read, or is no such state.
        """
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location=device, weights_only=True)
            for part in parts:
                state[part]
        except Exception as error:  # torch's reader raises whatever rubbish leads it to
            raise CheckpointError(
                f"{self.path} cannot be resumed ({type(error).__name__}); delete it to start anew"
            ) from None
        return state

    def refuse(self, differences: Sequence[str], made: str = "with another recipe") -> None:
        """Say how the checkpoint was made differently, if it was.

        Raises:
            CheckpointError: if there are differences.
        """
        if differences:
            raise CheckpointError(
                f"{self.path} was made {made} ({', '.join(differences)}); "
                "use the same settings or another --output"
            )

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """While the state is handed to networks and optimizers.

        Raises:
            CheckpointError: if it does not fit them.
        """
        try:
            yield
        except (KeyError, RuntimeError, ValueError):
            raise CheckpointError(
                f"{self.path} is of another network; use the same --network or another --output"
            ) from None


class RunLog:
    """One line a step in a run's log.csv.

    Args:
        output: the run's folder.
        columns: names of the columns; the first counts the steps.
    """

    def __init__(self, output: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = output / LOG, columns

    def append(self, row: Mapping[str, Any]) -> None:
        """Write the line of a step; columns it does not name stay empty."""
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def truncate(self, last: int) -> None:
        """Drop the lines of steps that the checkpoint has not seen; they are done again."""
        if not self._path.exists():
            return
        with self._path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row[self._columns[0]]) <= last]
        with self._path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)


def changed_settings(saved: dict[str, Any], recipe: Parameters) -> list[str]:
    """Settings of a saved recipe that differ from this one's, as ``name: old -> new``."""
    return [
        f"{name}: {saved.get(name)} -> {value}"
        for name, value in dataclasses.asdict(recipe).items()
        if saved.get(name) != value
    ]


def progress_bar(quiet: bool) -> Progress:
    """A bar on the terminal: what a task says of itself, steps done, time left."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), disable=quiet)
