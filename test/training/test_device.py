"""Samples made on a device are those of the worker processes."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.training.factories import (  # noqa: E402
    TINY,
    TinySiamRpn,
    plain_recipe,
    textured,
    write_native,
)
from visual_tracker.annotations import DataError  # noqa: E402
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.crops import CropFrame, take_crop  # noqa: E402
from visual_tracker.training import augment, device_looks, run  # noqa: E402
from visual_tracker.training.augment import Look, motion_kernel  # noqa: E402
from visual_tracker.training.data import read_collection  # noqa: E402
from visual_tracker.training.device import (  # noqa: E402
    DeviceImages,
    DeviceMaker,
    DeviceMemoryError,
    _look_arrays,
)
from visual_tracker.training.images import ImageStore  # noqa: E402
from visual_tracker.training.pairs import make_sampler  # noqa: E402
from visual_tracker.training.plans import Jitter, jittered_frame  # noqa: E402
from visual_tracker.training.recipe import Recipe  # noqa: E402
from visual_tracker.training.samples import CROPS, AnchorTargets, SampleMaker  # noqa: E402
from visual_tracker.training.tasks import SiamRpnTask  # noqa: E402
from visual_tracker.training.trainer import Machine, Trainer  # noqa: E402

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_cuda)]
GIB = 1 << 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_native(tmp_path_factory.mktemp("data"))


def makers(data: Path, recipe: Recipe, device: str = "cpu") -> tuple[SampleMaker, DeviceMaker]:
    collection = read_collection(data)
    sampler, _ = make_sampler(collection, recipe)
    parts = TINY, AnchorTargets(TINY, recipe), recipe
    held = DeviceImages.load(collection.paths(), ImageStore(), device, GIB)
    return SampleMaker(sampler, ImageStore(), *parts), DeviceMaker(sampler, held, *parts)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_pairs_boxes_and_crops_as_from_workers(data: Path, device: str) -> None:
    recipe = plain_recipe(
        search_shift=40.0, rotation=20.0, shear=0.2, backgrounds=0.7, distractors=0.7,
        occluders=0.7, negative_pairs=0.3, light=0.3, grey=0.3, flip=0.5, teacher_clear=True,
    )  # fmt: skip
    workers, on_device = makers(data, recipe, device)
    for expected, found in zip(
        workers.batches(range(3, 27), 8), on_device.batches(range(3, 27), 8), strict=True
    ):
        assert expected.keys() == found.keys()
        for name in ("labels", "deltas", "box"):
            assert torch.equal(expected[name], found[name].cpu()), name
        for name in CROPS:
            difference = (expected[name].float() - found[name].cpu()).abs()
            assert difference.mean() < 0.5
            assert difference.flatten(1).quantile(0.98, dim=1).max() <= 2  # but for seams


@pytest.mark.parametrize("device", DEVICES)
def test_all_augmentation_together_stays_near(data: Path, device: str) -> None:
    workers, on_device = makers(
        data, Recipe(validation_share=0.0, blur=0.5, compression=0.5), device
    )
    expected = next(iter(workers.batches(range(16), 16)))
    found = next(iter(on_device.batches(range(16), 16)))
    difference = (expected["search"].float() - found["search"].cpu()).abs()
    assert difference.mean() < 2  # a strong compression makes more of a difference of one
    assert difference.flatten(1).mean(dim=1).max() < 6


@pytest.mark.parametrize("pixel", [0.4, 1.0, 1.9, 2.5, 4.3, 9.0])
def test_crops_of_every_magnification_are_in_place(tmp_path: Path, pixel: float) -> None:
    # A smooth image: what averaging is done before does not show.
    path = tmp_path / "x.png"
    small = np.random.default_rng(2).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (431, 317), interpolation=cv2.INTER_CUBIC))
    images = ImageStore()
    held = DeviceImages.load([path], images, "cpu", GIB)
    jitter = Jitter(65, 1.0, 8.0, 0.1, 0.1, 30.0, 0.2)
    side = 65 * pixel / 2  # a square template shows twice its target's side
    rng = np.random.default_rng(4)
    image = images.get(path)
    assert image is not None
    for _ in range(4):
        frame = jittered_frame(Box.from_center(200, 160, side, side), jitter, rng)
        expected = take_crop(image, frame, images.mean(path, image))
        warps = torch.tensor(frame.warp(), dtype=torch.float32)[None]
        values, inside = held.crops(torch.tensor([0]), warps, 65)
        assert values.shape == (1, 3, 65, 65)
        difference = np.abs(values[0].permute(1, 2, 0).numpy() - expected.astype(float))
        shown = inside[0, 0].numpy() > 0.999
        assert shown.any()
        assert np.quantile(difference[shown], 0.99) < 5
        assert difference.mean() < 1.5


def test_a_shift_of_a_pixel_is_seen(tmp_path: Path) -> None:
    """The comparison above would notice half a pixel: sharp edges move by exact amounts."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 200
    cv2.imwrite(str(tmp_path / "edge.png"), image)
    held = DeviceImages.load([tmp_path / "edge.png"], ImageStore(), "cpu", GIB)
    for pixel, factor in ((1.0, 1), (2.0, 2), (4.0, 4)):
        frame = CropFrame.square((32.0, 32.0), 16 * pixel, 16)
        values, _ = held.crops(
            torch.tensor([0]), torch.tensor(frame.warp(), dtype=torch.float32)[None], 16
        )
        assert values[0, 0, 8].tolist() == [0.0] * 8 + [200.0] * 8, factor


