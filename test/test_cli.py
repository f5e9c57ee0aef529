"""The command line, through click's runner."""

from __future__ import annotations

import csv
import itertools
import sys
from inspect import signature
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from test.fakes import picture, textured_square
from test.marks import needs_nano
from visual_tracker import __version__, display
from visual_tracker.boxes import Box
from visual_tracker.cli import COMMANDS, main
from visual_tracker.sources import ImageFolder
from visual_tracker.trackers import available_trackers, tracker_class, tracker_names

FIRST_BOX = "30,25,40,40"


#: click before 8.2 (Ubuntu 24.04) keeps stderr apart only if it is asked to
_APART = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}


def run(*arguments: object) -> Result:
    runner = CliRunner(**_APART)  # type: ignore[arg-type]
    return runner.invoke(main, [str(argument) for argument in arguments])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_help_lists_every_command_with_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, summary in COMMANDS.items():
        assert name in result.output
        assert summary.split(".")[0] in " ".join(result.output.split())
    assert "visual-tracker track film.mp4 --box 73,36,50,61" in result.output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_examples(command: str, option: str) -> None:
    result = run(command, option)
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"visual-tracker {command}" in result.output


def test_the_version_is_told() -> None:
    assert run("--version").output == f"visual-tracker, version {__version__}\n"


def test_a_file_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "plain").touch()
    result = run("train", "siamfc", "--data", tmp_path, "--output", tmp_path / "plain" / "run")
    assert result.exit_code == 2
    assert result.output == f"visual-tracker: error: {tmp_path}/plain/run: Not a directory\n"


def test_the_list_says_what_to_install_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    (line,) = [one for one in run("trackers").output.splitlines() if one.split()[0] == "siamrpn"]
    assert "pip install '.[dl]'" in line


def test_trackers_are_listed_one_line_each() -> None:
    result = run("trackers")
    assert result.exit_code == 0
    lines = result.output.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(tracker_names())
    for line, name in zip(lines, tracker_names(), strict=True):
        assert tracker_class(name).summary in line
    (nano,) = [line for line in lines if line.split()[0] == "nano"]
    (info,) = [info for info in available_trackers() if info.name == "nano"]
    assert f"no: {info.unavailable_reason}" in nano


def test_verbose_lists_every_parameter_too() -> None:
    output = run("trackers", "-v").output
    for name in tracker_names():
        section = output.split(f"parameters of {name}", 1)[1].split("parameters of ", 1)[0]
        for spec in tracker_class(name).parameters_class.specs():
            (line,) = [line for line in section.splitlines() if line.split()[:1] == [spec.name]]
            assert spec.range_text() in line
            assert spec.description in output


