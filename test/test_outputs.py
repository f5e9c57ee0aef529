"""Whether results can be written is found out before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from visual_tracker.outputs import check_writable
from visual_tracker.sources import SourceError


def test_a_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_what_cannot_be_a_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match=r"file.* cannot be written into"):
        check_writable(tmp_path / name)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="/proc, in which nobody can write")
def test_a_folder_in_which_nothing_can_be_written_is_named() -> None:
    with pytest.raises(SourceError, match="/proc cannot be written into"):
        check_writable(Path("/proc"))