def test_looks_are_those_of_opencv() -> None:
    rng = np.random.default_rng(0)
    pictures = [textured(rng, 61, 67) for _ in range(4)]
    looks = [
        Look((0.8, 1.2, 1.0), 20.0),
        Look(blur=motion_kernel(5, 0.7)),
        Look(blur=motion_kernel(11, 2.9)),
        Look((1.3, 0.7, 0.9), -30.0, motion_kernel(3, 1.5)),
    ]
    arrays = {name: torch.from_numpy(value) for name, value in _look_arrays(looks, 11).items()}
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    found = device_looks.seen(images, arrays).permute(0, 2, 3, 1).numpy()
    for picture, look, result in zip(pictures, looks, found, strict=True):
        expected = augment.seen(picture, look, without_colour=False, mirrored=False)
        assert np.abs(expected.astype(float) - result).max() <= 1
    chosen = torch.tensor([True, False, True, False])
    grey = device_looks.greyed(images, chosen).permute(0, 2, 3, 1).numpy()
    flipped = device_looks.mirrored(images, chosen).permute(0, 2, 3, 1).numpy()
    for number, picture in enumerate(pictures):
        changed = bool(chosen[number])
        expected = augment.grey(picture) if changed else picture
        assert np.abs(expected.astype(float) - grey[number]).max() <= 1
        assert np.array_equal(picture[:, ::-1] if changed else picture, flipped[number])


@pytest.mark.parametrize("factor", [2.0, 3.0, 3.7])
def test_coarse_pictures_are_nearly_those_of_opencv(factor: float) -> None:
    rng = np.random.default_rng(1)
    picture = cv2.add(textured(rng, 90, 70), rng.integers(0, 40, (90, 70, 3), dtype=np.uint8))
    expected = augment.coarsened(picture, factor).astype(float)
    image = torch.from_numpy(picture).permute(2, 0, 1).float()
    found = device_looks.coarsened(image, factor).permute(1, 2, 0).numpy()
    damage = np.abs(expected - picture).mean()
    assert damage > 2
    assert np.abs(found - expected).mean() < 0.25 * damage


@pytest.mark.parametrize("quality", [20, 40, 60, 90])
def test_compression_is_nearly_that_of_libjpeg(quality: int) -> None:
    rng = np.random.default_rng(1)
    picture = cv2.add(textured(rng, 90, 70), rng.integers(0, 20, (90, 70, 3), dtype=np.uint8))
    expected = augment.compressed(picture, quality).astype(float)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    found = device_looks.compressed(image, torch.tensor([quality]))[0].permute(1, 2, 0).numpy()
    damage = np.abs(expected - picture).mean()
    assert np.abs(found - picture).mean() == pytest.approx(damage, rel=0.15)
    assert np.abs(found - expected).mean() < 0.35 * damage + 0.3