def test_a_video_is_tracked_to_boxes_and_an_annotated_video(
    square_video: Path, tmp_path: Path
) -> None:
    boxes, output = tmp_path / "boxes.csv", tmp_path / "tracked.mp4"
    options = ("--box", FIRST_BOX, "--tracker", "kcf", "--boxes", boxes, "--output", output)
    result = run("track", square_video, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == "12 frames, lost in 0\n"
    rows = rows_of(boxes)
    assert [row["frame"] for row in rows] == [str(index) for index in range(12)]
    assert [float(rows[0][side]) for side in ("x", "y", "width", "height")] == [30, 25, 40, 40]
    for row, truth in zip(rows, textured_square(12)[1], strict=True):
        box = Box(*(float(row[side]) for side in ("x", "y", "width", "height")))
        assert box.iou(truth) > 0.5
        assert (row["state"], row["confidence"]) == ("tracking", "")
    capture = cv2.VideoCapture(str(output))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert capture.get(cv2.CAP_PROP_FPS) == 25


def test_a_sequence_folder_brings_its_first_box(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    for index, image in enumerate(textured_square(3)[0]):
        cv2.imwrite(str(tmp_path / "img" / f"{index}.png"), image)
    (tmp_path / "groundtruth_rect.txt").write_text("31,26,40,40\n")
    boxes = tmp_path / "boxes.csv"
    result = run("track", tmp_path, "--tracker", "kcf", "--boxes", boxes)
    assert result.exit_code == 0, result.output
    assert [rows_of(boxes)[0][side] for side in ("x", "y")] == ["30.000", "25.000"]


def test_parameters_reach_the_tracker(square_video: Path) -> None:
    options = ("--box", FIRST_BOX, "--tracker", "kcf")
    result = run("track", square_video, *options, "--set", "detect_thresh=1.0")
    assert result.exit_code == 0
    assert int(result.stdout.split()[-1]) > 5


def test_without_box_the_user_draws_it(
    square_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "select_box", lambda image: Box(31, 26, 38, 38))
    boxes = tmp_path / "boxes.csv"
    assert run("track", square_video, "--tracker", "kcf", "--boxes", boxes).exit_code == 0
    assert rows_of(boxes)[0]["x"] == "31.000"


def test_show_stops_where_the_user_says(
    square_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    keys = [None, ord("x"), ord("q")]
    monkeypatch.setattr(
        display, "show_and_wait", lambda title, image: shown.append(title) or keys.pop(0)
    )
    result = run("track", square_video, "--box", FIRST_BOX, "--tracker", "kcf", "--show")
    assert result.stdout == "3 frames, lost in 0\n"
    assert shown == ["square"] * 3


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--box", "1,2,3"], "cannot read a box from '1,2,3'"),
        (["--box", "1,2,0,4"], "box width is 0"),
        (["--box", "900,2,9,9"], "lies outside the 192x144 image"),
        (["--tracker", "csrd"], "no tracker 'csrd'; did you mean 'csrt'"),
        pytest.param(["--tracker", "nano"], "set its parameter 'backbone'", marks=needs_nano),
        (["--device", "cuda"], "runs on the CPU only"),
        (["--set", "padding"], "write --set NAME=VALUE"),
        (["--set", "paddin=2"], "did you mean 'padding'"),
        (["--set", "padding=much"], "must be float, not 'much'"),
        (["--set", "padding=99"], "must lie in 1 .. 10"),
        (["--boxes", "missing/boxes.csv"], "cannot write the boxes"),
        (["--output", "missing/tracked.mp4"], "cannot write the video missing/tracked.mp4"),
        ([], "(--box)"),
        (["--box", FIRST_BOX, "--show"], "can open no window to show"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exit_code_2(
    square_video: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    box = [] if not options or "--box" in options else ["--box", FIRST_BOX]
    tracker = [] if "--tracker" in options else ["--tracker", "csrt"]
    check_error(run("track", square_video, *box, *tracker, *options), why)


def check_error(result: Result, why: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = [text for text in result.stderr.splitlines() if "error" in text]
    assert line.startswith("visual-tracker: error: ")
    assert why in line
    assert result.stderr.splitlines()[-1] == line
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("99999999999", "no file, folder or camera '99999999999'"),
        ("~nobodyxx/f.mp4", "~nobodyxx/f.mp4 cannot be opened"),
        ("a" * 5000, "cannot be opened: File name too long"),
    ],
    ids=["number", "home", "long"],
)
def test_an_odd_source_is_one_line_and_exit_code_2(source: str, why: str) -> None:
    result = run("track", source, "--box", FIRST_BOX, "--tracker", "kcf")
    check_error(result, why)
    assert len(result.stderr.splitlines()) == 1


def test_a_source_that_does_not_exist_is_one_line_and_exit_code_2() -> None:
    result = run("track", "missing.mp4", "--box", FIRST_BOX, "--tracker", "kcf")
    check_error(result, "there is no file, folder or camera 'missing.mp4'")
    assert len(result.stderr.splitlines()) == 1


def test_a_video_that_ends_early_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), textured_square(8)[0][number])
    arguments = ["track", tmp_path, "--box", FIRST_BOX, "--tracker", "kcf"]
    assert run(*arguments).stderr.count("warning") == 0
    frames = ImageFolder.__iter__
    monkeypatch.setattr(ImageFolder, "__iter__", lambda self: itertools.islice(frames(self), 3))
    result = run(*arguments)
    assert result.exit_code == 0
    assert "warning: 3 frames came of 8 that the source tells of" in result.stderr


def test_an_image_that_breaks_the_run_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), picture(1))
    (tmp_path / "2.png").write_bytes(b"no image")
    boxes = tmp_path / "boxes.csv"
    result = run("track", tmp_path, "--box", "5,5,20,20", "--tracker", "kcf", "--boxes", boxes)
    check_error(result, "2.png cannot be read as an image")
    # what was tracked before is there
    assert len(rows_of(boxes)) == 1


@pytest.mark.parametrize("arguments", [["follow"], ["track"], ["track", "a.mp4", "--frobnicate"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


@pytest.mark.parametrize("benchmark", ["node", "soak"])
def test_a_benchmark_of_the_node_asks_for_ros_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchmark: str
) -> None:
    for module in (f"visual_tracker.ros.benchmarks.{benchmark}", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, module, None)
    check_error(run("benchmark", benchmark, "--output", tmp_path), "this benchmark needs ROS 2")
