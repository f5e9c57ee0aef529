"""What a run keeps of itself."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from visual_tracker.training.bookkeeping import (  # noqa: E402
    CHECKPOINT,
    LOCK,
    LOG,
    Checkpoint,
    CheckpointError,
    RunLog,
    only_run_in,
)


def test_a_state_comes_back(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.read("cpu", ("step",)) is None
    checkpoint.write({"step": 1})
    checkpoint.write({"step": 2, "weights": torch.arange(3)})
    state = checkpoint.read("cpu", ("step",))
    assert state is not None
    assert state["step"] == 2
    assert state["weights"].tolist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_another_kind_of_state_is_not_read(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.write({"step": 1})
    with pytest.raises(CheckpointError, match=r"cannot be resumed \(KeyError\)"):
        checkpoint.read("cpu", ("step", "recipe"))


def test_a_state_of_another_network_is_said(tmp_path: Path) -> None:
    small, big = torch.nn.Linear(2, 2), torch.nn.Linear(3, 3)
    with (
        pytest.raises(CheckpointError, match="is of another network"),
        Checkpoint(tmp_path).restoring(),
    ):
        big.load_state_dict(small.state_dict())


def test_a_log_is_cut_back_to_a_step(tmp_path: Path) -> None:
    log = RunLog(tmp_path, ("cycle", "loss", "quality"))
    log.truncate(3)
    assert not (tmp_path / LOG).exists()
    for cycle in range(1, 5):
        log.append({"cycle": cycle, "loss": 1 / cycle})
    log.truncate(2)
    log.append({"cycle": 3, "loss": 0.5, "quality": 0.9})
    with (tmp_path / LOG).open(newline="") as file:
        rows = [list(row.values()) for row in csv.DictReader(file)]
    assert rows == [["1", "1.0", ""], ["2", "0.5", ""], ["3", "0.5", "0.9"]]


def test_a_second_run_is_kept_out_until_the_first_is_killed(
    tmp_path: Path, locked_elsewhere: Callable[[Path], AbstractContextManager[None]]
) -> None:
    refused = pytest.raises(CheckpointError, match="another process")
    with locked_elsewhere(tmp_path / LOCK), refused, only_run_in(tmp_path):
        pass
    with only_run_in(tmp_path):
        pass


def test_a_run_makes_its_folder_and_leaves_none_that_it_wrote_nothing_into(tmp_path: Path) -> None:
    output = tmp_path / "runs" / "lite"
    with only_run_in(output):
        assert output.is_dir()
    assert not output.exists()
    with pytest.raises(ValueError, match="refused"), only_run_in(output):
        raise ValueError("refused")
    assert not output.exists()
    with only_run_in(output):
        (output / LOG).touch()
    assert (output / LOG).exists()


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    with only_run_in(tmp_path):
        pass
    assert tmp_path.is_dir()
