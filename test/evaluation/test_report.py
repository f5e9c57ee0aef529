"""The report: worst moments by hand, pictures that show them, and a page that holds together."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from test.evaluation.factories import ScriptedTracker, drawn_sequence, tracked, write_otb
from visual_tracker.drawing import LOST_COLOR, TRACKING_COLOR, TRUTH_COLOR
from visual_tracker.evaluation import report
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.evaluate import Settings, evaluate
from visual_tracker.evaluation.passes import Run, single_pass
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.worst_moments import Moment, strip, worst_moment
from visual_tracker.extras import MissingExtraError
from visual_tracker.trackers import Track, TrackState

KCF = Candidate("kcf", "kcf")


def run_that_is_off_in(sequence: Sequence, *off: int) -> Run:
    """On the truth, but far off in some frames."""
    return single_pass(
        ScriptedTracker(lambda number, last: tracked(10 + number + 40 * (number in off))), sequence
    )


def test_the_worst_moment_is_the_longest_stretch_of_failed_frames() -> None:
    sequence = drawn_sequence(20)
    moment = worst_moment("label", run_that_is_off_in(sequence, 2, 3, 7, 8, 9, 15), sequence)
    assert moment == Moment("label", "drawn", frame=7, length=3, share=3 / 20)


def test_frames_without_truth_neither_count_nor_end_a_stretch() -> None:
    sequence = drawn_sequence(20, hidden=(8, 9))
    moment = worst_moment("label", run_that_is_off_in(sequence, 2, 3, 7, 8, 9, 10), sequence)
    assert moment is not None
    assert (moment.frame, moment.length) == (2, 2)
    moment = worst_moment("label", run_that_is_off_in(sequence, 2, 3, 7, 8, 9, 10, 11), sequence)
    assert moment is not None
    assert (moment.frame, moment.length) == (7, 3)


def test_a_run_without_failure_has_no_worst_moment() -> None:
    sequence = drawn_sequence(5)
    assert worst_moment("label", run_that_is_off_in(sequence), sequence) is None


def has_color(image: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - color).max(axis=2) < 40).any())


def test_a_strip_shows_truth_and_tracker() -> None:
    sequence = drawn_sequence(60)
    box = tracked(70, 40).box
    tracker = ScriptedTracker(lambda number, last: tracked(70, 40))
    picture = strip(Moment("a", "drawn", 9, 30, 0.5), single_pass(tracker, sequence), sequence)
    assert has_color(picture, TRUTH_COLOR)
    assert has_color(picture, TRACKING_COLOR)
    assert not has_color(picture, LOST_COLOR)
    lost = ScriptedTracker(lambda number, last: Track(box, 0.1, TrackState.LOST))
    picture = strip(Moment("a", "drawn", 9, 30, 0.5), single_pass(lost, sequence), sequence)
    assert has_color(picture, LOST_COLOR)


def test_a_strip_at_the_end_repeats_no_frame() -> None:
    sequence = drawn_sequence(6)
    run = run_that_is_off_in(sequence, 5)
    picture = strip(Moment("a", "drawn", 5, 1, 1 / 6), run, sequence)
    tiles = np.split(picture, 6, axis=1)
    assert [bool(tile.any()) for tile in tiles] == [True, True, True, False, False, False]


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    pytest.importorskip("matplotlib")
    for name in ("One", "Two"):
        write_otb(tmp_path / "data <b>", name, 9)
    # a target that jumps is lost
    file = tmp_path / "data <b>" / "Two" / "groundtruth_rect.txt"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:4], *["75,45,16,16"] * 5]))
    easy = Candidate("easy", "kcf", {"detect_thresh": 0.0})
    settings = Settings(
        (KCF, easy), tmp_path / "data <b>", output=tmp_path / "out", perturbations=("blur",)
    )
    evaluate(settings)
    return tmp_path / "out"


def test_the_page_shows_every_picture_there_is(evaluated: Path) -> None:
    html = (evaluated / report.REPORT_FILE).read_text()
    shown = {unquote(name) for name in re.findall(r'<img src="([^"]+)"', html)}
    assert shown == {path.name for path in evaluated.glob("*.png")}
    plots = {"success.png", "precision.png", "speed.png", "perturbation-blur.png"}
    assert plots < shown
    assert "worst-kcf-Two.png" in shown
    for name in shown:
        image = cv2.imread(str(evaluated / name))
        assert image is not None
        assert image.std() > 5


def test_pictures_of_an_earlier_report_go(evaluated: Path, tmp_path: Path) -> None:
    assert (evaluated / "worst-kcf-Two.png").is_file()
    csrt = Candidate("csrt", "csrt")
    evaluate(Settings((csrt,), tmp_path / "data <b>", output=evaluated))
    assert not (evaluated / "worst-kcf-Two.png").exists()


def test_the_page_holds_the_tables_and_is_escaped(evaluated: Path) -> None:
    html = (evaluated / report.REPORT_FILE).read_text()
    for text in ("success AUC", "<td>One</td>", "<td>easy</td>", "Evaluation on data &lt;b&gt;"):
        assert text in html
    assert "<b>" not in html
    assert "{{" not in html


def test_the_curves_of_a_plot_are_those_of_the_results(evaluated: Path) -> None:
    from visual_tracker.evaluation import plots

    curve = [1.0] * 11 + [0.0] * 10
    entry = {"curves": {"success": curve}, "mean": {"success_auc": 0.524}}
    figure = plots._success({"kcf": entry}, ["kcf"])
    (line,) = figure.axes[0].get_lines()
    assert line.get_ydata().tolist() == curve
    assert line.get_label() == "kcf [0.524]"


def test_a_supervised_evaluation_has_a_page_too(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from visual_tracker.evaluation.runner import RunOptions

    write_otb(tmp_path / "data", "One", 9)
    options = RunOptions(supervised=True)
    evaluate(Settings((KCF,), tmp_path / "data", output=tmp_path / "out", options=options))
    html = (tmp_path / "out" / report.REPORT_FILE).read_text()
    assert "EAO" in html
    assert "success.png" not in html


def test_missing_libraries_are_found_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    write_otb(tmp_path / "data", "One", 4)
    settings = Settings((KCF,), tmp_path / "data", output=tmp_path / "out")
    with pytest.raises(MissingExtraError, match=r"jinja2 is needed .*\.\[eval\]"):
        evaluate(settings)
    assert not (tmp_path / "out").exists()
