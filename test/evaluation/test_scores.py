"""From runs to figures: what is averaged over what."""

from __future__ import annotations

import numpy as np
import pytest

from test.evaluation.factories import ScriptedTracker, drawn_sequence, tracked
from visual_tracker.evaluation.passes import Run, single_pass, supervised_pass
from visual_tracker.evaluation.scores import mean_scores, score_run
from visual_tracker.evaluation.sequences import Sequence
from visual_tracker.evaluation.vot_metrics import robustness
from visual_tracker.trackers import Track, TrackState

LONG_TERM_KEYS = ("lt_precision", "lt_recall", "lt_f_score")


def on_target(sequence: Sequence, off: tuple[int, ...] = (), lost: tuple[int, ...] = ()) -> Run:
    """A run that follows the truth, off target in some frames and lost in others."""

    def script(number: int, last: Track) -> Track:
        track = tracked(10 + number + 40 * (number in off))
        return Track(track.box, None, TrackState.LOST) if number in lost else track

    return single_pass(ScriptedTracker(script), sequence)


def with_seconds(run: Run, *seconds: float) -> Run:
    run.seconds[1:] = seconds
    return run


def test_speed_of_the_mean_is_over_all_frames() -> None:
    one, two = drawn_sequence(3), drawn_sequence(5)
    parts = {
        "one": score_run(with_seconds(on_target(one), 0.010, 0.010), one),
        "two": score_run(with_seconds(on_target(two), 0.010, 0.010, 0.010, 0.070), two),
    }
    assert parts["two"].scores["ms_per_frame"] == pytest.approx(25)
    mean = mean_scores(parts)
    assert mean["ms_per_frame"] == pytest.approx(20)
    assert mean["ms_p99"] == pytest.approx(np.percentile([10, 10, 10, 10, 10, 70], 99))
    assert mean["frames"] == 8


def test_skipped_frames_do_not_count_for_speed() -> None:
    sequence = drawn_sequence(4)
    run = with_seconds(on_target(sequence), 0.010, np.nan, 0.030)
    assert score_run(run, sequence).scores["ms_per_frame"] == pytest.approx(20)


def test_recovery_is_averaged_over_recoveries() -> None:
    many = drawn_sequence(30, hidden=(5, 6, 12, 13, 20, 21))
    few = drawn_sequence(12, hidden=(4, 5))
    parts = {
        # found at once three times, and after four frames once
        "many": score_run(on_target(many, lost=(5, 6, 12, 13, 20, 21)), many),
        "few": score_run(on_target(few, lost=(4, 5, 6, 7, 8, 9)), few),
    }
    mean = mean_scores(parts)
    assert (mean["absences"], mean["found_again"]) == (4, 4)
    assert mean["frames_to_recovery"] == pytest.approx(1.0)
    assert mean["lost_while_absent"] == pytest.approx(1.0)
    assert mean["false_lost"] == pytest.approx((0 + 4 / 9) / 2)


def test_an_average_leaves_out_what_a_sequence_does_not_have() -> None:
    without, away = drawn_sequence(6), drawn_sequence(6, hidden=(3,))
    parts = {
        "without": score_run(on_target(without), without),
        "away": score_run(on_target(away), away),
    }
    assert parts["without"].scores["lost_while_absent"] is None
    assert mean_scores(parts)["lost_while_absent"] == 0.0
    assert mean_scores(parts)["frames_to_recovery"] == 0.0


def test_a_sequence_without_further_truth_has_speed_alone() -> None:
    sequence = drawn_sequence(5, hidden=(1, 2, 3, 4))
    part = score_run(on_target(sequence), sequence)
    known = {key for key, value in part.scores.items() if value is not None}
    assert known == {"ms_per_frame", "ms_p99", "init_ms", "frames"}
    assert (
        part.scores.keys()
        == score_run(on_target(drawn_sequence(5)), drawn_sequence(5)).scores.keys()
    )
    mean = mean_scores({"only": part})
    assert {key for key, value in mean.items() if value is not None} == known


