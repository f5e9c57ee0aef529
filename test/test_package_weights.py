"""Shipping weights: file, hash and calibration go together."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")

from visual_tracker.models.weights import WeightsError, packaged_weights
from visual_tracker.trackers.confidence import calibration_path, digest, load_calibration

SCRIPT = Path(__file__).resolve().parent.parent / "dev" / "package_weights.py"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with a package of its own, `tmp_path / "package"`."""
    spec = importlib.util.spec_from_file_location("package_weights", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(module, "FOLDER", folder)
    monkeypatch.setattr(module, "MANIFEST", folder / "manifest.json")
    return module


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run's weights of `lite` with their calibration beside them."""
    packaged = packaged_weights("siamrpn", "lite")
    assert packaged is not None
    path = tmp_path / "run" / "weights.safetensors"
    path.parent.mkdir()
    shutil.copyfile(packaged, path)
    shutil.copyfile(calibration_path(packaged), calibration_path(path))
    return path


def test_the_calibration_goes_with_its_weights(
    script: ModuleType, trained: Path, tmp_path: Path
) -> None:
    script.main("siamrpn", "lite", trained)
    shipped = tmp_path / "package" / "siamrpn-lite.safetensors"
    manifest = json.loads((tmp_path / "package" / "manifest.json").read_text())
    assert manifest["siamrpn-lite"] == {"file": shipped.name, "sha256": digest(trained)}
    assert load_calibration(shipped) == load_calibration(trained) is not None


@pytest.mark.parametrize("beside_source", ["nothing", "one of other weights"])
def test_without_a_calibration_the_one_of_other_weights_goes(
    script: ModuleType,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    beside_source: str,
) -> None:
    beside = calibration_path(trained)
    stale = beside.read_text().replace(digest(trained), "0" * 64)
    beside.unlink()
    if beside_source != "nothing":
        beside.write_text(stale)
    old = calibration_path(tmp_path / "package" / "siamrpn-lite.safetensors")
    old.write_text(stale)
    script.main("siamrpn", "lite", trained)
    assert not old.exists()
    assert "visual-tracker calibrate --tracker dasiamrpn --network lite" in capsys.readouterr().out


def test_a_calibration_made_in_the_package_stays(
    script: ModuleType, trained: Path, tmp_path: Path
) -> None:
    script.main("siamrpn", "lite", trained)
    calibration_path(trained).unlink()
    script.main("siamrpn", "lite", trained)
    assert load_calibration(tmp_path / "package" / "siamrpn-lite.safetensors") is not None


def test_a_damaged_calibration_changes_nothing(
    script: ModuleType, trained: Path, tmp_path: Path
) -> None:
    calibration_path(trained).write_text("{}")
    with pytest.raises(WeightsError, match="is no calibration"):
        script.main("siamrpn", "lite", trained)
    assert list((tmp_path / "package").iterdir()) == []
