"""Which of two proposals is taken: by score, likeness and filter; and what comes of the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from test.trackers.known_response import ExactMatcher, KnownTracker
from test.trackers.test_long_term import PLAIN, SIDE, START, scene
from visual_tracker.boxes import Box
from visual_tracker.models.matchers import Response
from visual_tracker.trackers.choice import Filtered
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters

#: cells of the map: the middle, and ten cells of eight pixels to the left of it
HERE, BESIDE = (13, 13), (13, 3)
AWAY = (START[0] - 80, START[1])


class TwoPlaces(ExactMatcher):
    """Proposes two boxes of the target's size; only the one in the middle looks like it."""

    def __init__(self, here: float, beside: float) -> None:
        super().__init__()
        self.found = {HERE: here, BESIDE: beside}

    def embedding(self, template: object) -> np.ndarray:
        return np.concatenate([np.ones((1, 7, 7)), np.zeros((1, 7, 7))])

    def respond(self, template: object, image: np.ndarray) -> Response:
        scores = np.zeros((5, 27, 27), np.float32)
        for cell, score in self.found.items():
            scores[2][cell] = score
        embedding = np.concatenate([np.zeros((1, 33, 33)), np.ones((1, 33, 33))])
        row, column = HERE
        embedding[:, row : row + 7, column : column + 7] = [[[1.0]], [[0.0]]]
        return Response(scores, np.zeros((4, 5, 27, 27), np.float32), embedding)


def started(here: float, beside: float, **changes: Any) -> KnownTracker:
    class Scripted(KnownTracker):
        network = TwoPlaces(here, beside)

    values = {**PLAIN, "window_influence": 0.0, "penalty": 0.0, "lost_threshold": 0.1, **changes}
    scripted = Scripted(DaSiamRpnParameters.from_mapping({"found_threshold": 0.1, **values}), "cpu")
    scripted.init(scene(START), Box.from_center(*START, SIDE, SIDE))
    return scripted


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"distractor_weight": 0.2}, START),
        ({"distractor_weight": 0.05}, AWAY),
        ({"distractor_weight": 0.2, "distractor_aware": False}, AWAY),
    ],
)
def test_the_likeness_to_the_target_counts_as_much_as_it_is_said_to(
    changes: dict[str, Any], place: tuple[float, float]
) -> None:
    track = started(0.6, 0.7, **changes).track(scene(START))
    assert track.box.center == pytest.approx(place, abs=1)


@pytest.mark.parametrize(
    ("here", "beside", "weight", "place"),
    [
        (0.0, 0.3, 1.0, AWAY),  # .8 / 2 against (.7 + .3) / 2
        (0.0, 0.3, 0.1, START),
        (-1.0, 0.0, 1.0, START),  # what the filter knows nothing of is not held against it
    ],
)
def test_the_filters_answer_counts_beside_the_networks(
    here: float, beside: float, weight: float, place: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tracker = started(0.8, 0.7, model_weight=weight, distractor_weight=0.0)
    answer = np.zeros((27, 27))
    answer[HERE], answer[BESIDE] = here, beside
    values = np.broadcast_to(answer, (5, 27, 27)).reshape(-1)
    filtered = Filtered(np.zeros((1, 33, 33)), answer, values)
    monkeypatch.setattr(tracker._memory, "filtered", lambda *_: filtered)
    assert tracker.track(scene(START)).box.center == pytest.approx(place, abs=1)


def test_what_resembles_the_target_is_learned_as_a_distractor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for beside, count in ((0.55, 1), (0.5, 0)):
        tracker = started(0.9, beside, learn_delay=0, distractor_threshold=0.5)
        learned: list[int] = []
        monkeypatch.setattr(
            tracker._memory._combined,
            "learn",
            lambda target, distractors, learned=learned: learned.append(len(distractors)),
        )
        tracker.track(scene(START))
        assert learned == [count]