def test_average_overlap_is_over_all_frames_together_as_in_got10k() -> None:
    short, long = drawn_sequence(3), drawn_sequence(9)
    parts = {
        "short": score_run(on_target(short, off=(1, 2)), short),
        "long": score_run(on_target(long), long),
    }
    assert [part.scores["ao"] for part in parts.values()] == [0.0, 1.0]
    mean = mean_scores(parts)
    assert [mean[key] for key in ("ao", "sr_50", "sr_75")] == pytest.approx([0.8] * 3)  # 8 of 10


def test_supervised_means_are_weighted_by_length() -> None:
    short, long = drawn_sequence(20), drawn_sequence(60)
    parts = {}
    for name, sequence in (("short", short), ("long", long)):
        # stays where it began: the target has left it after 16 frames
        run = supervised_pass(ScriptedTracker(), sequence)
        parts[name] = score_run(run, sequence)
    accuracies = [part.scores["vot_accuracy"] for part in parts.values()]
    failures = [part.scores["vot_failures"] for part in parts.values()]
    assert failures == [1, 3]
    # frame k after a start has IoU (16 - k) / (16 + k); 10 to 15 count
    after_burn_in = np.mean([(16 - k) / (16 + k) for k in range(10, 16)])
    assert accuracies == pytest.approx([after_burn_in, after_burn_in])
    mean = mean_scores(parts, eao_range=(5, 9))
    assert mean["vot_failures"] == 4
    # both fail once in 20 frames, and so does the set
    each = [part.scores["vot_robustness"] for part in parts.values()]
    assert [*each, mean["vot_robustness"]] == pytest.approx([robustness(1, 20)] * 3)
    whole = [np.mean([(16 - k) / (16 + k) for k in range(1, n + 1)]) for n in range(5, 10)]
    assert mean["eao"] == pytest.approx(np.mean(whole))


def test_nothing_has_no_mean() -> None:
    assert mean_scores({}) == {}


def test_the_long_term_measures_of_a_set_are_those_of_its_outcomes() -> None:
    one, two = drawn_sequence(12, hidden=(5, 6)), drawn_sequence(42, hidden=(8,))
    parts = {
        # nine frames reported, in eight of them it is there; and forty-one, in ten
        "one": score_run(on_target(one, off=(3,), lost=(5, 6)), one),
        "two": score_run(on_target(two, off=tuple(range(8, 39))), two),
    }
    own = [[part.scores[key] for key in LONG_TERM_KEYS] for part in parts.values()]
    assert own[0] == pytest.approx([8 / 9, 8 / 9, 8 / 9])
    assert own[1] == pytest.approx([10 / 41, 10 / 40, 2 * 10 / 81])
    precision, recall = (8 / 9 + 10 / 41) / 2, (8 / 9 + 10 / 40) / 2
    mean = mean_scores(parts)
    f_score = 2 * precision * recall / (precision + recall)
    assert [mean[key] for key in LONG_TERM_KEYS] == pytest.approx([precision, recall, f_score])


def test_starts_are_told_in_milliseconds() -> None:
    sequence = drawn_sequence(3)
    run = on_target(sequence)
    run.init_seconds = [0.010, 0.030]
    assert score_run(run, sequence).scores["init_ms"] == pytest.approx(20)


def test_each_measure_of_the_overlap_keeps_its_name() -> None:
    sequence = drawn_sequence(6)
    run = on_target(sequence)
    run.boxes[1:, 2] = 16, 13, 9, 9, 4  # IoU 1, .81, .56, .56 and .25
    mean = mean_scores({"only": score_run(run, sequence)})
    ao = (16 + 13 + 9 + 9 + 4) / 16 / 5
    assert [mean[key] for key in ("ao", "sr_50", "sr_75")] == pytest.approx([ao, 0.8, 0.4])
