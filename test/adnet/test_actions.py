"""Actions and their inverses, by hand and for any box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visual_tracker.adnet.actions import (
    ACTIONS,
    INVERSE,
    Action,
    after_each_action,
    apply_actions,
    undo_actions,
)

SIDES = st.floats(4, 2000)
PLACES = st.floats(-500, 2000)


@pytest.mark.parametrize(
    ("action", "after"),
    [
        (Action.LEFT, (4, 20, 200, 100)),
        (Action.RIGHT, (16, 20, 200, 100)),
        (Action.UP, (10, 17, 200, 100)),
        (Action.DOWN, (10, 23, 200, 100)),
        (Action.FAR_LEFT, (-2, 20, 200, 100)),
        (Action.FAR_RIGHT, (22, 20, 200, 100)),
        (Action.FAR_UP, (10, 14, 200, 100)),
        (Action.FAR_DOWN, (10, 26, 200, 100)),
        (Action.GROW, (7, 18.5, 206, 103)),
        (Action.STOP, (10, 20, 200, 100)),
    ],
)
def test_what_each_action_does(action: Action, after: tuple[float, ...]) -> None:
    moved = apply_actions(np.array([10.0, 20, 200, 100]), np.array(action))
    np.testing.assert_allclose(moved, after)


def test_a_shrink_undoes_a_growth() -> None:
    shrunk = apply_actions(np.array([7.0, 18.5, 206, 103]), np.array(Action.SHRINK))
    np.testing.assert_allclose(shrunk, (10, 20, 200, 100))


def test_a_small_box_moves_and_grows_by_one_pixel() -> None:
    box = np.array([0.0, 0, 20, 10])
    np.testing.assert_allclose(apply_actions(box, np.array(Action.RIGHT)), (1, 0, 20, 10))
    np.testing.assert_allclose(apply_actions(box, np.array(Action.FAR_DOWN)), (0, 2, 20, 10))
    np.testing.assert_allclose(apply_actions(box, np.array(Action.GROW)), (-1, -0.5, 22, 11))
    np.testing.assert_allclose(apply_actions(box, np.array(Action.SHRINK)), (1, 0.5, 18, 9))


def test_the_smallest_box_does_not_shrink() -> None:
    box = np.array([5.0, 5, 3.5, 9])
    np.testing.assert_array_equal(apply_actions(box, np.array(Action.SHRINK)), box)


@given(PLACES, PLACES, SIDES, SIDES, st.sampled_from(list(Action)))
def test_every_action_is_undone_by_its_inverse_and_keeps_the_aspect(
    x: float, y: float, width: float, height: float, action: Action
) -> None:
    box = np.array([x, y, width, height])
    after = apply_actions(box, np.array(action))
    assert after[2] / after[3] == pytest.approx(width / height)
    if action is Action.SHRINK and np.array_equal(after, box):
        return
    np.testing.assert_allclose(apply_actions(after, INVERSE[action]), box, atol=1e-6)
    np.testing.assert_allclose(undo_actions(after, np.array(action)), box, atol=1e-6)


def test_the_inverse_of_an_inverse_is_the_action() -> None:
    np.testing.assert_array_equal(INVERSE[INVERSE], np.arange(ACTIONS))
    assert [action for action in Action if INVERSE[action] == action] == [Action.STOP]


def test_all_actions_at_once_are_those_one_by_one() -> None:
    boxes = np.array([[0.0, 0, 50, 30], [5, 9, 10, 400]])
    together = after_each_action(boxes)
    assert together.shape == (2, 11, 4)
    for action in Action:
        single = apply_actions(boxes, np.full(2, action))
        np.testing.assert_array_equal(together[:, action], single)
