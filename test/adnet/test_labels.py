"""Labels of boxes and the states made by backward actions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.adnet.actions import Action, apply_actions, undo_actions
from visual_tracker.adnet.demonstrations import backward_states
from visual_tracker.adnet.history import NONE, empty_histories, encode_histories, remember
from visual_tracker.adnet.labels import label_boxes
from visual_tracker.boxes import Box

TRUTH = np.array([100.0, 80, 100, 60])


def best_by_hand(box: np.ndarray, truth: np.ndarray) -> Action:
    """The rule of the paper with the project's other IoU, one action at a time."""
    target = Box.from_xywh(*truth)
    ious = [Box.from_xywh(*apply_actions(box, np.array(action))).iou(target) for action in Action]
    if ious[Action.STOP] > 0.93 or max(ious) <= ious[Action.STOP]:
        return Action.STOP
    return Action(int(np.argmax(ious)))


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.STOP])
def test_the_label_of_a_backward_action_is_the_action(action: Action) -> None:
    far = TRUTH
    for _ in range(3):
        far = undo_actions(far, np.array(action))
    doubled = {Action.LEFT: Action.FAR_LEFT, Action.RIGHT: Action.FAR_RIGHT,
               Action.UP: Action.FAR_UP, Action.DOWN: Action.FAR_DOWN}  # fmt: skip
    # three steps away the doubled move brings more than the single one
    label = label_boxes(far[None], TRUTH).actions[0]
    assert label == doubled.get(action, action)


def test_one_single_step_is_within_the_stop_threshold_or_labelled_single() -> None:
    near = undo_actions(TRUTH, np.array(Action.LEFT))
    # a step of .03 leaves an IoU of .97 / 1.03 = .942, which is above .93
    assert label_boxes(near[None], TRUTH).actions[0] == Action.STOP
    small = np.array([10.0, 10, 20, 20])
    near = undo_actions(small, np.array(Action.LEFT))
    # at the least step of a pixel it leaves 19 / 21 = .905
    assert label_boxes(near[None], small).actions[0] == Action.LEFT


def test_stop_and_class_at_the_truth_and_far_away() -> None:
    boxes = np.stack([TRUTH] * 3)
    boxes[:, 0] += (0, 20, 500)
    labels = label_boxes(boxes, TRUTH)
    assert labels.actions.tolist() == [Action.STOP, Action.FAR_LEFT, Action.STOP]
    # 80 of 120 columns are shared: .667
    assert labels.classes.tolist() == [1, 0, 0]
    np.testing.assert_allclose(labels.ious, [1, 2 / 3, 0])


@given(st.floats(-40, 40), st.floats(-40, 40), st.floats(20, 200), st.floats(20, 200))
def test_labels_are_the_best_of_all_actions(
    dx: float, dy: float, width: float, height: float
) -> None:
    box = np.array([TRUTH[0] + dx, TRUTH[1] + dy, width, height])
    assert label_boxes(box[None], TRUTH).actions[0] == best_by_hand(box, TRUTH)


def test_backward_states_lead_back_to_the_truth() -> None:
    states = backward_states(TRUTH, 400, 6, np.random.default_rng(0))
    boxes, labels = states.boxes, label_boxes(states.boxes, TRUTH)
    assert len({*labels.actions.tolist()}) > 8
    for _ in range(15):
        boxes = apply_actions(boxes, label_boxes(boxes, TRUTH).actions)
    assert label_boxes(boxes, TRUTH).ious.min() > 0.85


def test_a_state_s_history_is_what_led_there() -> None:
    rng = np.random.default_rng(1)
    states = backward_states(TRUTH, 50, 0, rng)
    np.testing.assert_array_equal(states.boxes, np.broadcast_to(TRUTH, (50, 4)))
    assert (states.histories < Action.STOP).all()
    lengths = (states.histories != NONE).sum(axis=1)
    assert lengths.min() == 0
    assert lengths.max() == 10
    # what is known comes first: the latest actions
    for history, length in zip(states.histories, lengths, strict=True):
        assert (history[:length] != NONE).all()


def test_the_latest_action_comes_first_and_the_eleventh_is_forgotten() -> None:
    histories = empty_histories(1)
    for action in range(11):
        histories = remember(histories, np.array([action]))
    assert histories.tolist() == [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]]


def test_a_history_is_coded_one_hot() -> None:
    histories = remember(empty_histories(2), np.array([Action.UP, Action.STOP]))
    codes = encode_histories(histories)
    assert codes.shape == (2, 110)
    assert codes.dtype == np.float32
    assert np.flatnonzero(codes[0]).tolist() == [Action.UP]
    assert np.flatnonzero(codes[1]).tolist() == [Action.STOP]
    later = encode_histories(remember(histories, np.array([Action.GROW, Action.LEFT])))
    assert np.flatnonzero(later[0]).tolist() == [Action.GROW, 11 + Action.UP]