def test_images_beyond_the_budget_are_refused_in_words(data: Path) -> None:
    paths = list(read_collection(data).paths())
    with pytest.raises(DeviceMemoryError, match=r"raise --image-memory, pack the data"):
        DeviceImages.load(paths, ImageStore(), "cpu", 3 * 120 * 160 * 3)


def test_corrupt_images_are_left_out_on_the_device_too(tmp_path: Path) -> None:
    folder = write_native(tmp_path)
    (folder / "videos" / "v0_1.png").write_bytes(b"rubbish")
    collection = read_collection(folder)
    images = ImageStore()
    held = DeviceImages.load(collection.paths(), images, "cpu", GIB)
    assert {path.name for path in images.corrupt} == {"v0_1.png"}
    assert len(held.numbers) == len(list(collection.paths())) - 1
    recipe = plain_recipe(video_share=1.0)
    sampler, _ = make_sampler(collection, recipe)
    maker = DeviceMaker(sampler, held, TINY, AnchorTargets(TINY, recipe), recipe)
    assert len(list(maker.batches(range(40), 20))) == 2
    for path in collection.paths():
        path.write_bytes(b"rubbish")
    with pytest.raises(DataError, match="none of the images"):
        DeviceImages.load(collection.paths(), ImageStore(), "cpu", GIB)


def trainer(data: Path, output: Path, device: str, half: bool = True) -> Trainer:
    recipe = plain_recipe(
        steps=5, batch=4, checkpoint_every=2, validate_every=3, validation_pairs=4,
        release_start=0.0, release_step=0.0, blur=0.3, light=0.2, distractors=0.5, backgrounds=0.5,
    )  # fmt: skip
    torch.manual_seed(recipe.seed)
    _, maker = makers(data, recipe, device)
    network = TinySiamRpn()
    task = SiamRpnTask(network, recipe)
    machine = Machine(device, workers=0, half=half)
    return Trainer(network, task, maker, maker, recipe, output, machine)


def test_a_resumed_run_ends_as_an_uninterrupted_one(data: Path, tmp_path: Path) -> None:
    whole = trainer(data, tmp_path / "whole", "cpu")
    whole.run(quiet=True)
    trainer(data, tmp_path / "parts", "cpu").run(until=2, quiet=True)
    rest = trainer(data, tmp_path / "parts", "cpu")
    assert rest.resume()
    rest.run(quiet=True)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, rest.network.state_dict()[name]), name


@needs_cuda
@pytest.mark.parametrize("half", [True, False])
def test_a_gpu_trains_on_its_own_samples(data: Path, tmp_path: Path, half: bool) -> None:
    training = trainer(data, tmp_path, "cuda", half)
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    training.run(quiet=True)
    after = training.network.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any(not torch.equal(before[name], value) for name, value in after.items())
    assert training.validate()["validation_loss"] > 0


def test_the_run_takes_the_device_if_asked_and_workers_if_it_is_too_small(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "create_network", lambda kind, name: TinySiamRpn())
    caplog.set_level(logging.INFO)
    collection = read_collection(data)

    def maker(sampling: str, budget: int, device: str = "cpu") -> object:
        training = run.prepare(
            "siamrpn", "lite", collection, plain_recipe(), tmp_path / sampling,
            Machine(device, workers=0), budget, sampling=sampling,
        )  # fmt: skip
        return training._maker

    assert isinstance(maker("device", GIB), DeviceMaker)
    assert isinstance(maker("auto", GIB), SampleMaker)
    with pytest.raises(DeviceMemoryError):
        maker("device", 1000)

    # A GPU that is too small for the data falls back; the decision does not need the GPU itself.
    def full(*arguments: object) -> DeviceImages:
        raise DeviceMemoryError("3 of 9 images fill the memory")

    monkeypatch.setattr(run.DeviceImages, "load", full)
    task = SiamRpnTask(TinySiamRpn(), plain_recipe())
    make = run._makers(collection, task, Machine("cuda:0"), GIB, None, "auto")
    assert isinstance(make(make_sampler(collection, plain_recipe())[0]), SampleMaker)
    assert "worker processes make the samples" in caplog.text
