"""VOT short-term measures: by hand, against a slow transcription, against vot-toolkit if there."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.evaluation import vot_metrics
from visual_tracker.evaluation.vot_metrics import (
    Phase,
    SupervisedOutcome,
    accuracy,
    eao,
    eao_curve,
    failures,
    robustness,
    stretches,
    typical_lengths,
)

CODES = {"S": Phase.START, "x": Phase.FAILURE, "-": Phase.SKIPPED}


def made(text: str) -> SupervisedOutcome:
    """A run of one sign a frame: S start, x failure, - skipped, a digit the IoU in tenths."""
    phases = np.array([float(CODES.get(sign, Phase.TRACKED)) for sign in text])
    ious = np.array([int(sign) / 10 if sign.isdigit() else 0.0 for sign in text])
    return SupervisedOutcome(phases, ious)


@st.composite
def runs(draw: st.DrawFn) -> SupervisedOutcome:
    text = ""
    for _ in range(draw(st.integers(0, 3))):
        text += "S" + draw(st.text("123456789", max_size=25)) + "x" + "----"
    return made(text + "S" + draw(st.text("123456789", min_size=1, max_size=40)))


# A slow transcription of the definitions.


def slow_accuracy(run: SupervisedOutcome, burn_in: int = 10) -> float | None:
    counted = []
    since_start = math.inf
    for phase, iou in zip(run.phases, run.ious, strict=True):
        since_start = 0 if phase == Phase.START else since_start + 1
        if phase == Phase.TRACKED and since_start >= burn_in:
            counted.append(iou)
    return sum(counted) / len(counted) if counted else None


def slow_stretches(run: SupervisedOutcome) -> list[tuple[list[float], bool]]:
    found: list[tuple[list[float], bool]] = []
    current: list[float] | None = None
    for phase, iou in zip(run.phases, run.ious, strict=True):
        if phase == Phase.START:
            current = [0.0]
        elif phase == Phase.FAILURE and current is not None:
            found.append((current, True))
            current = None
        elif current is not None:
            current.append(iou)
    return found + ([(current, False)] if current else [])


def slow_eao_curve(all_runs: list[SupervisedOutcome]) -> list[float]:
    parts = [part for run in all_runs for part in slow_stretches(run)]
    longest = max(len(ious) for ious, _ in parts)
    curve = []
    for length in range(longest):
        values = []
        for ious, failed in parts:
            if not failed and length >= len(ious):
                continue  # how it would have gone on is not known
            tail = [ious[k] if k < len(ious) else 0.0 for k in range(1, length + 1)]
            values.append(sum(tail) / length if length else 0.0)
        curve.append(sum(values) / len(values))
    return curve


def assert_like_the_transcription(all_runs: list[SupervisedOutcome]) -> None:
    for run in all_runs:
        expected = slow_accuracy(run)
        ours = vot_metrics.accuracy(run)
        assert (ours is None) == (expected is None)
        if ours is not None:
            assert ours == pytest.approx(expected, abs=1e-6)
    cut = [stretch for run in all_runs for stretch in vot_metrics.stretches(run)]
    curve = vot_metrics.eao_curve(cut)
    np.testing.assert_allclose(curve, slow_eao_curve(all_runs), rtol=0, atol=1e-6)


@given(st.lists(runs(), min_size=1, max_size=4))
@settings(deadline=None)
def test_agrees_with_the_transcription(all_runs: list[SupervisedOutcome]) -> None:
    assert_like_the_transcription(all_runs)


@given(st.lists(runs(), min_size=1, max_size=4))
@settings(deadline=None)
def test_agrees_with_vot_toolkit(all_runs: list[SupervisedOutcome]) -> None:
    supervised = pytest.importorskip("vot.analysis.supervised")
    regions = pytest.importorskip("vot.region")
    box = pytest.importorskip("vot.region.shapes").Rectangle(0, 0, 2, 2)
    cut = [stretch for run in all_runs for stretch in stretches(run)]
    curve = supervised.compute_eao_curve(
        [stretch.ious for stretch in cut], [1] * len(cut), [not stretch.failed for stretch in cut]
    )
    # the toolkit computes in 32-bit floats: 6e-8 of a value near 1, a few times that in sums
    np.testing.assert_allclose(eao_curve(cut), curve, rtol=0, atol=2e-6)
    for run in all_runs:
        trajectory = [
            box if phase == Phase.TRACKED else regions.Special(int(phase)) for phase in run.phases
        ]
        sequence = SimpleNamespace(groundtruth=lambda: None, size=(10, 10))
        overlaps = run.ious.tolist()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(supervised, "calculate_overlaps", lambda *_, found=overlaps: found)
            expected, count = supervised.compute_accuracy(trajectory, sequence)
        assert (accuracy(run) or 0.0) == pytest.approx(expected, abs=1e-6)
        assert (accuracy(run) is None) == (count == 0)
        assert failures(run) == supervised.count_failures(trajectory)[0]


def test_accuracy_leaves_out_the_burn_in() -> None:
    assert accuracy(made("S" + "9" * 9 + "42")) == pytest.approx(0.3)
    assert accuracy(made("S" + "9" * 9)) is None
    # a failure cuts the burn-in short, the next start begins another
    assert accuracy(made("S" + "9" * 9 + "8" + "x----S" + "1" * 9 + "6")) == pytest.approx(0.7)


def test_failures_and_robustness() -> None:
    run = made("S5x----S5x----S5")
    assert failures(run) == 2
    assert robustness(2, 60) == pytest.approx(math.exp(-1))
    assert robustness(0, 60) == 1.0


def test_stretches_of_a_run() -> None:
    cut = stretches(made("S57x----S4"))
    assert [stretch.ious.tolist() for stretch in cut] == [[0.0, 0.5, 0.7], [0.0, 0.4]]
    assert [stretch.failed for stretch in cut] == [True, False]


def test_eao_by_hand() -> None:
    # one stretch fails after .6 .6, one lasts: .8 .8 .8 .8
    cut = stretches(made("S66x")) + stretches(made("S8888"))
    curve = eao_curve(cut)
    assert curve == pytest.approx([0, 0.7, 0.7, (0.4 + 0.8) / 2, (0.3 + 0.8) / 2])
    assert eao(curve, 1, 2) == pytest.approx(0.7)
    assert eao(curve, 3, 99) == pytest.approx((0.6 + 0.55) / 2)
    assert eao(curve, 5, 9) is None


def test_what_lasts_is_not_held_against_a_tracker_after_its_end() -> None:
    short, long = made("S8"), made("S4444")
    assert eao_curve(stretches(short) + stretches(long))[4] == pytest.approx(0.4)


def test_typical_lengths() -> None:
    low, high = typical_lengths([100] * 20 + [1000])
    assert low < 100 < high < 1000
    assert typical_lengths([50])[0] <= 50 <= typical_lengths([50])[1]
    wide = typical_lengths([100, 200, 300, 400], share=0.9)
    narrow = typical_lengths([100, 200, 300, 400], share=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("accuracy", lambda run: accuracy(run, burn_in=9)),
        ("accuracy", lambda run: float(run.ious.mean())),
        ("stretches", lambda run: stretches(run)[:1]),
        (
            "stretches",
            lambda run: [vot_metrics.Stretch(part.ious, False) for part in stretches(run)],
        ),
        ("eao_curve", lambda cut: eao_curve(cut)[::-1]),
    ],
)
def test_a_broken_metric_fails(monkeypatch: pytest.MonkeyPatch, name: str, broken: object) -> None:
    all_runs = [made("S" + "987654321" * 2 + "x----S" + "4" * 30), made("S" + "8" * 25)]
    assert_like_the_transcription(all_runs)
    monkeypatch.setattr(vot_metrics, name, broken)
    with pytest.raises(AssertionError):
        assert_like_the_transcription(all_runs)


def test_typical_lengths_by_hand() -> None:
    # one length: a Gaussian of width 1 around it, which has .399, .242 and .054 at 0, 1 and 2
    assert typical_lengths([50]) == (49, 50)
    assert typical_lengths([50], share=0.8) == (49, 51)
    assert typical_lengths([50], share=0.9) == (48, 51)
    # nothing is shorter than one frame: .571, .346 and .077 at 1, 2 and 3
    assert typical_lengths([1], share=0.95) == (1, 3)


def test_typical_lengths_are_the_narrowest_that_hold_their_share() -> None:
    stats = pytest.importorskip("scipy.stats")
    lengths, share = [80, 95, 100, 105, 130], 0.5
    width = 1.06 * np.std(lengths) * len(lengths) ** (-1 / 5)
    density = np.mean([stats.norm(length, width).pdf(np.arange(400)) for length in lengths], axis=0)
    low, high = typical_lengths(lengths, share)
    assert density[low : high + 1].sum() >= share
    for begin in range(300):
        assert density[begin : begin + high - low].sum() < share
