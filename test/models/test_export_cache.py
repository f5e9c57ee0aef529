"""The cache of exports: where it is, what an export's name depends on, writers at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from visual_tracker.models import export_cache
from visual_tracker.models.export_cache import (
    cache_folder,
    cached_export,
    discard_export,
    export_name,
    make_export,
)


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "visual_tracker" / "exports"


def fill(text: str = "graph") -> object:
    return lambda folder: (folder / "search.onnx").write_text(text)


def test_the_folder_follows_xdg(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder() == cache
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == tmp_path / "home" / ".cache" / "visual_tracker" / "exports"


def test_the_name_changes_with_weights_and_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"one")
    name = export_name("siamrpn", "lite", weights)
    assert name.startswith("siamrpn-lite-")
    assert name == export_name("siamrpn", "lite", weights)
    weights.write_bytes(b"two")
    other = export_name("siamrpn", "lite", weights)
    assert other != name
    monkeypatch.setattr(export_cache, "_code_hash", lambda: "another version")
    assert export_name("siamrpn", "lite", weights) not in (name, other)


def test_an_export_is_made_once_and_found(cache: Path) -> None:
    assert cached_export("a") is None
    folder = make_export("a", fill())
    assert folder == cached_export("a") == cache / "a"
    assert (folder / "search.onnx").read_text() == "graph"
    discard_export("a")
    assert cached_export("a") is None


def test_of_two_writers_the_first_wins(cache: Path) -> None:
    def late(folder: Path) -> None:
        (folder / "search.onnx").write_text("late")
        make_export("a", fill("early"))

    folder = make_export("a", late)
    assert (folder / "search.onnx").read_text() == "early"
    assert [entry.name for entry in cache.iterdir()] == ["a"]


def test_readers_never_see_half_an_export(cache: Path) -> None:
    halfway, go_on = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        (folder / "template.onnx").write_text("first file")
        halfway.set()
        assert go_on.wait(30)

    writer = threading.Thread(target=make_export, args=("a", slow))
    writer.start()
    assert halfway.wait(30)
    assert cached_export("a") is None
    go_on.set()
    writer.join()
    assert cached_export("a") is not None


def test_a_failed_writer_leaves_nothing(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "search.onnx").write_text("half")
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        make_export("a", fail)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_raises(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file in the folder's place")
    with pytest.raises(OSError, match="exports"):
        make_export("a", fill())


def test_a_cache_that_may_not_be_looked_into_holds_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_export("a", fill())

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert cached_export("a") is None


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")

    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert cached_export("a") is None
    with pytest.raises(OSError, match=r"home directory\. Set XDG_CACHE_HOME"):
        make_export("a", fill())


def test_the_least_recently_used_go(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_cache, "_KEPT", 2)
    for age, name in enumerate(("newest", "older", "oldest")):
        make_export(name, fill())
        os.utime(cache / name, (1e9 - age, 1e9 - age))
    make_export("now", fill())
    assert {entry.name for entry in cache.iterdir()} == {"newest", "now"}
