"""The command line of `train`: mistakes are one line, said before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch")

from test.training.factories import write_native  # noqa: E402
from visual_tracker.cli import main  # noqa: E402
from visual_tracker.cli.train import PAIRS  # noqa: E402
from visual_tracker.training.bookkeeping import LOCK  # noqa: E402
from visual_tracker.training.run import TASKS  # noqa: E402

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_native(tmp_path_factory.mktemp("data"))


def train(kind: str, data: Path, output: Path, *arguments: object) -> Result:
    given = ["train", kind, "--data", data, "--output", output, *arguments]
    return CliRunner().invoke(main, list(map(str, given)))


@pytest.mark.parametrize(
    "kind", ["siamrpn", "siamfc", "cfnet", "memtrack", "re3", "mdnet", "adnet"]
)
@pytest.mark.parametrize("device", ["cuda", "foo"])
def test_a_device_that_is_not_there_is_one_line(
    kind: str, device: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = train(kind, data, tmp_path / "out", "--device", device)
    assert result.exit_code == 2
    assert f"device '{device}'" in result.output
    assert result.output.startswith("visual-tracker: error: ")
    assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        ("mdnet", "--workers", 1),
        ("adnet", "--sampler", "workers"),
        ("mdnet", "--image-memory", 4),
        ("siamrpn", "--stage", "supervised"),
        ("mdnet", "--stage", "reinforce"),
    ],
)
def test_an_option_without_effect_is_refused(
    kind: str, option: str, value: object, data: Path, tmp_path: Path
) -> None:
    result = train(kind, data, tmp_path / "out", option, value)
    assert result.exit_code == 2
    assert result.output.startswith(f"visual-tracker: error: {option} is of ")
    assert f"has no effect on {kind}; leave it out" in result.output
    assert not (tmp_path / "out").exists()


def test_every_kind_that_learns_from_pairs_has_a_task() -> None:
    assert set(PAIRS) == set(TASKS)


@pytest.mark.parametrize("kind", ["siamfc", "cfnet", "memtrack", "re3"])
def test_networks_of_one_response_map_refuse_a_teacher(
    kind: str, data: Path, tmp_path: Path
) -> None:
    teacher = ("--set", "teacher=teacher.safetensors", "--device", "cpu")
    result = train(kind, data, tmp_path / "out", *teacher)
    assert result.exit_code == 2
    assert "only siamrpn can learn from a teacher" in result.output.splitlines()[-1]


@pytest.mark.parametrize("option", ["--threads", "--workers", "--image-memory"])
def test_a_negative_number_is_refused(option: str, data: Path, tmp_path: Path) -> None:
    result = train("siamrpn", data, tmp_path / "out", option, -1)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}': -1" in result.output


@pytest.mark.parametrize(
    "kind", ["siamrpn", "siamfc", "cfnet", "memtrack", "re3", "mdnet", "adnet"]
)
def test_a_file_that_is_no_weights_is_one_line(kind: str, data: Path, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.safetensors"
    rubbish.write_text("# no tensors\n")
    for initial in (README, rubbish):
        result = train(kind, data, tmp_path / "out", "--initial", initial, "--device", "cpu")
        assert result.exit_code == 2
        last = result.output.splitlines()[-1]
        assert last.startswith(f"visual-tracker: error: {initial} cannot be read as weights")


@pytest.mark.parametrize("kind", ["siamrpn", "mdnet"])
def test_a_folder_in_which_another_process_trains_is_refused(
    kind: str,
    data: Path,
    tmp_path: Path,
    locked_elsewhere: Callable[[Path], AbstractContextManager[None]],
) -> None:
    with locked_elsewhere(tmp_path / LOCK):
        result = train(kind, data, tmp_path, "--device", "cpu")
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith(f"visual-tracker: error: another process trains in {tmp_path};")


@pytest.mark.parametrize("workers", [0, 1])
def test_images_that_cannot_be_read_are_one_line(workers: int, tmp_path: Path) -> None:
    data = write_native(tmp_path / "data")
    for path in data.rglob("*.png"):
        path.write_bytes(b"rubbish")
    short = ("--set", "steps=1", "--set", "batch=2", "--set", "validation_share=0")
    network = ("--network", "alexnet-vot", "--device", "cpu", "--workers", workers)
    result = train("siamrpn", data, tmp_path / "out", *network, *short)
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith("visual-tracker: error: 50 pairs in a row are corrupt")
    assert "Traceback" not in result.output
