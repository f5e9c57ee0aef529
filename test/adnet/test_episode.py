"""How episodes end, with policies that do as they are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from visual_tracker.adnet.actions import Action
from visual_tracker.adnet.episode import (
    Outputs,
    drawn_by,
    keep_inside,
    most_probable,
    run_episode,
)
from visual_tracker.adnet.history import NONE, empty_histories
from visual_tracker.adnet.labels import label_boxes

IMAGE = (640, 480)
BOX = np.array([[100.0, 100, 100, 100]])


class Scripted:
    """Says the actions it was given, one a call; its confidence falls with every new call."""

    def __init__(self, *actions: Action) -> None:
        self.actions = list(actions)
        self.calls = 0

    def __call__(self, boxes: np.ndarray, histories: np.ndarray) -> Outputs:
        action = self.actions[min(self.calls, len(self.actions) - 1)]
        self.calls += 1
        probabilities = np.zeros((len(boxes), 11))
        probabilities[:, action] = 1.0
        return Outputs(probabilities, np.full(len(boxes), 1.0 - 0.1 * self.calls))


def oracle(truth: np.ndarray):
    """The policy that knows the truth."""

    def policy(boxes: np.ndarray, histories: np.ndarray) -> Outputs:
        labels = label_boxes(boxes, truth)
        return Outputs(np.eye(11)[labels.actions], labels.ious)

    return policy


def test_stop_ends_an_episode_where_it_is() -> None:
    policy = Scripted(Action.RIGHT, Action.RIGHT, Action.STOP)
    episode = run_episode(policy, BOX, empty_histories(1), IMAGE, 20)
    np.testing.assert_allclose(episode.boxes, [[106, 100, 100, 100]])
    assert policy.calls == 3
    assert not episode.oscillated[0]
    assert episode.confidences[0] == pytest.approx(0.7)  # of the third look
    assert episode.histories[0, :4].tolist() == [Action.STOP, Action.RIGHT, Action.RIGHT, NONE]


@pytest.mark.parametrize(
    "actions",
    [
        (Action.DOWN, Action.LEFT, Action.RIGHT),
        (Action.DOWN, Action.GROW, Action.SHRINK),
        (Action.DOWN, Action.LEFT, Action.LEFT, Action.FAR_RIGHT),
    ],
)
def test_coming_back_ends_an_episode(actions: Sequence[Action]) -> None:
    policy = Scripted(*actions, Action.DOWN)
    episode = run_episode(policy, BOX, empty_histories(1), IMAGE, 20)
    assert episode.oscillated[0]
    assert policy.calls == len(actions)
    np.testing.assert_allclose(episode.boxes, [[100, 103, 100, 100]])
    assert episode.confidences[0] == pytest.approx(0.8)  # as when it was there before


def test_the_budget_ends_an_episode_and_the_last_box_is_looked_at() -> None:
    policy = Scripted(Action.DOWN)
    episode = run_episode(policy, BOX, empty_histories(1), IMAGE, 4)
    np.testing.assert_allclose(episode.boxes, [[100, 112, 100, 100]])
    assert len(episode.steps) == 4
    assert policy.calls == 5
    assert episode.confidences[0] == pytest.approx(0.5)


def test_the_border_ends_an_episode() -> None:
    box = np.array([[-49.0, -49, 100, 100]])
    episode = run_episode(Scripted(Action.FAR_LEFT), box, empty_histories(1), IMAGE, 20)
    np.testing.assert_allclose(episode.boxes, [[-50, -49, 100, 100]])
    assert episode.oscillated[0]
    assert len(episode.steps) == 2


def test_several_boxes_move_on_their_own() -> None:
    truth = np.array([100.0, 100, 100, 100])
    boxes = truth + np.array([(0, 0, 0, 0), (20, 0, 0, 0), (-30, 30, 0, 0)])
    episode = run_episode(oracle(truth), boxes, empty_histories(3), IMAGE, 20)
    alone = [run_episode(oracle(truth), box[None], empty_histories(1), IMAGE, 20) for box in boxes]
    np.testing.assert_allclose(episode.boxes, np.concatenate([one.boxes for one in alone]))
    np.testing.assert_array_equal(
        episode.histories, np.concatenate([one.histories for one in alone])
    )
    np.testing.assert_allclose(
        episode.confidences, np.concatenate([one.confidences for one in alone])
    )
    assert episode.confidences.min() > 0.93
    assert [step.indices.tolist() for step in episode.steps][:2] == [[0, 1, 2], [1, 2]]


def test_actions_are_drawn_by_their_probabilities() -> None:
    probabilities = np.tile([0.0, 0.2, 0.5, 0.3] + [0.0] * 7, (20000, 1))
    drawn = drawn_by(np.random.default_rng(0))(probabilities)
    shares = np.bincount(drawn, minlength=11) / len(drawn)
    np.testing.assert_allclose(shares, probabilities[0], atol=0.015)
    assert shares[0] == shares[4:].sum() == 0
    assert most_probable(probabilities[:1])[0] == 2


def test_boxes_are_kept_inside() -> None:
    boxes = np.array([[-100.0, 470, 50, 40], [0, 0, 1280, 480], [10, 20, 30, 40]])
    kept = keep_inside(boxes, IMAGE)
    np.testing.assert_allclose(kept, [[-25, 460, 50, 40], [320, 120, 640, 240], [10, 20, 30, 40]])


def test_the_histories_and_boxes_given_stay_as_they_are() -> None:
    histories, boxes = empty_histories(1), BOX.copy()
    episode = run_episode(Scripted(Action.RIGHT, Action.STOP), boxes, histories, IMAGE, 20)
    assert episode.histories[0, 0] == Action.STOP
    np.testing.assert_array_equal(histories, empty_histories(1))
    np.testing.assert_array_equal(boxes, BOX)
