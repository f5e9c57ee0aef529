"""Messages about optional libraries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from visual_tracker.extras import MissingExtraError, how_to_install, require

ROOT = Path(__file__).parents[1]


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[eval\]'"):
        require("no_such_library")


def test_the_readme_has_what_the_messages_point_to() -> None:
    section = re.search(r"README, '(.+)'", how_to_install("dl"))
    assert section
    assert f"\n## {section[1]}" in (ROOT / "README.md").read_text()


def test_no_message_installs_the_package_from_an_index() -> None:
    """There is none by its name: pip would take a stranger's."""
    sources = ROOT.joinpath("visual_tracker").rglob("*.py")
    assert not [path for path in sources if "visual_tracker[" in path.read_text()]
