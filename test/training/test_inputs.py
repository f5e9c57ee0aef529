"""A run is not gone on with on other data than it was begun with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from test.training.factories import write_native
from visual_tracker.annotations import Collection
from visual_tracker.training.bookkeeping import CHECKPOINT, CheckpointError
from visual_tracker.training.data import read_collection
from visual_tracker.training.exclusions import Exclusions
from visual_tracker.training.inputs import FILE, check_inputs, describe_inputs, write_inputs


def described(collection: Collection, **changes: object) -> dict[str, str]:
    given = {
        "network": "siamfc lite",
        "exclusions": Exclusions(),
        "initial": None,
        "processes": 1,
        **changes,
    }
    return describe_inputs(collection=collection, **given)  # type: ignore[arg-type]


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return read_collection(write_native(tmp_path / "data"))


@pytest.fixture
def begun(tmp_path: Path, collection: Collection) -> Path:
    """The folder of a run that has a checkpoint."""
    output = tmp_path / "run"
    output.mkdir()
    write_inputs(output, described(collection))
    (output / CHECKPOINT).touch()
    return output


def test_the_same_is_gone_on_with_also_where_the_data_was_moved(
    begun: Path, tmp_path: Path, collection: Collection
) -> None:
    check_inputs(begun, described(collection))
    (tmp_path / "data").rename(tmp_path / "moved")
    check_inputs(begun, described(read_collection(tmp_path / "moved")))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("--network", {"network": "cfnet lite"}),
        ("--exclude", {"exclusions": Exclusions(prints=np.ones((1, 256), bool))}),
        ("--exclude", {"exclusions": Exclusions(names=frozenset({"mine"}))}),
        ("--initial", {"initial": Path(__file__)}),
        ("processes", {"processes": 2}),
    ],
)
def test_what_differs_is_named(
    begun: Path, collection: Collection, name: str, change: dict[str, object]
) -> None:
    with pytest.raises(CheckpointError, match=f"begun with another {name};"):
        check_inputs(begun, described(collection, **change))


def test_other_boxes_and_fewer_stills_are_other_data(begun: Path, collection: Collection) -> None:
    track = collection.tracks[0]
    number, view = track.frames[0]
    moved = replace(view, box=replace(view.box, x=view.box.x + 1))
    frames = ((number, moved), *track.frames[1:])
    boxes = Collection([replace(track, frames=frames), *collection.tracks[1:]], collection.stills)
    fewer = Collection(collection.tracks, collection.stills[1:])
    for other in (boxes, fewer):
        with pytest.raises(CheckpointError, match="begun with another --data"):
            check_inputs(begun, described(other))


def test_without_a_checkpoint_or_of_an_older_version_there_is_nothing_to_compare(
    begun: Path, collection: Collection
) -> None:
    other = described(collection, processes=2)
    (begun / FILE).rename(begun / "kept")
    check_inputs(begun, other)
    (begun / "kept").rename(begun / FILE)
    (begun / CHECKPOINT).unlink()
    check_inputs(begun, other)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_rubbish_is_named(begun: Path, collection: Collection, text: str) -> None:
    (begun / FILE).write_text(text)
    with pytest.raises(CheckpointError, match=r"inputs\.json cannot be read"):
        check_inputs(begun, described(collection))
