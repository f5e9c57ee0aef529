"""Sequences: samples that follow each other, kept together on their way to the network."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from test.training.factories import plain_recipe, write_native  # noqa: E402
from visual_tracker.annotations import View  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.models.geometry import LITE, LITE_RE3  # noqa: E402
from visual_tracker.models.memtrack import LiteMemTrack  # noqa: E402
from visual_tracker.models.re3 import LiteRe3  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.device import DeviceImages, DeviceMaker  # noqa: E402
from visual_tracker.training.images import ImageStore  # noqa: E402
from visual_tracker.training.pairs import make_sampler  # noqa: E402
from visual_tracker.training.plans import SampleError  # noqa: E402
from visual_tracker.training.recipe import Recipe  # noqa: E402
from visual_tracker.training.run import prepare  # noqa: E402
from visual_tracker.training.samples import SampleMaker  # noqa: E402
from visual_tracker.training.sequences import Runs, SequencePlanner, walk  # noqa: E402
from visual_tracker.training.tasks import MemoryTask, RegressionTask  # noqa: E402
from visual_tracker.training.trainer import Machine, check_batch  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_native(tmp_path_factory.mktemp("data"))


def planner(data: Path, recipe: Recipe) -> SequencePlanner:
    sampler, _ = make_sampler(read_collection(data), recipe)
    return SequencePlanner(sampler, ImageStore().size, LITE, recipe)


def views(count: int) -> list[View]:
    return [View(Path(f"{n}"), Box(0, 0, 10, 10), "scene") for n in range(count)]


@given(
    length=st.integers(1, 30), count=st.integers(2, 40), gap=st.integers(1, 12),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_a_walk_goes_in_even_steps_and_turns_at_the_ends(
    length: int, count: int, gap: int, seed: int
) -> None:
    shown = walk(views(length), count, gap, np.random.default_rng(seed))
    places = [int(view.path.name) for view in shown]
    assert len(places) == count
    steps = np.abs(np.diff(places))
    assert steps.max() <= gap
    inner = [
        step
        for step, before, after in zip(steps, places, places[1:], strict=False)
        if gap <= before < length - gap and gap <= after < length - gap
    ]
    assert len(set(inner)) <= 1


@given(
    start=st.integers(0, 50), runs=st.integers(1, 9), processes=st.integers(1, 4),
    together=st.integers(1, 5),
)  # fmt: skip
def test_runs_share_out_every_sample_once_and_in_order(
    start: int, runs: int, processes: int, together: int
) -> None:
    stop = start + runs
    shares = [Runs(range(start + rank, stop, processes), together) for rank in range(processes)]
    numbers = [list(share) for share in shares]
    assert sorted(chain.from_iterable(numbers)) == list(range(start * together, stop * together))
    for share, own in zip(shares, numbers, strict=True):
        assert len(share) == len(own)
        assert share[1:] == own[1:]
        for first in range(0, len(own), together):
            assert own[first] % together == 0
            assert own[first : first + together] == [own[first] + n for n in range(together)]


def test_each_template_shows_the_frame_before(data: Path) -> None:
    recipe = plain_recipe(video_share=1.0, frames=4, frame_gap=1, flip=0.5, grey=0.5)
    plans = [planner(data, recipe).plan(number) for number in range(4 * 8)]
    for sequence in range(8):
        mine = plans[4 * sequence : 4 * sequence + 4]
        shown = [plan.search.path for plan in mine]
        assert [plan.template.path for plan in mine[1:]] == shown[:-1]
        assert mine[0].template.path != shown[0]
        assert len({path.name[:2] for path in shown}) == 1
        assert len({(plan.grey, plan.flip) for plan in mine}) == 1
    assert {plan.flip for plan in plans} == {plan.grey for plan in plans} == {True, False}
    assert len({plan.search.path for plan in plans}) > 6


def test_a_still_gives_a_sequence_of_its_own(data: Path) -> None:
    recipe = plain_recipe(video_share=0.0, frames=3, parts=0.0)
    plans = [planner(data, recipe).plan(number) for number in range(3)]
    assert len({plan.search.path for plan in plans} | {plan.template.path for plan in plans}) == 1
    assert len({plan.search.frame for plan in plans}) == 3


def test_a_plan_does_not_depend_on_what_was_planned_before(data: Path) -> None:
    recipe = plain_recipe(frames=4)
    one = planner(data, recipe)
    in_order = [one.plan(number) for number in range(12)]
    other = planner(data, recipe)
    for number in (7, 2, 11, 0, 7):
        assert other.plan(number).search == in_order[number].search


def test_pictures_that_cannot_be_read_are_said_to_be(tmp_path: Path) -> None:
    data = write_native(tmp_path / "data")
    for path in data.rglob("*.png"):
        path.write_bytes(b"rubbish")
    with pytest.raises(SampleError, match="50 sequences in a row are corrupt"):
        planner(data, plain_recipe()).plan(0)


def test_both_makers_make_the_same_sequences(data: Path) -> None:
    recipe = plain_recipe(frames=3, flip=0.5)
    collection = read_collection(data)
    sampler, _ = make_sampler(collection, recipe)
    parts = LITE, MemoryTask(LiteMemTrack(16), recipe).targets(), recipe, SequencePlanner
    held = DeviceImages.load(collection.paths(), ImageStore(), "cpu", 1 << 30)
    numbers = Runs(range(2, 4), 3)
    (first,) = SampleMaker(sampler, ImageStore(), *parts).batches(numbers, 6)
    (second,) = DeviceMaker(sampler, held, *parts).batches(numbers, 6)
    assert torch.equal(first["labels"], second["labels"])
    assert (first["search"].float() - second["search"]).abs().mean() < 0.5


def test_the_network_gets_whole_sequences_and_its_peaks_are_judged_frame_by_frame() -> None:
    task = MemoryTask(LiteMemTrack(16), plain_recipe(frames=2))
    # what was template or search crop n of the batch is frame n % 2 of sequence n // 2
    numbers = torch.arange(6.0)[:, None, None, None].expand(-1, 3, 4, 4)
    template, search = task.inputs({"template": numbers, "search": numbers + 10})
    assert template[:, :, 0, 0, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert search[:, :, 0, 0, 0].tolist() == [[10, 11], [12, 13], [14, 15]]
    labels = torch.zeros(6, 1, 3, 3, dtype=torch.int8)
    labels[:, 0, 1, 1] = 1
    outputs = torch.full((3, 2, 1, 3, 3), -5.0)
    for number, column in enumerate([1, 1, 0, 1, 2, 1]):
        outputs[number // 2, number % 2, 0, 1, column] = 5.0
    batch = {"labels": labels, "box": torch.ones(6, 4)}
    assert task.quality(outputs, batch) == [1, 1, 0, 1, 0, 1]
    right = outputs[:1].clone()
    batch = {"labels": labels[:2], "box": torch.ones(2, 4)}
    generator = torch.Generator()
    assert float(task.loss(right, batch, generator).total) < 0.01
    assert float(task.loss(-right, batch, generator).total) > 4


def test_boxes_are_judged_by_their_corners_ten_to_a_side() -> None:
    task = RegressionTask(LiteRe3(16, 12), plain_recipe(frames=2))
    side = LITE_RE3.search_size
    # centre and size in crop pixels from the crop's centre, as samples have them
    truth = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.1, 0.0, 0.4, 0.2]]) * side
    right = torch.tensor([[-0.25, -0.25, 0.25, 0.25], [-0.1, -0.1, 0.3, 0.1]])
    batch = {"box": truth}
    generator = torch.Generator()
    assert float(task.loss(right[None], batch, generator).total) == pytest.approx(0, abs=1e-6)
    assert task.quality(right[None], batch) == pytest.approx([1, 1])
    moved = right + torch.tensor([0.25, 0.0, 0.25, 0.0])
    losses = task.loss(moved[None], batch, generator)
    assert float(losses.total) == pytest.approx(10 * 0.25 / 2)
    assert float(losses.location) == float(losses.total)
    assert task.quality(moved[None], batch) == pytest.approx([1 / 3, 0.15 / 0.65])
    inside_out = right[:, [2, 3, 0, 1]]
    assert task.quality(inside_out[None], batch) == [0, 0]


def test_a_batch_that_parts_a_sequence_is_refused() -> None:
    recipe = plain_recipe(batch=24, accumulate=2)
    check_batch(recipe, 1, together=4)
    with pytest.raises(ParameterError, match=r"of sequences of 4 samples; .* multiple of 16$"):
        check_batch(recipe, 2, together=4)


@pytest.mark.parametrize(
    ("kind", "learning"),
    [
        ("memtrack", ("memory.choice.weight", "memory.first_cell.weight", "neck.fine.weight")),
        ("re3", ("first.gates.weight", "second.gates.weight", "neck.fine.0.weight", "join.0.bias")),
    ],
)
def test_a_network_that_remembers_learns_and_goes_on_from_its_checkpoint(
    kind: str, learning: tuple[str, ...], data: Path, tmp_path: Path
) -> None:
    recipe = plain_recipe(
        steps=4, batch=4, frames=2, checkpoint_every=2, validate_every=4, validation_pairs=5,
        release_stages=0, validation_share=0.5,
    )  # fmt: skip

    def trainer(output: Path) -> object:
        return prepare(
            kind, "lite", read_collection(data), recipe, output, Machine(workers=0), 1 << 28
        )

    whole = trainer(tmp_path / "whole")
    before = {name: value.clone() for name, value in whole.network.state_dict().items()}
    whole.run(quiet=True)
    after = whole.network.state_dict()
    for name in learning:
        assert not torch.equal(before[name], after[name]), name
    assert torch.equal(before["trunk.stem.weight"], after["trunk.stem.weight"])
    trainer(tmp_path / "parts").run(until=2, quiet=True)
    rest = trainer(tmp_path / "parts")
    assert rest.step == 2
    rest.run(quiet=True)
    for name, value in after.items():
        assert torch.equal(value, rest.network.state_dict()[name]), name
