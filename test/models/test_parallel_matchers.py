"""Several targets' searches side by side: the same answers, really at one time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from test.fakes import PATIENCE
from test.models.engines import ENGINES, TOLERANCE
from visual_tracker import Box, create_tracker
from visual_tracker.benchmarks.speed import Scene
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.graph_matchers import GraphProposalMatcher
from visual_tracker.models.matchers import Question, takes_batches
from visual_tracker.models.parallel_matchers import ParallelProposalMatcher
from visual_tracker.timing import NETWORK, collect_stages
from visual_tracker.trackers import Track, Tracker
from visual_tracker.trackers.asking import AskingTracker, track_together

GEOMETRY = Geometry(template_size=127, search_size=255, stride=8, kernel_span=119, size_step=8)
TEMPLATE = {"embedding": np.zeros((1, 1, 6, 6), np.float32)}


class PlainGraph:
    """Its scores are the crop's first value; counts its calls."""

    inputs = ("crop", "embedding")
    outputs = ("scores", "deltas", "embedding")

    def __init__(self) -> None:
        self.calls = 0

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        self.calls += 1
        values = np.full((1, 1), arrays[0].flat[0], np.float32)
        return values, values, values


class MeetingGraph(PlainGraph):
    """Answers only when two threads are in it; they meet or the barrier breaks."""

    def __init__(self) -> None:
        super().__init__()
        self._barrier = threading.Barrier(2)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        self._barrier.wait(PATIENCE)
        if arrays[0].flat[0] == 13:
            raise ValueError("an unlucky crop")
        return super().run(*arrays)


def made(
    alone: PlainGraph | None = None, together: PlainGraph | None = None
) -> ParallelProposalMatcher:
    """On two threads, with these graphs for one search and for several."""
    alone, together = alone or PlainGraph(), together or MeetingGraph()
    return ParallelProposalMatcher(PlainGraph(), alone, GEOMETRY, together, threads=2)


def about(*values: int) -> list[Question]:
    """Questions about crops of one colour each, all of other sizes."""
    return [
        Question.of_crop(TEMPLATE, np.full((255 + 8 * i, 255, 3), value, np.uint8))
        for i, value in enumerate(values)
    ]


def test_several_are_answered_at_one_time_and_in_order() -> None:
    alone, together = PlainGraph(), MeetingGraph()
    matcher = made(alone, together)
    answers = matcher.respond_many(about(3, 1, 4, 2))
    assert [answer.scores.item() for answer in answers] == [3, 1, 4, 2]
    assert (alone.calls, together.calls) == (0, 4)


def test_a_lone_question_has_all_threads() -> None:
    alone, together = PlainGraph(), MeetingGraph()
    matcher = made(alone, together)
    (answer,) = matcher.respond_many(about(5))
    assert answer.scores.item() == 5
    assert (alone.calls, together.calls) == (1, 0)
    assert matcher.respond_many([]) == []


def test_what_one_raises_is_raised_and_the_next_are_answered() -> None:
    matcher = made()
    with pytest.raises(ValueError, match="an unlucky crop"):
        matcher.respond_many(about(13, 2))
    assert len(matcher.respond_many(about(3, 2))) == 2


def test_the_time_of_several_is_the_networks_and_counted_once() -> None:
    matcher = made()
    begin = time.perf_counter()
    with collect_stages() as seconds:
        matcher.respond_many(about(1, 2))
    assert list(seconds) == [NETWORK]
    assert seconds[NETWORK] <= time.perf_counter() - begin


def test_its_threads_end_with_it() -> None:
    before = set(threading.enumerate())
    matcher = made()
    matcher.respond_many(about(1, 2))
    own = set(threading.enumerate()) - before
    assert len(own) == 2
    del matcher
    for thread in own:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_answer_side_by_side_as_one_by_one(engine: ModuleType, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from visual_tracker.models.exports import export_onnx
    from visual_tracker.models.lite_siamrpn import LiteSiamRpn
    from visual_tracker.models.torch_matchers import folded

    torch.manual_seed(0)
    export_onnx(folded(LiteSiamRpn().eval()), tmp_path)
    alone = GraphProposalMatcher.load(tmp_path, engine, "fp32", threads=1)
    together = ParallelProposalMatcher.load(tmp_path, engine, "fp32", threads=3)
    together.warm_up()
    images = [Scene(640, 480).image(seed) for seed in range(4)]
    questions = [
        Question.of_crop(
            together.learn(image[:129, 100:229]),
            np.ascontiguousarray(image[: 257 + 64 * (seed % 2), :257]),
        )
        for seed, image in enumerate(images)
    ]
    for question, answer in zip(questions, together.respond_many(questions), strict=True):
        expected = alone.respond(question.template, question.crop())
        for name in expected._fields:
            assert TOLERANCE["fp32"].admits(getattr(answer, name), getattr(expected, name))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tracker_with_threads_to_spare_asks_side_by_side(threads: int) -> None:
    pytest.importorskip("openvino")
    tracker = create_tracker("siamrpn", engine="openvino", threads=threads)
    tracker.init(Scene(640, 480).image(0), Box(200, 200, 60, 60))
    assert isinstance(tracker, AskingTracker)
    assert takes_batches(tracker.matcher) is (threads > 1)


def test_targets_on_two_threads_are_tracked_as_alone() -> None:
    pytest.importorskip("openvino")
    scene = Scene(640, 480)
    boxes = scene.boxes(3)

    def started(threads: int) -> list[Tracker]:
        trackers = [
            create_tracker("dasiamrpn", engine="openvino", precision="fp32", threads=threads)
            for _ in boxes
        ]
        for tracker, box in zip(trackers, boxes, strict=True):
            tracker.init(scene.image(0), box)
        return trackers

    together, alone = started(2), started(1)
    for step in range(1, 6):
        image = scene.image(step)
        expected = [tracker.track(image) for tracker in alone]
        for found, wanted in zip(track_together(together, image), expected, strict=True):
            assert isinstance(found, Track)
            assert found.state is wanted.state
            assert found.box.iou(wanted.box) > 0.99
