"""Long-term measures: by hand, against a slow transcription, against vot-toolkit if it is there."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.evaluation import longterm_metrics
from visual_tracker.evaluation.longterm_metrics import (
    Outcome,
    confidence_thresholds,
    long_term_score,
    lost_found,
    outcome,
    precision_recall,
)

frame = st.tuples(
    st.floats(0, 1),
    st.integers(0, 10).map(lambda tenths: tenths / 10),
    st.booleans(),
    st.booleans(),
)
outcomes = st.lists(frame, min_size=1, max_size=150).map(
    lambda frames: Outcome(
        ious=np.array([iou if visible else 0.0 for iou, _, _, visible in frames]),
        scores=np.array([score for _, score, _, _ in frames]),
        lost=np.array([lost for _, _, lost, _ in frames]),
        visible=np.array([visible for _, _, _, visible in frames]),
    )
)


def made(text: str, iou: float = 0.8) -> Outcome:
    """An outcome of one letter a frame: t on target, d drifted, l lost; upper case: not visible."""
    return Outcome(
        ious=np.array([iou if letter == "t" else 0.0 for letter in text]),
        scores=np.array([0.0 if letter in "lL" else 1.0 for letter in text]),
        lost=np.array([letter in "lL" for letter in text]),
        visible=np.array([letter.islower() for letter in text]),
    )


# A slow transcription of the definitions, frame by frame in plain Python.


def slow_thresholds(scores: list[float], resolution: int) -> list[float]:
    scores = sorted(scores, reverse=True)
    inner = resolution - 2
    if len(scores) > inner:
        step = len(scores) // inner
        span = len(scores) - 2 * step
        places = [round(step + span * k / (inner - 1)) for k in range(inner)]
        scores = [scores[min(place, len(scores) - 1)] for place in places]
    return [math.inf, *scores, -math.inf]


def slow_precision_recall(result: Outcome, tau: float) -> tuple[float, float]:
    reported = visible = 0
    total = 0.0
    for iou, score, seen in zip(result.ious, result.scores, result.visible, strict=True):
        visible += bool(seen)
        if score >= tau:
            reported += 1
            total += iou
    return (total / reported if reported else 1.0), total / visible


def slow_f_score(results: list[Outcome]) -> float:
    results = [result for result in results if any(result.visible)]
    scores = [score for result in results for score in result.scores]
    best = 0.0
    for tau in slow_thresholds(scores, 100):
        pairs = [slow_precision_recall(result, tau) for result in results]
        precision = sum(pair[0] for pair in pairs) / len(pairs)
        recall = sum(pair[1] for pair in pairs) / len(pairs)
        if precision + recall > 0:
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def assert_like_the_transcription(results: list[Outcome]) -> None:
    score = long_term_score(results)
    if not any(result.visible.any() for result in results):
        assert score is None
        return
    assert score is not None
    assert score.f_score == pytest.approx(slow_f_score(results), abs=1e-6)
    for result in results:
        if result.visible.any():
            taus = np.array(slow_thresholds(result.scores.tolist(), 100))
            curves = np.transpose(longterm_metrics.precision_recall(result, taus))
            expected = [slow_precision_recall(result, tau) for tau in taus]
            np.testing.assert_allclose(curves, expected, rtol=0, atol=1e-6)


@given(st.lists(outcomes, min_size=1, max_size=4))
@settings(deadline=None)
def test_f_score_agrees_with_the_transcription(results: list[Outcome]) -> None:
    assert_like_the_transcription(results)


@given(st.lists(outcomes, min_size=1, max_size=3))
@settings(deadline=None)
def test_agrees_with_vot_toolkit(results: list[Outcome]) -> None:
    longterm = pytest.importorskip("vot.analysis.longterm")
    scores = np.concatenate([result.scores for result in results])
    thresholds = longterm.determine_thresholds(scores.tolist(), 100)
    np.testing.assert_array_equal(confidence_thresholds(scores), thresholds)
    for result in results:
        if result.visible.any():
            curves = vot_toolkit_curves(longterm, result, thresholds)
            ours = precision_recall(result, np.array(thresholds))
            np.testing.assert_allclose(ours, curves, rtol=0, atol=1e-6)


def vot_toolkit_curves(longterm: Any, result: Outcome, thresholds: list[float]) -> Any:
    """Pr and Re by vot-toolkit, which is given regions; the overlaps are those of the outcome."""
    regions = pytest.importorskip("vot.region")
    shapes = pytest.importorskip("vot.region.shapes")
    seen, gone = shapes.Rectangle(0, 0, 2, 2), regions.Special(0)
    truth = [seen if visible else gone for visible in result.visible]
    sequence = SimpleNamespace(groundtruth=lambda: truth, size=(10, 10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longterm, "calculate_overlaps", lambda *_, **__: result.ious.tolist())
        return longterm.compute_tpr_curves(truth, result.scores.tolist(), sequence, thresholds)


def test_precision_and_recall_by_hand() -> None:
    result = Outcome(
        ious=np.array([0.9, 0.6, 0.0, 0.3]),
        scores=np.array([0.9, 0.5, 0.7, 0.1]),
        lost=np.zeros(4, bool),
        visible=np.array([True, True, False, True]),
    )
    precision, recall = precision_recall(result, np.array([np.inf, 0.9, 0.7, 0.5, 0.1]))
    assert precision == pytest.approx([1.0, 0.9, 0.45, 0.5, 0.45])
    assert recall == pytest.approx([0.0, 0.3, 0.3, 0.5, 0.6])
    score = long_term_score([result])
    assert score is not None
    assert score.f_score == pytest.approx(2 * 0.45 * 0.6 / 1.05)
    assert score.threshold == pytest.approx(0.1)


def test_without_confidence_the_state_is_taken_at_its_word() -> None:
    truth = np.array([[0, 0, 10, 10]] * 4, float)
    truth[2] = np.nan
    visible = ~np.isnan(truth).any(axis=1)
    predicted = np.array([[0, 0, 10, 10]] * 4, float)
    lost = np.array([False, False, True, False])
    result = outcome(predicted, truth, visible, lost, [None, 0.4, None, None])
    assert result.scores.tolist() == [0.4, 0.0, 1.0]
    assert result.ious.tolist() == [1.0, 0.0, 1.0]  # without the first frame


def test_hidden_frames_count_as_absence_though_the_truth_keeps_a_box() -> None:
    boxes = np.array([[0, 0, 10, 10]] * 3, float)
    visible = np.array([True, False, True])
    result = outcome(boxes, boxes, visible, np.zeros(3, bool), [1.0, 1.0, 1.0])
    assert result.ious.tolist() == [0.0, 1.0]
    assert lost_found(result).absences == 1


def test_a_target_never_visible_gives_no_score() -> None:
    assert long_term_score([made("LLL")]) is None
    assert long_term_score([made("LLL"), made("ttt")]) == long_term_score([made("ttt")])


@pytest.mark.parametrize(
    ("text", "absences", "found", "wait"),
    [
        ("tttt", 0, 0, None),
        ("ttLLtt", 1, 1, 0.0),
        ("ttLLlldt", 1, 1, 3.0),
        ("ttLLlld", 1, 0, None),  # never found
        ("ttLL", 0, 0, None),  # never came back
        ("LLtt", 1, 1, 0.0),  # away from the second frame of the sequence on
        ("tLlLt", 2, 1, 0.0),  # the second absence came before it was found
        ("tLltLLlllt", 2, 2, 2.0),
    ],
)
def test_found_again(text: str, absences: int, found: int, wait: float | None) -> None:
    counts = lost_found(made(text))
    assert (counts.absences, counts.found_again) == (absences, found)
    assert counts.frames_to_recovery == wait


def test_lost_on_a_box_that_lies_on_the_target_is_not_found() -> None:
    result = made("tLlt")
    result.ious[2] = 0.8
    assert lost_found(result).frames_to_recovery == 1.0


def test_a_poor_box_is_not_found() -> None:
    assert lost_found(made("tLt", iou=0.5)).found_again == 0
    assert lost_found(made("tLt", iou=0.51)).found_again == 1


def test_found_soon_is_within_ten_frames() -> None:
    assert lost_found(made("tL" + "l" * 10 + "t")).found_soon == 1
    late = lost_found(made("tL" + "l" * 11 + "t"))
    assert (late.found_again, late.found_soon) == (1, 0)


def test_resumptions_and_the_wrong_ones_among_them() -> None:
    # found on the target, lost beside it, taken up again elsewhere, and once while it was absent
    counts = lost_found(made("tLtlldLDL"))
    assert (counts.resumptions, counts.wrong_resumptions) == (3, 2)
    assert lost_found(made("ttt")).resumptions == 0


def test_shares() -> None:
    counts = lost_found(made("ttldLLD"))
    assert counts.lost_while_absent == pytest.approx(2 / 3)
    assert counts.false_lost == pytest.approx(1 / 4)
    assert counts.false_tracking == pytest.approx(1 / 4)
    assert lost_found(made("tt")).lost_while_absent is None


def falling_scores() -> list[Outcome]:
    steps = np.linspace(0, 1, 40)
    visible = np.arange(40) % 5 > 0
    seen = Outcome(np.where(visible, 1 - steps, 0), 1 - steps, steps > 0.7, visible)
    return [seen, made("tttddLLtt")]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("precision_recall", lambda r, taus: precision_recall(r, taus + 0.1)),
        ("precision_recall", lambda r, taus: precision_recall(r, taus)[::-1]),
        (
            "precision_recall",
            # recall over all frames instead of the visible ones
            lambda r, taus: (
                precision_recall(r, taus)[0],
                precision_recall(r, taus)[1] * r.visible.mean(),
            ),
        ),
        ("confidence_thresholds", lambda scores: np.array([np.inf, 0.5, -np.inf])),
    ],
)
def test_a_broken_metric_fails(monkeypatch: pytest.MonkeyPatch, name: str, broken: object) -> None:
    assert_like_the_transcription(falling_scores())
    monkeypatch.setattr(longterm_metrics, name, broken)
    with pytest.raises(AssertionError):
        assert_like_the_transcription(falling_scores())


def test_many_scores_are_cut_into_bins_of_equal_size() -> None:
    scores = np.random.default_rng(0).permutation(1000) / 1000
    thresholds = confidence_thresholds(scores)
    assert thresholds.tolist() == slow_thresholds(scores.tolist(), 100)
    assert len(thresholds) == 100
    # the margin of a bin at both ends, and 10 or 11 scores in each bin between
    assert (thresholds[1], thresholds[-2]) == (0.989, 0.009)
    assert set(np.round(-1000 * np.diff(thresholds[1:-1])).astype(int)) == {10, 11}
    few = confidence_thresholds(scores[:98])
    assert few[1:-1].tolist() == sorted(scores[:98].tolist(), reverse=True)


def test_the_f_score_of_many_confidences_agrees_with_the_transcription() -> None:
    rng = np.random.default_rng(1)
    results = []
    for frames in (150, 260):
        visible = rng.uniform(size=frames) > 0.2
        ious = np.where(visible, rng.uniform(size=frames), 0.0)
        scores = 0.5 * ious + 0.5 * rng.uniform(size=frames)
        results.append(Outcome(ious, scores, scores < 0.2, visible))
    assert_like_the_transcription(results)


def test_an_outcome_tells_how_well_the_boxes_fit() -> None:
    truth = np.array([[0, 0, 10, 10]] * 4, float)
    predicted = truth + np.array([[shift, 0, 0, 0] for shift in (0, 5, 2, 30)])
    result = outcome(predicted, truth, np.ones(4, bool), np.zeros(4, bool), [None] * 4)
    assert result.ious.tolist() == pytest.approx([5 / 15, 8 / 12, 0.0])


def test_precision_is_over_what_is_reported_and_recall_over_what_is_visible() -> None:
    score = long_term_score([made("tttldLL", iou=0.9)])
    assert score is not None
    # three hits and a miss reported, five frames in which it can be seen
    assert (score.precision, score.recall) == pytest.approx((2.7 / 4, 2.7 / 5))
    assert score.threshold == 1.0


def test_shares_are_of_the_frames_with_and_without_the_target() -> None:
    counts = lost_found(made("tlldtLLLD"))
    assert counts.lost_while_absent == pytest.approx(3 / 4)
    assert counts.false_lost == pytest.approx(2 / 5)
    assert counts.false_tracking == pytest.approx(1 / 5)
