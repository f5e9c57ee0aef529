"""The policy's losses against values by hand and exact policy gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.training.adnet.clips import advantages, rewards  # noqa: E402
from visual_tracker.training.adnet.losses import reinforce_loss, supervised_loss  # noqa: E402

#: a toy of two steps with three actions each; the second step's logits depend on the first action
FIRST = [0.3, -0.2, 0.5]
SECOND = [[0.1, 0.4, -0.3], [0.0, -0.5, 0.2], [0.7, 0.1, 0.1]]


def reward(first: int, second: int) -> float:
    return 1.0 if (first, second) in {(0, 1), (2, 2), (1, 0)} else -1.0


def expected_reward(parameters: torch.Tensor) -> torch.Tensor:
    """Sum over all ways that the toy can go; `parameters` (4, 3) are the logits of its states."""
    probabilities = parameters.softmax(dim=1)
    return sum(
        probabilities[0, first] * probabilities[1 + first, second] * reward(first, second)
        for first, second in itertools.product(range(3), repeat=2)
    )


def gradient_by_differences(parameters: torch.Tensor, step: float = 1e-5) -> torch.Tensor:
    gradient = torch.zeros_like(parameters)
    for index in np.ndindex(*parameters.shape):
        for sign in (1, -1):
            moved = parameters.clone()
            moved[index] += sign * step
            gradient[index] += sign * expected_reward(moved) / (2 * step)
    return gradient


def test_the_policy_gradient_is_that_of_the_expected_reward() -> None:
    parameters = torch.tensor([FIRST, *SECOND], dtype=torch.float64, requires_grad=True)
    probabilities = parameters.detach().softmax(dim=1)
    # REINFORCE's gradient is right on average: here the average is taken over all ways, exactly
    total = torch.zeros((), dtype=torch.float64)
    for first, second in itertools.product(range(3), repeat=2):
        share = probabilities[0, first] * probabilities[1 + first, second]
        logits = parameters[[0, 1 + first]]
        earned = torch.full((2,), reward(first, second), dtype=torch.float64)
        total = total + share * reinforce_loss(logits, torch.tensor([first, second]), earned, 1)
    total.backward()
    assert parameters.grad is not None
    expected = gradient_by_differences(parameters.detach())
    torch.testing.assert_close(-parameters.grad, expected, atol=1e-8, rtol=1e-6)
    assert expected.abs().max() > 0.1


def test_many_clips_together_give_the_mean_of_their_gradients() -> None:
    logits = torch.tensor([FIRST, FIRST], requires_grad=True)
    actions, earned = torch.tensor([0, 2]), torch.tensor([1.0, -1.0])
    (both,) = torch.autograd.grad(reinforce_loss(logits, actions, earned, 2), logits)
    for index in range(2):
        one = slice(index, index + 1)
        single = reinforce_loss(logits[one], actions[one], earned[one], 1)
        (gradient,) = torch.autograd.grad(single, logits)
        torch.testing.assert_close(both[index], gradient[index] / 2)


def test_a_rewarded_action_becomes_more_likely() -> None:
    for earned in (1.0, -1.0):
        logits = torch.zeros(1, 11, requires_grad=True)
        reinforce_loss(logits, torch.tensor([4]), torch.tensor([earned]), 1).backward()
        assert logits.grad is not None
        after = (logits - logits.grad).softmax(dim=1)[0, 4]
        assert (after > 1 / 11) == (earned > 0)


def test_the_reward_is_that_of_the_last_box_alone() -> None:
    truth = np.array([0.0, 0, 10, 10])
    boxes = np.array([[0.0, 0, 10, 10], [1, 0, 10, 10], [2, 0, 10, 10], [50, 0, 10, 10]])
    # 9 of 11 columns are .818, 8 of 12 are .667
    assert rewards(boxes, truth, 0.7).tolist() == [1, 1, -1, -1]


def test_the_baseline_is_the_mean_of_the_other_runs() -> None:
    values = np.array([1.0, -1, -1])
    np.testing.assert_allclose(advantages(values, True), [2, -1, -1])
    np.testing.assert_array_equal(advantages(values, False), values)
    np.testing.assert_array_equal(advantages(np.ones(1), True), [1])
    np.testing.assert_array_equal(advantages(np.ones(4), True), np.zeros(4))


def test_the_supervised_loss_by_hand() -> None:
    actions = torch.log(
        torch.tensor([[0.5] + [0.05] * 10, [0.05] * 10 + [0.5], [0.05] * 10 + [0.5]])
    )
    classes = torch.log(torch.tensor([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5]]))
    losses = supervised_loss(
        actions,
        classes,
        torch.tensor([0, 0, 10]),
        torch.tensor([1, 0, 0]),
        torch.tensor([True, True, False]),
    )
    action = -(math.log(0.5) + math.log(0.05)) / 2
    # one target against the mean of two backgrounds
    confidence = -(math.log(0.8) + (math.log(0.4) + math.log(0.5)) / 2) / 2
    assert float(losses.action) == pytest.approx(action)
    assert float(losses.confidence) == pytest.approx(confidence)
    assert float(losses.total) == pytest.approx(action + confidence)


def test_boxes_that_teach_no_action_give_no_gradient_to_actions() -> None:
    actions = torch.zeros(2, 11, requires_grad=True)
    losses = supervised_loss(
        actions, torch.zeros(2, 2), torch.zeros(2).long(), torch.zeros(2).long(),
        torch.zeros(2, dtype=torch.bool),
    )  # fmt: skip
    losses.total.backward()
    assert actions.grad is not None
    assert not actions.grad.any()
