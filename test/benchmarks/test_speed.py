"""The speed benchmark: what it measures, and what it says when it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from test.evaluation.factories import ScriptedTracker
from visual_tracker.benchmarks import speed, speed_report
from visual_tracker.benchmarks.random_weights import random_candidate
from visual_tracker.benchmarks.release import ReleaseCandidate
from visual_tracker.benchmarks.speed import TARGET_SIDE, WARM_UP, Case, Scene, cases_of, measure
from visual_tracker.cli import main
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.parameters import ParameterError
from visual_tracker.timing import timed

KCF = Candidate("kcf", "kcf")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only the tracker moves."""
    now = [0.0]
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    return now


def scripted(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], init: float, track: float
) -> None:
    """A tracker that takes some seconds; every tenth frame ten times as long."""

    @timed("network")
    def network(seconds: float) -> None:
        clock[0] += seconds

    @timed("crop")
    def crop(seconds: float) -> None:
        clock[0] += seconds

    def spend(number: int) -> None:
        if number == 0:
            clock[0] += init
            return
        total = track * (10 if number % 10 == 0 else 1)
        crop(total * 0.2)
        network(total * 0.5)
        clock[0] += total * 0.3

    monkeypatch.setattr(Candidate, "create", lambda self: ScriptedTracker(spend=spend))


def test_the_scene_moves_a_target_over_a_still_background() -> None:
    scene = Scene(320, 240)
    first, second = scene.image(0), scene.image(5)
    assert first.shape == (240, 320, 3)
    assert scene.box(0) != scene.box(5)
    patches = []
    for index, image in ((0, first), (5, second)):
        x, y, width, height = (int(value) for value in scene.box(index).xywh)
        patches.append(image[y : y + height, x : x + width].copy())
        image[y : y + height, x : x + width] = 0
    np.testing.assert_array_equal(*patches)
    assert (first == second).mean() > 0.8
    np.testing.assert_array_equal(scene.image(9), Scene(320, 240).image(9))


@pytest.mark.parametrize("size", [(640, 480), (2 * TARGET_SIDE, 2 * TARGET_SIDE), (1920, 200)])
def test_the_target_stays_inside_the_scene(size: tuple[int, int]) -> None:
    scene = Scene(*size)
    assert all(scene.box(index).visible_fraction(*size) == 1 for index in range(0, 500, 7))


