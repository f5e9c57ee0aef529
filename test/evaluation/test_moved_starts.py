"""Runs from first boxes that are off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from test.evaluation.factories import ScriptedTracker, drawn_sequence, write_otb
from visual_tracker.boxes import Box
from visual_tracker.evaluation.candidates import Candidate
from visual_tracker.evaluation.evaluate import Settings, evaluate
from visual_tracker.evaluation.moved_starts import move_starts, moved
from visual_tracker.evaluation.passes import single_pass, supervised_pass
from visual_tracker.evaluation.perturbations import perturb
from visual_tracker.parameters import ParameterError


def test_shift_and_growth_have_the_deviation_asked_for() -> None:
    box, random = Box(10, 20, 40, 10), np.random.default_rng(0)
    boxes = [moved(box, 0.1, random) for _ in range(4000)]
    centers = np.array([one.center for one in boxes]) - box.center
    sizes = np.array([[one.width / 40, one.height / 10] for one in boxes])
    deviations = [*(centers / [40, 10]).std(axis=0), *np.log(sizes).std(axis=0)]
    assert deviations == pytest.approx([0.1] * 4, rel=0.05)
    assert [*centers.mean(axis=0), *np.log(sizes).mean(axis=0)] == pytest.approx([0] * 4, abs=0.2)


def test_a_sequence_starts_alike_by_itself_and_among_others_and_otherwise_with_another_seed() -> (
    None
):
    one, other = drawn_sequence(name="one"), drawn_sequence(name="other")
    together = move_starts([other, one], 0.04, seed=3)
    (alone,) = move_starts([one], 0.04, seed=3)
    assert alone.start == together[1].start
    assert alone.start != together[0].start
    assert alone.start != move_starts([one], 0.04, seed=4)[0].start
    assert np.array_equal(alone.truth, one.truth)
    assert one.start is None


def test_trackers_start_on_it_and_after_a_failure_on_the_truth() -> None:
    start = Box(11.5, 21.0, 15.0, 17.0)
    sequence = replace(drawn_sequence(30), start=start)
    tracker = ScriptedTracker()
    run = single_pass(tracker, sequence)
    assert [box for _, box in tracker.started_on] == [start]
    assert run.boxes[0].tolist() == list(start.xywh)
    failing = ScriptedTracker(lambda number, last: replace(last, box=Box(70, 50, 5, 5)))
    supervised_pass(failing, sequence)
    starts = [box for _, box in failing.started_on]
    assert starts[0] == start
    assert len(starts) > 1
    assert start not in starts[1:]


def test_it_is_scaled_with_the_images() -> None:
    sequence = replace(drawn_sequence(), start=Box(12, 22, 16, 8))
    small = perturb(sequence, "resolution", 0.5, seed=0)
    assert small.start is not None
    assert small.start.xywh == pytest.approx([6, 11, 8, 4])
    assert perturb(drawn_sequence(), "resolution", 0.5, seed=0).start is None


def test_runs_from_other_starts_are_other_runs(tmp_path: Path) -> None:
    dataset = tmp_path / "data"
    write_otb(dataset)
    candidate = Candidate("kcf", "kcf", {})

    def boxes(**changes: object) -> str:
        settings = Settings((candidate,), dataset, output=tmp_path / "out", report=False, **changes)
        content = evaluate(settings)
        assert content["settings"]["start_noise"] == (changes.get("start_noise") or None)
        assert content["settings"]["seed"] == changes.get("seed")
        (file,) = (tmp_path / "out" / "boxes" / "kcf").iterdir()
        return file.read_text()

    runs = [boxes(), boxes(start_noise=0.04, seed=1), boxes(start_noise=0.04, seed=2)]
    assert len(set(runs)) == 3
    assert boxes(start_noise=0.04, seed=1) == runs[1]


@pytest.mark.parametrize("noise", [-0.1, 0.5, float("nan")])
def test_a_start_that_is_too_far_off_is_refused(noise: float, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--start-noise is"):
        Settings((Candidate("kcf", "kcf", {}),), tmp_path, start_noise=noise)
