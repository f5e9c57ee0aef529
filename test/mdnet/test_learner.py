"""Which boxes MDNet's classifier learns from, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.mdnet.small import SmallFeatures  # noqa: E402
from visual_tracker.boxes import Box, BoxArray, overlaps  # noqa: E402
from visual_tracker.mdnet.learner import Learner, LearningPlan, Scored  # noqa: E402
from visual_tracker.mdnet.objectives import Adversarial  # noqa: E402
from visual_tracker.mdnet.sampling import TrainingBoxes  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402
from visual_tracker.online.bank import Samples  # noqa: E402
from visual_tracker.online.trainer import OnlineTrainer  # noqa: E402

SIZE = (200, 150)
TARGET = Box(60, 40, 60, 50)
IMAGE = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
PLAN = LearningPlan(
    seed=0, first_positives=90, first_negatives=400, far_regions=6, first_steps=1,
    first_rate=0.0, long_term=4, short_term=2,
)  # fmt: skip


class Written:
    """An extractor whose features are the boxes themselves."""

    def __init__(self) -> None:
        self.looks: list[tuple[Box, float]] = []

    def region(self, box: Box, zoom: float = 1.0) -> tuple[Box, float]:
        return box, zoom

    def look(self, image: object, region: tuple[Box, float]) -> None:
        self.looks.append(region)

    def extract(self, boxes: BoxArray) -> Any:
        features = torch.zeros(len(boxes), 12, 3, 3)
        features[:, :4, 0, 0] = torch.from_numpy(np.asarray(boxes, np.float32))
        return features


def boxes_in(samples: Samples) -> np.ndarray:
    return samples.features[:, :4, 0, 0].numpy()


def overlap(samples: Samples, target: Box = TARGET) -> np.ndarray:
    return overlaps(boxes_in(samples), np.array(target.xywh))


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Samples, Samples]]:
    """The samples that each training is begun with."""
    begun: list[tuple[Samples, Samples]] = []

    def start(self: OnlineTrainer, positives: Samples, negatives: Samples, *rest: float) -> None:
        begun.append((positives, negatives))

    monkeypatch.setattr(OnlineTrainer, "start", start)
    return begun


def started(kept: tuple[int, int] = (10, 20), **changes: Any) -> Learner:
    boxes = TrainingBoxes(np.random.default_rng(0), SIZE)
    torch.manual_seed(0)
    extractor: Any = Written()
    learner = Learner(MdNet(SmallFeatures()), extractor, boxes, replace(PLAN, **changes))
    learner.start(IMAGE, TARGET, kept)
    return learner


def test_the_first_frames_positives_show_the_target_and_its_negatives_do_not(
    updates: list[tuple[Samples, Samples]],
) -> None:
    learner = started()
    ((positives, negatives),) = updates
    assert set(positives.labels.tolist()) == {1}
    assert set(negatives.labels.tolist()) == {0}
    assert len(positives) == 90
    assert overlap(positives).min() >= 0.7
    # three views of it, and the target itself in each
    zooms = [zoom for box, zoom in learner._extractor.looks if box == TARGET]  # type: ignore
    assert zooms == [1.0, 0.87, 1.15, 1.0]
    assert (overlap(positives) > 0.9999).sum() == 3
    # also of those that are taken around other places
    assert 300 < len(negatives) <= 400
    assert overlap(negatives).max() <= 0.5


def test_what_shows_the_target_is_no_negative_of_a_place_beside_it(
    updates: list[tuple[Samples, Samples]], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = np.array([[85.0, 40, 60, 50]])
    monkeypatch.setattr(TrainingBoxes, "elsewhere", lambda self, target, count: beside)
    started()
    ((_, negatives),) = updates
    assert len(negatives) > 200
    assert overlap(negatives).max() <= 0.5


def test_a_part_of_the_first_frame_and_all_of_later_ones_is_remembered(
    updates: list[tuple[Samples, Samples]],
) -> None:
    learner = started(kept=(10, 20))
    learner.start_update(False, 1, 0.1)
    positives, negatives = updates[-1]
    assert 10 <= len(positives) < 20
    assert 20 <= len(negatives) < 40
    moved = Box(80, 60, 60, 50)
    learner.remember(1, moved, 12, 30)
    learner.start_update(False, 1, 0.1)
    later, beside = updates[-1]
    assert (len(later) - len(positives), len(beside) - len(negatives)) == (12, 30)
    assert overlap(Samples(later.features[-12:], later.labels), moved).min() >= 0.7
    assert overlap(Samples(beside.features[-30:], beside.labels), moved).max() <= 0.3
    assert later.labels.tolist() == [1] * len(later)
    assert beside.labels.tolist() == [0] * len(beside)


def test_a_short_term_update_learns_from_the_last_frames_alone(
    updates: list[tuple[Samples, Samples]],
) -> None:
    learner = started()
    for frame in range(1, 6):
        learner.remember(frame, TARGET, frame, 10 + frame)
    learner.start_update(True, 1, 0.1)
    learner.start_update(False, 1, 0.1)
    (short, few), (long, same) = updates[1:]
    assert (len(short), len(long)) == (4 + 5, 2 + 3 + 4 + 5)
    # negatives are those of the last frames in both
    assert len(few) == len(same) == 14 + 15


def test_an_update_of_no_steps_is_none(updates: list[tuple[Samples, Samples]]) -> None:
    learner = started()
    learner.start_update(False, 0, 0.1)
    assert len(updates) == 1


@pytest.mark.parametrize("learned", [True, False])
def test_boxes_are_corrected_where_that_was_learned(
    learned: bool, updates: list[tuple[Samples, Samples]]
) -> None:
    learner = started(box_regression=learned, box_penalty=1.0)
    rows = np.array(TARGET.xywh) + np.random.default_rng(1).uniform(-8, 8, (40, 4))
    scored = Scored(rows, Written().extract(rows), np.zeros(40))
    corrected = learner.corrected(scored)
    truth = np.array(TARGET.xywh)
    if learned:
        assert overlaps(corrected, truth).mean() > 0.9 > overlaps(rows, truth).mean() + 0.1
    else:
        assert corrected is rows


def test_the_masks_are_learned_once_the_first_frame_has_been(
    updates: list[tuple[Samples, Samples]],
) -> None:
    learner = started(adversarial=True, generator_steps=1, generator_rate=0.1)
    assert isinstance(learner._objective, Adversarial)
    assert learner._objective._warm
