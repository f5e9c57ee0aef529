"""One-pass measures: by hand, against the got10k package, and broken on purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visual_tracker.boxes import Box, center_offsets, clip_boxes, overlaps
from visual_tracker.evaluation import metrics
from visual_tracker.evaluation.metrics import (
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    average_overlap,
    one_pass_curves,
    precision_curve,
    success_curve,
)

# Whole numbers, so that values fall exactly on thresholds.
box_rows = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2)
box_pairs = st.lists(st.tuples(box_rows, box_rows), min_size=2, max_size=30)


def arrays(pairs: list) -> tuple[np.ndarray, np.ndarray]:
    predicted, truth = zip(*pairs, strict=True)
    return np.array(predicted, float), np.array(truth, float)


def shifted(truth: np.ndarray, *pixels: float) -> np.ndarray:
    return truth + np.array([[shift, 0, 0, 0] for shift in pixels])


@given(box_rows, box_rows)
def test_overlaps_of_arrays_are_those_of_boxes(first: tuple, second: tuple) -> None:
    expected = Box(*first).iou(Box(*second))
    assert overlaps(np.array([first]), np.array([second]))[0] == pytest.approx(expected, abs=1e-12)


def test_overlaps_of_what_is_no_box() -> None:
    nothing, empty, box = [np.nan] * 4, [1, 1, 0, 0], [1, 1, 2, 2]
    values = overlaps(np.array([nothing, empty, empty]), np.array([box, box, empty]))
    assert np.isnan(values[0])
    assert values[1:].tolist() == [0, 0]


def test_center_offsets_are_of_centers() -> None:
    assert center_offsets(np.array([0, 0, 4, 4]), np.array([1, 1, 10, 8])).tolist() == [-4, -3]


def test_clipped_boxes_stay_inside() -> None:
    boxes = np.array([[-2, 1, 5, 20], [30, 30, 2, 2]], float)
    assert clip_boxes(boxes, 10, 10).tolist() == [[0, 1, 3, 9], [10, 10, 0, 0]]


def test_success_by_hand() -> None:
    curve = success_curve(np.array([0.0, 0.5, 1.0, 0.52]))
    assert curve[0] == 0.75  # IoU 0 is no success at threshold 0
    assert curve[10] == 0.5  # IoU .5 is none at .5
    assert curve[11] == 0.25
    assert curve[20] == 0.0  # not even IoU 1 at 1


def test_precision_by_hand() -> None:
    curve = precision_curve(np.array([0.0, 20.0, 20.5, 60.0]))
    assert curve[0] == 0.25
    assert curve[19] == 0.25
    assert curve[20] == 0.5  # exactly 20 pixels count
    assert curve[50] == 0.75


def test_one_pass_by_hand() -> None:
    truth = np.array([[0, 0, 10, 10]] * 4, float)
    predicted = shifted(truth, 99, 0, 5, 21)
    curves = one_pass_curves(predicted, truth)
    assert curves is not None
    # IoU: the first frame is set to 1, then 1, 50 / 150, 0
    expected = [(3 if t < 1 / 3 else 2 if t < 1 else 0) / 4 for t in SUCCESS_THRESHOLDS]
    assert curves.success.tolist() == expected
    assert curves.success_auc == pytest.approx((7 * 3 + 13 * 2) / 4 / 21)
    assert curves.precision_20 == 0.75
    # errors in widths: 0, 0, .5, 2.1; only the last threshold of 51 is .5
    assert curves.norm_precision.tolist() == [0.5] * 50 + [0.75]


def test_norm_precision_measures_each_axis_by_its_own_side() -> None:
    truth = np.array([[0, 0, 10, 40]] * 2, float)
    curves = one_pass_curves(truth + np.array([[0] * 4, [3, 16, 0, 0]]), truth)
    assert curves is not None
    # the second frame is off by .3 widths and .4 heights: .5
    assert curves.norm_precision[49] == 0.5
    assert curves.norm_precision[50] == 1.0


def test_average_overlap_by_hand() -> None:
    truth = np.array([[0, 0, 10, 10]] * 5, float)
    result = average_overlap(shifted(truth, 99, 0, 1, 5, 50), truth)
    assert result is not None
    assert result.ao == pytest.approx((1 + 9 / 11 + 1 / 3 + 0) / 4)  # without the first frame
    assert (result.sr_50, result.sr_75) == (0.5, 0.5)


def test_frames_without_truth_do_not_count() -> None:
    truth = np.array([[0, 0, 10, 10]] * 4, float)
    predicted = shifted(truth, 0, 0, 30, 0)
    truth[2] = np.nan
    curves, overlap = one_pass_curves(predicted, truth), average_overlap(predicted, truth)
    assert curves is not None
    assert overlap is not None
    assert curves.precision_20 == 1.0
    assert overlap.ao == 1.0


def test_nothing_known_gives_none() -> None:
    truth = np.full((3, 4), np.nan)
    assert one_pass_curves(truth, truth) is None
    assert average_overlap(truth, truth) is None


# The got10k package as the independent implementation. Its IoU divides by union + 2e-16, which
# cannot be seen at 1e-6.

Success = Callable[[np.ndarray], np.ndarray]
Precision = Callable[[np.ndarray], np.ndarray]


def got10k_curves(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    otb = pytest.importorskip("got10k.experiments.otb")
    experiment = otb.ExperimentOTB.__new__(otb.ExperimentOTB)  # its __init__ downloads OTB
    experiment.nbins_iou, experiment.nbins_ce = 21, 51
    predicted = predicted.copy()
    predicted[0] = truth[0]
    return experiment._calc_curves(*experiment._calc_metrics(predicted, truth))


def assert_like_got10k(predicted: np.ndarray, truth: np.ndarray) -> None:
    success, precision = got10k_curves(predicted, truth)
    curves = one_pass_curves(predicted, truth)
    assert curves is not None
    np.testing.assert_allclose(curves.success, success, rtol=0, atol=1e-6)
    np.testing.assert_allclose(curves.precision, precision, rtol=0, atol=1e-6)
    assert curves.success_auc == pytest.approx(success.mean(), abs=1e-6)
    assert curves.precision_20 == pytest.approx(precision[20], abs=1e-6)


@given(box_pairs)
@settings(deadline=None)
def test_curves_agree_with_got10k(pairs: list) -> None:
    assert_like_got10k(*arrays(pairs))


@given(box_pairs)
@settings(deadline=None)
def test_average_overlap_agrees_with_got10k(pairs: list) -> None:
    got = pytest.importorskip("got10k.experiments.got10k").ExperimentGOT10k
    rect_iou = pytest.importorskip("got10k.utils.metrics").rect_iou
    predicted, truth = arrays(pairs)
    # without its bound: clipping moves a box's left edge there and keeps its width
    ao, sr_50, _, curve = got._evaluate(None, rect_iou(predicted[1:], truth[1:]), np.zeros(0))
    ours = average_overlap(predicted, truth)
    assert ours is not None
    assert (ours.ao, ours.sr_50) == pytest.approx((ao, sr_50), abs=1e-6)
    assert ours.sr_75 == pytest.approx(curve[75], abs=1e-6)


def tied_boxes() -> tuple[np.ndarray, np.ndarray]:
    """Boxes whose measures fall on thresholds: IoU 0, .5 and 1, centre errors 0 and 20."""
    truth = np.array([[50, 50, 30, 20]] * 6, float)
    predicted = shifted(truth, 25, 0, 10, 20, 30, 200)
    return predicted, truth


def test_tied_boxes_agree_with_got10k() -> None:
    assert_like_got10k(*tied_boxes())


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("success_curve", lambda ious: (ious[:, None] >= SUCCESS_THRESHOLDS).mean(axis=0)),
        ("success_curve", lambda ious: (ious[:, None] > np.linspace(0, 0.95, 21)).mean(axis=0)),
        ("success_curve", lambda ious: (ious[1:, None] > SUCCESS_THRESHOLDS).mean(axis=0)),
        ("with_first_frame_set", lambda predicted, truth: predicted),
        (
            "precision_curve",
            lambda errors, limits=PRECISION_THRESHOLDS: (errors[:, None] < limits).mean(axis=0),
        ),
        ("center_offsets", lambda a, b: a[:, :2] - b[:, :2] + 0.5),
        ("overlaps", lambda a, b: overlaps(a, b + np.array([0, 0, 1, 1]))),
        ("PRECISION_PIXELS", 19),
    ],
)
def test_a_broken_metric_fails(monkeypatch: pytest.MonkeyPatch, name: str, broken: object) -> None:
    monkeypatch.setattr(metrics, name, broken)
    with pytest.raises(AssertionError):
        assert_like_got10k(*tied_boxes())


def test_an_overlap_of_just_the_threshold_is_no_success() -> None:
    truth = np.array([[0, 0, 12, 12]] * 5, float)
    predicted = truth.copy()
    predicted[1:, 2] = 6, 9, 7, 10  # IoU .5, .75, .58, .83
    result = average_overlap(predicted, truth)
    assert result is not None
    assert (result.sr_50, result.sr_75) == (0.75, 0.25)


def test_what_is_no_box_is_told_from_a_box() -> None:
    boxes = [[1, 2, 3, 4], [-5, 0, 3, 4], [1, 2, 0, 4], [1, 2, 3, -4], [np.nan, 2, 3, 4]]
    boxes += [[1, 2, np.inf, 4], [np.nan] * 4]
    assert metrics.has_box(np.array(boxes, float)).tolist() == [True] * 2 + [False] * 5


def test_sequences_count_alike_in_mean_curves_and_by_their_frames_in_the_mean_overlap() -> None:
    truth = np.array([[0, 0, 10, 20]] * 9, float)
    runs = [(truth, truth), (shifted(truth[:3], 0, 3, 12), truth[:3])]
    curves = [one_pass_curves(*run) for run in runs]
    mean = metrics.mean_curves(curves)
    for name in ("success", "precision", "norm_precision"):
        first, second = (getattr(each, name) for each in curves)
        np.testing.assert_allclose(getattr(mean, name), (first + second) / 2)
    assert metrics.mean_curves([]) is None
    together = metrics.mean_overlap([average_overlap(*run) for run in runs])
    # eight frames of IoU 1, one of 7 / 13 and one of 0
    assert together.ao == pytest.approx((8 + 7 / 13) / 10)
    assert (together.sr_50, together.sr_75, together.frames) == pytest.approx((0.9, 0.8, 10))
