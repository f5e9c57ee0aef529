"""What is learned of a target, from which frames, and what is not: a network of no weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visual_tracker.models.geometry import LITE_RPN
from visual_tracker.models.matchers import Response
from visual_tracker.trackers.choice import Choice, Filtered
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.distractors import unit
from visual_tracker.trackers.first_views import View
from visual_tracker.trackers.score_map import decode_response
from visual_tracker.trackers.siamrpn import Ranked
from visual_tracker.trackers.target_memory import TargetMemory

CHANNELS, SIDE, WINDOW = 6, 15, 3
#: rows and columns of the cells that show the target and its distractor
TARGET, TWIN = (7, 7), (7, 11)
CROP = np.zeros((257, 257, 3), np.uint8)


class Numbers:
    """Templates are numbers; their embeddings are all of that number and of one."""

    geometry = LITE_RPN

    def embedding(self, template: float) -> np.ndarray:
        one = np.ones((CHANNELS // 2, WINDOW, WINDOW), np.float32)
        return np.concatenate([template * one, one])

    def mixed(self, template: float, other: float, share: float) -> float:
        return template + share * (other - template)


def response(seed: int = 0) -> Response:
    """The target's cell and the twin's score; all boxes are anchors of 64 pixels a side."""
    rng = np.random.default_rng(seed)
    scores = np.zeros((1, SIDE, SIDE), np.float32)
    scores[0][TARGET], scores[0][TWIN] = 0.9, 0.8
    embedding = rng.normal(size=(CHANNELS, SIDE + WINDOW - 1, SIDE + WINDOW - 1))
    return Response(scores, np.zeros((4, 1, SIDE, SIDE), np.float32), embedding.astype(np.float32))


def window(answer: Response, cell: tuple[int, int]) -> np.ndarray:
    row, column = cell
    return answer.embedding[:, row : row + WINDOW, column : column + WINDOW]


def choice(memory: TargetMemory, answer: Response) -> Choice:
    """The target is chosen, and its twin resembles it."""
    proposals = memory.proposals(answer)
    ranked = Ranked(proposals, np.ones(SIDE**2), proposals.scores, answer)
    chosen, twin = (row * SIDE + column for row, column in (TARGET, TWIN))
    return Choice(ranked, chosen, [twin], memory.filtered(answer, proposals), None)


class Watched:
    """A memory whose parts write down what they learn."""

    def __init__(self, **changes: Any) -> None:
        values = {"learn_delay": 0, "learn_every": 1, "box_correction": 0.0, **changes}
        self.parameters = DaSiamRpnParameters.from_mapping(values)
        self.memory = TargetMemory(Numbers(), 0.0, self.parameters)
        views = [View(CROP, np.array([0.0, 0.0, 64.0, 64.0]), True)]
        self.memory.learn_views(views, [response()], self.parameters)
        self.combined: list[Any] = []
        self.model: list[Any] = []
        self.templates: list[Any] = []
        self.memory._combined.learn = lambda *lesson: self.combined.append(lesson)
        if self.memory._model is not None:
            self.memory._model.learn = lambda *lesson: self.model.append(lesson)
        self.memory._searched.learn = lambda *lesson: self.templates.append(lesson)

    def learn(self, confidence: float = 0.9, template: float = 1.0, seed: int = 1) -> Choice:
        seen = choice(self.memory, response(seed))
        self.memory.learn(seen, lambda: template, confidence, self.parameters)
        return seen

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.combined), len(self.model), len(self.templates)


def test_all_that_learns_is_given_the_target_and_its_distractors() -> None:
    watched = Watched(template_rate=0.3)
    seen = watched.learn(template=5.0)
    ((target, distractors),) = watched.combined
    answer = seen.ranked.response
    np.testing.assert_array_equal(target, window(answer, TARGET))
    (distractor,) = distractors
    np.testing.assert_array_equal(distractor, window(answer, TWIN))
    ((features, box, places),) = watched.model
    assert seen.filtered is not None
    assert features is seen.filtered.features
    assert box.tolist() == [0, 0, 64, 64]
    assert places.T.tolist() == [[64, 0]]  # four cells of 16 pixels to the right
    assert watched.templates == [(5.0, 0.3)]


@pytest.mark.parametrize(
    ("confidence", "counts"),
    [(0.4, (0, 0, 0)), (0.41, (1, 1, 0)), (0.8, (1, 1, 0)), (0.81, (1, 1, 1))],
)
def test_only_sure_frames_teach_and_surer_ones_the_template(
    confidence: float, counts: tuple[int, int, int]
) -> None:
    watched = Watched(learn_threshold=0.4, template_threshold=0.8)
    watched.learn(confidence)
    assert watched.counts == counts


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"distractor_aware": False}, (0, 1, 1)),
        ({"target_model": False}, (1, 0, 1)),
        ({"template_share": 0.0}, (1, 1, 0)),
    ],
)
def test_what_is_turned_off_learns_nothing(
    changes: dict[str, Any], counts: tuple[int, int, int]
) -> None:
    watched = Watched(**changes)
    watched.learn()
    assert watched.counts == counts
    assert watched.memory.has_model == (counts[1] > 0)


def test_every_frame_teaches_the_combined_template_and_every_nth_the_rest() -> None:
    watched = Watched(learn_every=3)
    counts = []
    for _ in range(6):
        watched.learn()
        counts.append(watched.counts)
    assert counts == [(1, 0, 0), (2, 0, 0), (3, 1, 1), (4, 1, 1), (5, 1, 1), (6, 2, 2)]


def test_lessons_wait_and_are_dropped_but_a_likeness_is_to_the_latest() -> None:
    watched = Watched(learn_delay=2)
    seen = [watched.learn(seed=seed) for seed in (1, 2)]
    assert watched.counts == (0, 0, 0)
    assert watched.memory.likeness(seen[1]).recent == pytest.approx(1)
    watched.memory.drop_lessons()
    for _ in range(2):
        watched.learn()
    assert watched.counts == (0, 0, 0)
    watched.learn()
    assert watched.counts == (1, 1, 1)


def test_a_frame_that_teaches_nothing_is_not_remembered_as_the_target() -> None:
    watched = Watched()
    likeness = watched.memory.likeness(watched.learn(confidence=0.1))
    assert likeness.recent == likeness.first < 0.9


def test_the_boxes_error_is_that_of_upright_views_and_taken_off_in_part() -> None:
    parameters = DaSiamRpnParameters(box_correction=0.5, target_model=False)
    memory = TargetMemory(Numbers(), 0.0, parameters)
    given = np.array([6.4, 0.0, 64 * np.exp(0.2), 64.0])
    turned = View(CROP, np.array([-20.0, 20.0, 50.0, 90.0]), False)
    views = [View(CROP, given, True), turned, turned]
    memory.learn_views(views, [response()] * 3, parameters)
    boxes = memory.proposals(response()).boxes
    place = TARGET[0] * SIDE + TARGET[1]
    assert boxes[:, place] == pytest.approx([3.2, 0, 64 * np.exp(0.1), 64], rel=1e-5)
    np.testing.assert_allclose(boxes[3], decode_response(response(), LITE_RPN).boxes[3], rtol=1e-6)


def test_the_evidence_is_the_filters_peak_within_half_the_boxs_side() -> None:
    memory = Watched().memory
    seen = choice(memory, response())
    assert seen.filtered is not None
    # a cell is 16 pixels, half a side 32
    for column, found in ((7, 0.1), (9, 0.7), (10, 0.1)):
        answer = np.full((SIDE, SIDE), 0.1)
        answer[7, column] += 0.6 * (column > 7)
        filtered = Filtered(seen.filtered.features, answer, seen.filtered.values)
        evidence = memory.evidence(seen._replace(filtered=filtered))
        assert evidence is not None
        assert evidence.filter == pytest.approx(found)
    assert evidence.network == pytest.approx(np.log(9), rel=1e-5)
    first = unit(Numbers().embedding(0.0)) @ unit(window(response(), TARGET))
    assert evidence.first == pytest.approx(first, abs=1e-6)
    assert memory.evidence(seen._replace(filtered=None)) is None
