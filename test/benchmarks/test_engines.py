"""Engines side by side: every crop to all, agreement with the reference, turns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from test.evaluation.factories import drawn_sequence
from test.trackers.known_response import ExactMatcher
from visual_tracker.benchmarks import engines
from visual_tracker.benchmarks.engines import ComparingMatcher
from visual_tracker.cli import main
from visual_tracker.models.matchers import Response


class ShiftedMatcher(ExactMatcher):
    """The known network with every box half a side too far right, and surer by .1."""

    def respond(self, template: np.ndarray, image: np.ndarray) -> Response:
        response = super().respond(template, image)
        response.deltas[0] += 0.5
        return response._replace(scores=response.scores + np.float32(0.1))


def test_all_are_asked_and_compared_with_the_first() -> None:
    matcher = ComparingMatcher({"a": ExactMatcher(), "b": ExactMatcher(), "c": ShiftedMatcher()})
    image = np.random.default_rng(0).integers(0, 256, (257, 257, 3), dtype=np.uint8)
    template = matcher.learn(image[64:193, 64:193])
    answers = [matcher.respond(template, image) for _ in range(4)]
    expected = ExactMatcher().respond(template["a"], image)
    np.testing.assert_array_equal(answers[0].scores, expected.scores)
    a, b, c = (engines._result(label, record) for label, record in matcher.records.items())
    assert (a.best_iou, b.best_iou, b.same_best, b.score_error) == (1, 1, 1, 0)
    assert c.best_iou == pytest.approx(1 / 3, abs=1e-5)  # 64x64 boxes 32 pixels apart
    assert c.same_best == 0
    assert c.score_error == pytest.approx(0.1)
    assert all(len(record.seconds) == 4 for record in matcher.records.values())


def test_the_command_compares_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from visual_tracker.models.networks import create_network

    torch.manual_seed(0)
    torch.save(create_network("siamrpn", "lite").state_dict(), tmp_path / "w.pt")
    monkeypatch.setattr(
        "visual_tracker.cli.benchmark.engines.read_dataset",
        lambda path, only: [drawn_sequence(frames=12)],
    )
    arguments = ["--dataset", "d", "--weights", tmp_path / "w.pt", "--frames", 3]
    command = ["benchmark", "engines", *map(str, arguments), "--output", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "engines.json").read_text())["engines"]
    assert found[0]["label"] == "torch fp32"
    assert len(found) == len(engines.available_settings()) >= 2
    exact = [entry for entry in found if entry["label"].endswith("fp32")]
    assert all(entry["score_error"] < 1e-4 for entry in exact)