def test_figures_of_a_tracker_with_known_times(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    scripted(monkeypatch, clock, init=0.5, track=0.01)
    result = measure(Case(KCF, 320, 240, frames=100, repeats=2))
    assert result.error is None
    assert result.median_ms == pytest.approx(10)
    assert result.p99_ms == pytest.approx(100)
    assert result.spread_ms == pytest.approx((10, 10))
    assert result.init_ms == pytest.approx(500)
    assert result.first_init_ms == pytest.approx(500)
    mean = 0.9 * 10 + 0.1 * 100
    stages = (result.crop_ms, result.network_ms, result.post_ms)
    assert stages == pytest.approx((0.2 * mean, 0.5 * mean, 0.3 * mean))


def test_a_real_tracker_is_measured_in_a_process_of_its_own() -> None:
    (result,) = speed.measure_all([Case(KCF, 160, 128, frames=5, repeats=2)])
    assert result.error is None
    assert result.device == "cpu"
    assert result.image == "160x128"
    assert result.spread_ms is not None
    assert result.median_ms is not None
    assert result.p99_ms is not None
    assert 0 < result.spread_ms[0] <= result.median_ms <= result.p99_ms
    assert result.crop_ms is None  # OpenCV does not tell
    if result.start_s is not None:
        assert result.first_init_ms is not None
        assert result.start_s > result.first_init_ms / 1000
    if result.peak_mb is not None:
        assert result.peak_mb > 20  # Python and NumPy alone


def test_memory_is_the_growth_while_the_tracker_lives(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    held: list[np.ndarray] = []

    def spend(number: int) -> None:
        clock[0] += 0.01
        if number == WARM_UP + 2:
            held.append(np.ones((40, 2**20), np.uint8))  # 40 megabytes

    monkeypatch.setattr(Candidate, "create", lambda self: ScriptedTracker(spend=spend))
    result = measure(Case(KCF, 160, 128, frames=5, repeats=1))
    if result.memory_mb is None:
        pytest.skip("this system does not tell")
    assert 38 < result.memory_mb < 60


def test_a_tracker_that_cannot_run_is_reported() -> None:
    case = Case(Candidate("kcf", "kcf", device="cuda"), 160, 128)
    result = measure(case)
    assert result.median_ms is None
    assert result.error is not None
    assert result.error.startswith("TrackerUnavailableError: tracker 'kcf' runs on the CPU only")


def test_cases_are_every_combination() -> None:
    cases = cases_of([KCF, Candidate("csrt", "csrt")], ["cpu", "cuda"], [(640, 480)], frames=7)
    found = [(case.candidate.label, case.candidate.device) for case in cases]
    assert found == [("kcf", "cpu"), ("kcf", "cuda"), ("csrt", "cpu"), ("csrt", "cuda")]
    assert all((case.width, case.height, case.frames) == (640, 480, 7) for case in cases)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(main, ["benchmark", "speed", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_writes_json_plot_and_table(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    readme = tmp_path / "README.md"
    readme.write_text("<!-- benchmark-speed:begin -->\n<!-- benchmark-speed:end -->\n")
    output = run(
        *("--tracker", "kcf", "--size", "160x128", "--frames", 4, "--repeats", 2),
        *("--device", "cpu", "--device", "cuda", "--output", tmp_path / "out", "--readme", readme),
    )
    assert "160x128" in output
    content = json.loads((tmp_path / "out" / "speed.json").read_text())
    assert [case["error"] is None for case in content["cases"]] == [True, False]
    assert content["machine"]["cores"] >= 1
    image = cv2.imread(str(tmp_path / "out" / "speed.png"))
    assert image is not None
    assert image.std() > 5
    assert "| kcf | cpu | 160x128 | 1 |" in readme.read_text()


@pytest.mark.parametrize("size", ["640", "640x", "100x100"])
def test_sizes_that_cannot_be_read(size: str, tmp_path: Path) -> None:
    arguments = ["benchmark", "speed", "--tracker", "kcf", "--size", size, "--output", tmp_path]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 2
    assert size in result.output


def test_too_small_an_image() -> None:
    with pytest.raises(ParameterError, match="too small"):
        Scene(100, 480)


def test_the_table_leaves_out_what_nobody_tells() -> None:
    case = speed.Speed(
        "kcf", "cpu", "640x480", 2, 1, 1.0, 2.0, (0.9, 1.1), init_ms=0.5, first_init_ms=3
    )
    failed = speed.Speed("csrt", "cuda", "640x480", error="no device")
    headings, rows = speed_report.table_rows({"cases": speed.as_json([case, failed])})
    assert headings == [
        *("tracker", "device", "image", "threads", "median ms", "p99 ms", "init ms"),
        *("first init ms", "spread ms"),
    ]
    assert rows[0][3:] == ["2", "1.0", "2.0", "0.5", "3.0", "0.9 .. 1.1"]
    assert rows[1][3:] == ["1", "-", "-", "-", "-", "no device"]


def test_cases_take_turns_and_their_rounds_become_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    class Inline:
        """A pool that runs at once, in this process."""

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Inline:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def submit(self, function: object, case: Case) -> Inline:
            order.append(case.candidate.label)
            self.result = lambda: answers[case.candidate.label].pop(0)
            return self

    def took(label: str, ms: float) -> speed.Speed:
        return speed.Speed(
            label, "cpu", "1x1", 1, 1, ms, 2 * ms, (ms - 1, ms + 1), first_init_ms=ms
        )

    order: list[str] = []
    failed = speed.Speed("csrt", "cpu", "1x1", error="no luck")
    answers = {"kcf": [took("kcf", ms) for ms in (3.0, 9.0, 4.0)], "csrt": [failed]}
    monkeypatch.setattr(speed, "ProcessPoolExecutor", Inline)
    cases = [Case(Candidate(name, name), 320, 240) for name in ("kcf", "csrt")]
    kcf, csrt = speed.measure_all(cases, rounds=3)
    assert order == ["kcf", "csrt", "kcf", "kcf"]
    assert (kcf.median_ms, kcf.p99_ms, kcf.first_init_ms, kcf.spread_ms) == (4, 8, 4, (2, 10))
    assert csrt == failed


def test_ratios_are_of_the_same_image_and_threads() -> None:
    def took(label: str, ms: float, threads: int = 1, image: str = "a") -> speed.Speed:
        return speed.Speed(label, "cpu", image, threads, 1, ms)

    cases = [
        *(took("dasiamrpn", 4.0), took("nano", 10.0), took("dasiamrpn", 2.0, threads=2)),
        *(took("alexnet-vot", 30.0), took("release-vot", 96.0), took("nano", 8.0, image="b")),
        speed.Speed("csrt", "cpu", "a", error="no luck"),
    ]
    _, rows = speed_report.ratio_rows({"cases": speed.as_json(cases)})
    assert rows == [
        ["dasiamrpn", "nano", "a", "1", "2.50"],
        ["alexnet-vot", "release-vot", "a", "1", "3.20"],
    ]


def test_random_weights_give_boxes_that_keep_their_size(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    candidate = replace(random_candidate("lite", tmp_path), device="cpu")
    tracker = candidate.with_threads(1).create()
    scene = Scene(320, 240)
    tracker.init(scene.image(0), scene.box(0))
    for index in range(1, 4):
        track = tracker.track(scene.image(index))
        assert not track.is_lost
        assert (track.box.width, track.box.height) == pytest.approx((TARGET_SIDE, TARGET_SIDE))


RELEASE_FILES = {
    "net.py": """
import torch
class SiamRPNvot(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.regress_adjust = torch.nn.Conv2d(1, 1, 1)
""",
    "utils.py": "",
    "run_SiamRPN.py": """
import torch
def SiamRPN_init(im, target_pos, target_sz, net):
    assert not torch.is_grad_enabled() and not net.training
    net.regress_adjust.weight.cuda()
    return {"target_pos": target_pos, "target_sz": target_sz, "n": 0}
def SiamRPN_track(state, im):
    state = dict(state, n=state["n"] + 1, score=0.25)
    state["target_pos"] += 3
    return state
""",
}


def test_the_release_is_run_from_its_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "code").mkdir()
    for name, text in RELEASE_FILES.items():
        (tmp_path / "code" / name).write_text(text)
    candidate = ReleaseCandidate("release-vot", tmp_path, "alexnet-vot")
    (result,) = speed.measure_all([Case(candidate, 160, 128, frames=2)])
    assert result.error is None
    assert (result.tracker, result.device) == ("release-vot", "cpu")
    assert result.median_ms is not None


def test_a_folder_that_is_no_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"lacks net\.py, run_SiamRPN\.py, utils\.py"):
        ReleaseCandidate("release-vot", tmp_path, "alexnet-vot")


def test_boxes_of_several_targets_lie_in_the_image_apart_from_each_other() -> None:
    boxes = Scene(640, 480).boxes(16)
    assert boxes[0] == Scene(640, 480).box(0)
    assert len(boxes) == 16
    assert all(box.visible_fraction(640, 480) == 1 for box in boxes)
    others = boxes[1:]
    assert all(a.iou(b) < 0.1 for a in others for b in others if a is not b)


def test_several_targets_cost_the_sum_of_their_trackers(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    scripted(monkeypatch, clock, init=0.5, track=0.01)
    result = measure(Case(KCF, 640, 480, frames=9, repeats=1, targets=3))
    assert result.error is None
    assert result.targets == 3
    assert result.median_ms == pytest.approx(30)
    assert result.init_ms == pytest.approx(1500)


def test_the_targets_command_writes_table_and_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = ["--tracker", "kcf", "--targets", "1", "--targets", "2", "--size", "320x240"]
    arguments += ["--frames", "2", "--repeats", "1", "--output", str(tmp_path)]
    result = CliRunner().invoke(main, ["benchmark", "targets", *arguments])
    assert result.exit_code == 0, result.output
    cases = json.loads((tmp_path / "targets.json").read_text())["cases"]
    assert [case["targets"] for case in cases] == [1, 2]
    assert cv2.imread(str(tmp_path / "targets.png")).std() > 5
    rows = speed_report.target_rows({"cases": cases})[1]
    assert rows[0][4] == "1.00"
