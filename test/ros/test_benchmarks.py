"""The node's benchmarks, small: that they measure what they say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from click.testing import CliRunner

from test.marks import needs_nano
from visual_tracker.cli import main
from visual_tracker.ros.benchmarks import stages
from visual_tracker.ros.benchmarks.soak import SETTLING_SECONDS, Sample, summarize
from visual_tracker.ros.frame_times import Arrival, FrameTimes

#: of an image, in nanoseconds
STAMP = 1_700_000_000 * 10**9


@pytest.fixture(autouse=True)
def _ros_is_free() -> Iterator[None]:
    """The benchmarks are commands: they start and stop ROS themselves."""
    rclpy.try_shutdown()
    yield
    rclpy.init(args=[])


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["benchmark", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_node_benchmark(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- benchmark-node:begin -->\n<!-- benchmark-node:end -->\nb\n")
    stream = ["--size", "320x240", "--rate", "30", "--transport", "compressed"]
    load = ["--targets", "2", "--threads", "2"]
    measure = ["--tracker", "kcf", "--seconds", "1", "--repeats", "1", "--no-plot"]
    run("node", *stream, *load, *measure, "--output", str(tmp_path), "--readme", str(readme))
    content = json.loads((tmp_path / "node.json").read_text())
    (case,) = content["cases"]
    assert case["error"] is None
    assert (case["image"], case["transport"]) == ("320x240", "compressed")
    assert (case["targets"], case["threads"]) == (2, 2)
    # how many images come through depends on what else the machine has to do
    assert 0 < case["delivered"] <= 1.0
    assert 0 <= case["replaced"] < 1
    assert 0 <= case["skipped"] < 1
    assert 0 < case["latency_ms"] <= case["latency_p99_ms"]
    assert case["node_ms"] == pytest.approx(case["latency_ms"] - case["tracker_ms"])
    assert case["cpu_percent"] > 0
    assert case["memory_mb"] > 50
    assert set(case["stages"]) == {*stages.STAGES, *stages.SUMS}
    assert all(0 < median <= p99 for median, p99 in case["stages"].values())
    assert case["stages"]["node"][0] < case["latency_ms"]
    # one row of each table
    assert readme.read_text().count("| kcf | 320x240 | 30 | compressed | 2 | 2 |") == 2


def test_stages_of_an_image_add_up_to_its_latency() -> None:
    times = FrameTimes(
        sent=STAMP + 1_000_000,
        arrived=STAMP + 3_000_000,
        taken=STAMP + 3_500_000,
        tracking_began=STAMP + 3_750_000,
        tracking_ended=STAMP + 8_000_000,
        published=STAMP + 8_200_000,
    )
    receipt = Arrival(STAMP + 8_125_000, STAMP + 8_500_000, STAMP + 9_000_000)
    found = stages.stages_ms(STAMP, times, receipt)
    expected = [1.0, 2.0, 0.5, 0.25, 4.25, 0.125, 0.375, 0.5]
    assert [found[name] for name in stages.STAGES] == pytest.approx(expected)
    assert found[stages.NODE] == pytest.approx(0.5 + 0.25 + 0.125)
    parts = (stages.NODE, stages.ELSEWHERE, stages.TRACK)
    assert sum(found[name] for name in parts) == pytest.approx(9.0)
    assert found[stages.BESIDE_TRACKING] == pytest.approx(8.125 - 4.25)


def test_only_images_with_both_ends_have_stages() -> None:
    log = stages.StageLog()
    times = FrameTimes(1, 2, 3, 4, 5, 6)
    log.add_times(0, times)
    log.add_receipt(10, Arrival(1, 2, 3))
    assert log.stages_ms() == []
    assert stages.summarize(log.stages_ms()) == {}
    log.add_receipt(0, Arrival(7, 8, 9))
    assert log.stages_ms() == [stages.stages_ms(0, times, Arrival(7, 8, 9))]
    log.clear()
    assert log.stages_ms() == []


@needs_nano
def test_node_benchmark_reports_a_case_that_fails(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["benchmark", "node", "--tracker", "nano", "--output", str(tmp_path)]
    )
    assert result.exit_code == 2
    assert "backbone" in result.output


def test_soak_benchmark(tmp_path: Path) -> None:
    run(
        *("soak", "--tracker", "kcf", "--minutes", "0.08", "--size", "320x240", "--no-plot"),
        *("--output", str(tmp_path)),
    )
    content = json.loads((tmp_path / "soak.json").read_text())
    samples = content["samples"]
    assert len(samples) >= 2
    assert sum(content["requests"][kind] for kind in ("init", "remove", "clear")) == len(samples)
    assert all(sample["memory_mb"] > 50 and sample["open_files"] > 5 for sample in samples)
    assert samples[-1]["received"] > samples[0]["received"]


def test_soak_summary_gives_slopes_after_settling() -> None:
    def sample(second: int) -> Sample:
        # 7200 MB an hour until settled, 3600 afterwards; latency rises 36 ms an hour
        memory = 100 + 2 * min(second, 100) + 1.0 * max(0, second - 100)
        return Sample(second, memory, 20 + (second > 390), second / 100, second, second // 4, 1)

    summary = summarize([sample(second) for second in range(400)])
    assert summary["memory_mb_per_hour"] == pytest.approx(3600)
    assert summary["latency_ms_per_hour"] == pytest.approx(36)
    assert summary["open_files_growth"] == 1
    assert summary["skipped_share"] == pytest.approx(99 / 399)
    assert summary["memory_mb_most"] == sample(399).memory_mb


def test_soak_too_short_to_settle_has_no_slope() -> None:
    samples = [Sample(s, 100, 20, 1.0, s, 0, 1) for s in range(int(SETTLING_SECONDS) - 1)]
    assert math.isnan(summarize(samples)["memory_mb_per_hour"])
