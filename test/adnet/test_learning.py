"""What is learned on line: which boxes, with which labels, and in which direction."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from visual_tracker.adnet.labels import label_boxes  # noqa: E402
from visual_tracker.adnet.learning import (  # noqa: E402
    NO_ACTION,
    PolicyObjective,
    draw_boxes,
    samples_of,
)
from visual_tracker.boxes import Box  # noqa: E402
from visual_tracker.models.adnet import PolicyHead  # noqa: E402
from visual_tracker.online.bank import Samples  # noqa: E402
from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer  # noqa: E402

IMAGE = (640, 480)
BOX = Box(200, 150, 80, 60)
TRUTH = np.array(BOX.xywh)


def test_drawn_boxes_overlap_as_they_should_and_carry_their_labels() -> None:
    drawn = draw_boxes(np.random.default_rng(0), BOX, 40, 60, IMAGE)
    shown, beside = label_boxes(drawn.positives, TRUTH), label_boxes(drawn.negatives, TRUTH)
    np.testing.assert_array_equal(drawn.positives[0], TRUTH)
    assert len(drawn.positives) == 40
    assert shown.ious.min() >= 0.7
    assert len(drawn.negatives) == 60
    assert beside.ious.max() <= 0.5
    np.testing.assert_array_equal(drawn.positive_actions, shown.actions)
    teaches = drawn.negative_actions != NO_ACTION
    np.testing.assert_array_equal(teaches, beside.ious >= 0.3)
    np.testing.assert_array_equal(drawn.negative_actions[teaches], beside.actions[teaches])
    assert 0 < teaches.sum() < 60


@pytest.mark.parametrize("box", [Box(0, 0, 640, 480), Box(10, 5, 3, 400), Box(636, 476, 4, 4)])
def test_there_is_a_positive_of_any_box(box: Box) -> None:
    assert len(draw_boxes(np.random.default_rng(0), box, 5, 5, IMAGE).positives) >= 1


def test_samples_keep_features_and_labels_together() -> None:
    drawn = draw_boxes(np.random.default_rng(0), BOX, 6, 9, IMAGE)
    positives, negatives = samples_of(drawn, lambda boxes: torch.from_numpy(boxes))
    np.testing.assert_array_equal(positives.features.numpy(), drawn.positives)
    np.testing.assert_array_equal(negatives.features.numpy(), drawn.negatives)
    np.testing.assert_array_equal(positives.labels.numpy(), drawn.positive_actions)
    np.testing.assert_array_equal(negatives.labels.numpy(), drawn.negative_actions)


def test_the_loss_by_hand() -> None:
    head = PolicyHead(4).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.action.bias[3] = math.log(2)
        head.confidence.bias[0], head.confidence.bias[1] = math.log(2), math.log(6)
    positives = Samples(torch.rand(1, 4), torch.tensor([3]))
    negatives = Samples(torch.rand(2, 4), torch.tensor([NO_ACTION, 0]))
    loss, scores = PolicyObjective(head).loss(positives, negatives)
    # of twelve parts two are action 3; the target has three of four
    action = (-math.log(2 / 12) - math.log(1 / 12)) / 2
    confidence = -(math.log(3 / 4) + 2 * math.log(1 / 4)) / 3
    assert float(loss.detach()) == pytest.approx(action + confidence, rel=1e-5)
    np.testing.assert_allclose(scores.detach().numpy(), math.log(3), rtol=1e-5)
    np.testing.assert_allclose(
        PolicyObjective(head).score(negatives.features).detach().numpy(), math.log(3), rtol=1e-5
    )


def test_without_actions_only_the_confidence_is_learned() -> None:
    head = PolicyHead(4).eval()
    nothing = torch.full((3,), NO_ACTION)
    samples = Samples(torch.rand(3, 4), nothing)
    loss, _ = PolicyObjective(head).loss(samples, samples)
    loss.backward()
    assert head.action.weight.grad is None
    assert head.confidence.weight.grad is not None


def test_an_update_tells_target_from_background_and_leaves_the_original_alone() -> None:
    torch.manual_seed(0)
    original = PolicyHead(8, width=16).eval()
    before = copy.deepcopy(original.state_dict())
    head = copy.deepcopy(original)
    noise = torch.Generator().manual_seed(1)
    positives = Samples(
        1 + 0.1 * torch.randn(30, 8, generator=noise), torch.full((30,), 4, dtype=torch.int64)
    )
    negatives = Samples(
        -1 + 0.1 * torch.randn(30, 8, generator=noise), torch.full((30,), NO_ACTION)
    )
    objective = PolicyObjective(head)
    trainer = OnlineTrainer(
        [(head.parameters(), 1.0)],
        objective,
        OnlineSettings(positives=8, negatives=8, pool=16),
        torch.Generator().manual_seed(0),
    )
    trainer.start(positives, negatives, 40, 1e-2)
    trainer.run()
    with torch.no_grad():
        assert objective.score(positives.features).min() > 0
        assert objective.score(negatives.features).max() < 0
        actions, _ = head(positives.features, torch.zeros(30, 110))
    assert {*actions.argmax(dim=1).tolist()} == {4}
    for name, value in original.state_dict().items():
        assert torch.equal(value, before[name])
