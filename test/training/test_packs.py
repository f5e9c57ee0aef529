"""Packs: the same objects in a smaller file."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from test.training.factories import TINY, plain_recipe, textured, write_native
from visual_tracker.annotations import Collection, DataError, Still, Track, View
from visual_tracker.boxes import Box
from visual_tracker.cli import main
from visual_tracker.training.data import read_collection, read_got10k
from visual_tracker.training.exclusions import Exclusions, fingerprint
from visual_tracker.training.images import ImageStore
from visual_tracker.training.packing import PackSettings, PackWriter
from visual_tracker.training.packs import PackReader, read_pack
from visual_tracker.training.pairs import make_sampler
from visual_tracker.training.run import read_collections
from visual_tracker.training.samples import AnchorTargets, SampleMaker


def pack(collection: Collection, path: Path, **settings: float) -> Path:
    PackWriter(ImageStore(), PackSettings(**settings)).write(collection, path)  # type: ignore[arg-type]
    return path


def test_a_pack_gives_the_same_samples_but_for_the_jpeg(tmp_path: Path) -> None:
    original = read_collection(write_native(tmp_path / "data"))
    packed = read_pack(pack(original, tmp_path / "pack.safetensors", quality=98))
    assert [t.name for t in packed.tracks] == [t.name for t in original.tracks]
    recipe = plain_recipe(search_shift=8.0)
    makers = []
    for collection in (original, packed):
        sampler, _ = make_sampler(collection, recipe)
        makers.append(SampleMaker(sampler, ImageStore(), TINY, AnchorTargets(TINY, recipe), recipe))
    for number in range(10):
        one, other = makers[0].make(number), makers[1].make(number)
        assert np.array_equal(one.labels, other.labels)
        assert other.box == pytest.approx(one.box, abs=0.01)
        difference = np.abs(one.search.astype(int) - other.search)
        assert difference.mean() < 3


def test_only_what_crops_show_is_kept_and_no_larger_than_needed(tmp_path: Path) -> None:
    image = np.full((900, 1200, 3), 120, np.uint8)
    image[300:500, 400:600] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "x.png"), image)
    outline = (400.0, 300.0, 600.0, 300.0, 600.0, 500.0)
    view = View(tmp_path / "x.png", Box(400, 300, 200, 200), "x", "box", (outline,))
    collection = Collection(stills=[Still("set", (view,))])
    # The template shows 400 pixels of side; 100 are enough, so one of four pixels is kept.
    path = pack(collection, tmp_path / "p.safetensors", side=100, detail=1.0, reach=2.0)
    (still,) = read_pack(path).stills
    (found,) = still.objects
    assert (still.source, found.label) == ("set", "box")
    # 800 pixels around (500, 400): 100 to 900 and 0 to 800
    assert found.box.xywh == pytest.approx((75, 75, 50, 50))
    assert found.polygons[0] == pytest.approx((75, 75, 125, 75, 125, 125))
    small = ImageStore().get(found.path)
    assert small is not None
    assert small.shape == (200, 200, 3)
    reddest = np.argwhere((small[:, :, 2] > 150) & (small[:, :, 0] < 90))
    assert reddest.min(axis=0) == pytest.approx((75, 75), abs=2)
    assert reddest.max(axis=0) == pytest.approx((124, 124), abs=2)


def test_small_and_flat_objects_keep_a_usable_box(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), textured(np.random.default_rng(0), 400, 600))
    boxes = [Box(100, 100, 400, 9), Box(50, 300, 20, 20)]
    for box in boxes:
        view = View(tmp_path / "x.png", box, "x", "thing")
        path = pack(Collection(stills=[Still("", (view,))]), tmp_path / "p.safetensors")
        packed = read_pack(path)
        assert not packed.skipped
        assert packed.stills[0].objects[0].box.width / box.width == pytest.approx(1, abs=0.5)


def test_frame_numbers_survive_gaps(tmp_path: Path) -> None:
    video = tmp_path / "got" / "GOT-10k_Train_000001"
    video.mkdir(parents=True)
    for number in range(1, 6):
        cv2.imwrite(
            str(video / f"{number:08d}.jpg"), textured(np.random.default_rng(number), 90, 120)
        )
    (video / "groundtruth.txt").write_text("30,30,30,30\n" * 5)
    (video / "absence.label").write_text("0\n1\n1\n0\n0\n")
    (video / "00000005.jpg").write_bytes(b"rubbish")
    original = read_got10k(tmp_path / "got")
    (track,) = read_pack(pack(original, tmp_path / "p.safetensors")).tracks
    assert track.name == "GOT-10k_Train_000001"
    assert [number for number, _ in track.frames] == [0, 3]  # the corrupt one is left out


def test_a_pack_is_shared_with_worker_processes(tmp_path: Path) -> None:
    path = pack(read_collection(write_native(tmp_path / "data")), tmp_path / "p.safetensors")
    reader = PackReader(path)
    again = pickle.loads(pickle.dumps(reader))
    assert np.array_equal(reader.image(3), again.image(3))
    collection = read_pack(path)
    recipe = plain_recipe()
    sampler, _ = make_sampler(collection, recipe)
    maker = SampleMaker(sampler, ImageStore(), TINY, AnchorTargets(TINY, recipe), recipe)
    alone, helped = (list(maker.batches(range(6), 3, workers)) for workers in (0, 1))
    for one, other in zip(alone, helped, strict=True):
        assert bool((one["search"] == other["search"]).all())


def test_what_is_no_pack_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"rubbish")
    save_file({"x": np.zeros(1)}, tmp_path / "b.safetensors")
    save_file({"x": np.zeros(1)}, tmp_path / "c.safetensors", {"annotations": "rubbish"})
    for name, message in (("a", "is no pack"), ("b", "no annotations"), ("c", "as JSON")):
        with pytest.raises(DataError, match=message):
            read_collections([tmp_path / f"{name}.safetensors"])
    with pytest.raises(DataError, match="holds no images"):
        PackReader(tmp_path / "b.safetensors")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="in no known layout"):
        read_collections([tmp_path / "notes.txt"])
    with pytest.raises(DataError, match="a pack's name ends in"):
        pack(Collection(), tmp_path / "p.zip")
    lost = View(tmp_path / "lost.png", Box(0, 0, 9, 9), "x")
    with pytest.raises(DataError, match="none of the images"):
        pack(Collection([Track("x", "x", ((0, lost),))]), tmp_path / "p.safetensors")


def test_the_command_packs_and_leaves_evaluation_data_out(tmp_path: Path) -> None:
    data = write_native(tmp_path / "data")
    evaluation = tmp_path / "evaluation" / "v0"
    evaluation.mkdir(parents=True)
    picture = cv2.imread(str(data / "images" / "i1.png"))
    cv2.imwrite(str(evaluation / "1.jpg"), cv2.resize(picture, (200, 150)))
    output = tmp_path / "out" / "p.safetensors"
    result = CliRunner().invoke(
        main,
        ["pack", "--data", str(data), "--exclude", str(evaluation.parent), "--output", str(output)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    assert "1 of the evaluation data" in result.output
    packed = read_collections([output])
    assert [track.name for track in packed.tracks] == ["v1"]
    assert len(packed.stills) == 2


@pytest.mark.parametrize("packings", [1, 2])
def test_a_part_of_an_excluded_picture_is_excluded(tmp_path: Path, packings: int) -> None:
    picture = textured(np.random.default_rng(3), 240, 320)
    cv2.imwrite(str(tmp_path / "x.png"), picture)
    view = View(tmp_path / "x.png", Box(20, 30, 20, 20), "x", "thing")
    collection = Collection(stills=[Still("", (view,))])
    for number in range(packings):
        path = pack(collection, tmp_path / f"{number}.safetensors", reach=2.0)
        collection = read_pack(path)
    (packed,) = collection.paths()
    part = ImageStore().get(packed)
    assert part is not None
    assert part.shape[0] < 100
    evaluation = Exclusions(prints=fingerprint(picture)[None])
    assert not evaluation.shows(part)  # nobody could tell
    assert ImageStore(0, evaluation.shows).get(packed) is None


def test_an_older_pack_says_what_it_cannot_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = pack(read_collection(write_native(tmp_path / "data")), tmp_path / "new.safetensors")
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    del tensors["thumbnails"]
    save_file(tensors, tmp_path / "old.safetensors", metadata)
    images = ImageStore(0, Exclusions().shows)
    for packed in read_pack(tmp_path / "old.safetensors").paths():
        assert images.get(packed) is not None
    assert caplog.text.count("pack it anew") == 1


def test_a_pack_can_be_packed_smaller(tmp_path: Path) -> None:
    first = pack(read_collection(write_native(tmp_path / "data")), tmp_path / "p.safetensors")
    output = tmp_path / "again.safetensors"
    result = CliRunner().invoke(
        main, ["pack", "--data", str(first), "--output", str(output), "--quality", "30"],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0
    assert output.stat().st_size < first.stat().st_size
    assert len(read_pack(output).stills) == len(read_pack(first).stills)
