"""The command line of `calibrate`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch")

from test.training.factories import write_native
from visual_tracker.cli import main
from visual_tracker.trackers import tracker_class
from visual_tracker.training.witnesses import WITNESSED


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_native(tmp_path / "data")


def calibrate(data: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["calibrate", "--data", str(data), *map(str, arguments)])


def test_every_tracker_that_can_be_calibrated_is_offered() -> None:
    (option,) = [one for one in main.get_command(None, "calibrate").params if one.name == "name"]
    assert list(option.type.choices) == list(WITNESSED)
    for name, cls in WITNESSED.items():
        assert issubclass(cls, tracker_class(name))


def test_what_a_plot_lacks_is_said_before_anything_is_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    # what would be next: no network may have been made by then
    monkeypatch.setattr("visual_tracker.training.calibration.make_tracker", None)
    result = calibrate(data, "--plot", tmp_path / "nowhere" / "plot.png")
    assert result.exit_code == 2
    assert f"there is no folder {tmp_path / 'nowhere'} for --plot" in result.output
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = calibrate(data, "--plot", tmp_path / "plot.png")
    assert result.exit_code == 2
    assert "matplotlib.figure is needed (in the clone: pip install '.[eval]'" in result.output


def test_excluded_pictures_are_left_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "visual_tracker.training.calibration.make_tracker", lambda *_: (None, Path("weights"))
    )
    (tmp_path / "sequences" / "Evaluation").mkdir(parents=True)
    for path in (data / "videos").glob("*.png"):
        # compressed anew, under another name
        copy = tmp_path / "sequences" / "Evaluation" / f"{path.stem}.jpg"
        cv2.imwrite(str(copy), cv2.imread(str(path)))
    result = calibrate(data, "--exclude", tmp_path / "sequences")
    assert result.exit_code == 2
    assert "no picture of a video is left; check --data and --exclude" in result.output
