"""That no run is taken for one of other code."""

from __future__ import annotations

from pathlib import Path

import pytest

from test.test_independence import PACKAGE, imports_of
from visual_tracker.evaluation import provenance

#: what makes a run: trackers, and the cases that are made of sequences
ROOTS = (
    "trackers",
    "evaluation/longterm_cases",
    "evaluation/occlusions",
    "evaluation/perturbations",
)
#: what judges a run afterwards, and lends the makers of cases its types and `has_box`
ASIDE = {"evaluation/metrics.py"}


def module_file(name: str) -> Path | None:
    """File of a module of this package; None of others."""
    first, _, rest = name.partition(".")
    if first != "visual_tracker":
        return None
    path = PACKAGE / rest.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def reached(roots: tuple[str, ...]) -> set[Path]:
    """Files of the package that modules of these names import, and what those import."""
    waiting = [
        path
        for root in roots
        for path in (sorted((PACKAGE / root).rglob("*.py")) or [PACKAGE / f"{root}.py"])
    ]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        # a name that is imported may be one of a module, not a module
        if path not in found and path.is_file():
            found.add(path)
            waiting += filter(None, map(module_file, imports_of(path)))
    return found


def test_all_that_a_tracker_is_made_of_counts() -> None:
    needed = reached(ROOTS)
    assert PACKAGE / "online" / "bank.py" in needed  # the walk walks
    missing = needed - set(provenance.sources())
    assert {path.relative_to(PACKAGE).as_posix() for path in missing} == ASIDE


def test_the_digest_of_the_code_follows_trackers_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ("boxes.py", "trackers/kcf.py", "models/net.py", "models/weights/net.safetensors")
    for file in (*files, "evaluation/report.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("old")
    monkeypatch.setattr(provenance.visual_tracker, "__file__", str(tmp_path / "__init__.py"))
    digests = [provenance.code_digest.__wrapped__()]
    for file in files:
        (tmp_path / file).write_text("new")
        digests.append(provenance.code_digest.__wrapped__())
    assert len(set(digests)) == 5
    (tmp_path / "evaluation" / "report.py").write_text("new")
    assert provenance.code_digest.__wrapped__() == digests[-1]
