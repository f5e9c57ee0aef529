"""Packed searches give what the eager matcher gives: on the CPU always, in a CUDA graph if any."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.fakes import PATIENCE, Gate  # noqa: E402
from test.models.devices import DEVICES  # noqa: E402
from visual_tracker import create_tracker  # noqa: E402
from visual_tracker.benchmarks.speed import Scene  # noqa: E402
from visual_tracker.crops import CropFrame  # noqa: E402
from visual_tracker.models import cuda_matchers, device_crops  # noqa: E402
from visual_tracker.models.cuda_matchers import PackedProposalMatcher  # noqa: E402
from visual_tracker.models.lite_siamrpn import LiteSiamRpn  # noqa: E402
from visual_tracker.models.matchers import Question  # noqa: E402
from visual_tracker.models.torch_matchers import TorchProposalMatcher, folded  # noqa: E402
from visual_tracker.trackers import Track  # noqa: E402
from visual_tracker.trackers.asking import track_together  # noqa: E402
from visual_tracker.trackers.siamese import SiameseTracker  # noqa: E402


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """Random, but normalised as after training, so that answers depend on the crops."""
    torch.manual_seed(0)
    network = LiteSiamRpn(16)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    crops = (torch.rand(4, 3, side, side) * 255 for side in (129, 257))
    with torch.no_grad():
        network.train()(*crops)
    return folded(network.eval()).to(memory_format=torch.channels_last)


def crop(seed: int, *size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.02)])
def test_packed_answers_are_the_eager_ones(
    network: torch.nn.Module, device: str, precision: str, tolerance: float
) -> None:
    eager = TorchProposalMatcher(copy.deepcopy(network), device, precision)
    packed = PackedProposalMatcher(copy.deepcopy(network), device, precision)
    # two targets take turns, over two sizes of crop
    calls = [(seed, size) for size in ((257, 257), (273, 305)) for seed in (1, 2, 1)]
    ours, expected = (
        {seed: matcher.learn(crop(seed, 129, 129)) for seed in (1, 2)}
        for matcher in (packed, eager)
    )
    np.testing.assert_allclose(
        packed.embedding(ours[1]), eager.embedding(expected[1]), atol=tolerance
    )
    answers = [packed.respond(ours[seed], crop(seed, *size)) for seed, size in calls]
    for (seed, size), answer in zip(calls, answers, strict=True):
        reference = eager.respond(expected[seed], crop(seed, *size))
        for name in answer._fields:
            found, wanted = getattr(answer, name), getattr(reference, name)
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).mean() <= tolerance * np.abs(wanted).mean()
    np.testing.assert_array_equal(answers[0].scores, answers[2].scores)
    assert not np.array_equal(answers[0].scores, answers[1].scores)


def questions(matcher: PackedProposalMatcher, count: int) -> list[Question]:
    """About targets all over an image, each search at a scale of its own."""
    rng = np.random.default_rng(0)
    image = cv2.resize(crop(5, 30, 40), (640, 480))
    return [
        Question(
            matcher.learn(image[y : y + 129, x : x + 129]),
            image,
            CropFrame(x + 64.3, y + 64.8, rng.uniform(0.4, 3.0), 257, 257),
            np.array([90.0, 100.0, 110.0]),
        )
        for x, y in zip(rng.integers(0, 512, count), rng.integers(0, 352, count), strict=True)
    ]


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_answered_as_one_by_one_with_crops_of_opencv(
    network: torch.nn.Module, device: str
) -> None:
    eager = TorchProposalMatcher(copy.deepcopy(network), device)
    packed = PackedProposalMatcher(copy.deepcopy(network), device, "fp32")
    asked = questions(packed, 5)
    together = packed.respond_many(asked)
    again = packed.respond_many(asked[::-1])[::-1]
    alone = [packed.respond_many([question])[0] for question in asked]
    for question, *answers in zip(asked, together, again, alone, strict=True):
        expected = eager.respond(question.template, question.crop())
        for answer in answers:
            for name in answer._fields:
                found, wanted = getattr(answer, name), getattr(expected, name)
                assert found.shape == wanted.shape
                # a level up or down in the crops, no more
                assert np.abs(found - wanted).mean() <= 0.01 * np.abs(wanted).mean()
    assert not np.allclose(together[0].scores, together[1].scores)


def test_crops_of_several_sizes_are_answered_in_order(network: torch.nn.Module) -> None:
    eager = TorchProposalMatcher(copy.deepcopy(network), "cpu")
    packed = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    sizes = [(257, 257), (321, 321), (257, 257), (321, 257)]
    asked = [
        question._replace(frame=replace(question.frame, height=height, width=width))
        for question, (height, width) in zip(questions(packed, len(sizes)), sizes, strict=True)
    ]
    for question, answer in zip(asked, packed.respond_many(asked), strict=True):
        expected = eager.respond(question.template, question.crop())
        assert answer.scores.shape == expected.scores.shape
        difference = np.abs(answer.deltas - expected.deltas).mean()
        assert difference <= 0.01 * np.abs(expected.deltas).mean()
    assert list(packed._searches) == [(2, 257, 257), (1, 321, 321), (1, 321, 257)]


class GatedLock:
    """A lock that another thread holds until the test opens its gate."""

    def __init__(self) -> None:
        self.gate = Gate()

    def __enter__(self) -> None:
        self.gate.passed()

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("call", ["learn", "embedding", "mixed", "respond"])
def test_whatever_runs_on_the_device_waits_for_another_threads_turn(
    network: torch.nn.Module, call: str
) -> None:
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    template = matcher.learn(crop(0, 129, 129))
    arguments = {
        "learn": (crop(1, 129, 129),),
        "embedding": (template,),
        "mixed": (template, template, 0.5),
        "respond": (template, crop(1, 129, 129)),
    }[call]
    lock = matcher._lock = GatedLock()  # type: ignore[assignment]
    lock.gate.shut()  # as while a graph is captured
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(getattr(matcher, call), *arguments)
        try:
            lock.gate.wait_for_arrivals(1)
            assert not waiting.done()
        finally:
            lock.gate.open()
        assert waiting.result(timeout=PATIENCE) is not None


def test_any_number_of_targets_takes_few_graphs(network: torch.nn.Module) -> None:
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    asked = questions(matcher, 1)
    for count in (19, 3, 4):
        assert len(matcher.respond_many(asked * count)) == count
    assert list(matcher._searches) == [(16, 257, 257), (4, 257, 257)]


def test_a_part_too_large_for_the_upload_makes_it_larger(network: torch.nn.Module) -> None:
    eager = TorchProposalMatcher(copy.deepcopy(network), "cpu")
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    template = matcher.learn(crop(0, 129, 129))
    matcher.respond(template, crop(1, 129, 129))
    matcher._upload = device_crops.Upload("cpu", 129 * 129)
    answer = matcher.respond(template, crop(1, 257, 273))
    expected = eager.respond(template, crop(1, 257, 273))
    np.testing.assert_allclose(answer.scores, expected.scores, rtol=1e-3)
    assert matcher._upload.capacity >= 257 * 273
    assert list(matcher._searches) == [(1, 257, 273)]


def test_trackers_of_a_frame_together_do_as_each_alone(
    network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    monkeypatch.setattr(SiameseTracker, "_make_matcher", lambda tracker: matcher)
    monkeypatch.setattr(SiameseTracker, "unavailable_reason", classmethod(lambda *_: None))
    # learned features are no better than chance here: the window keeps the box in place
    settings = {"window_influence": 0.99, "lost_threshold": 0.0, "size_rate": 0.1}
    uncalibrated = "visual_tracker.trackers.score_confidence"
    monkeypatch.setattr(f"{uncalibrated}.available_weights", lambda *_: Path("none"))
    monkeypatch.setattr(f"{uncalibrated}.load_calibration", lambda *_: None)
    scene = Scene(320, 240)
    trackers = [create_tracker("dasiamrpn", "cpu", **settings) for _ in range(4)]
    for tracker, box in zip(trackers, [*scene.boxes(2), *scene.boxes(2)], strict=True):
        tracker.init(scene.image(0), box)
    together, alone = trackers[:2], trackers[2:]
    for index in range(1, 4):
        found = track_together(together, scene.image(index))
        for outcome, tracker in zip(found, alone, strict=True):
            assert isinstance(outcome, Track)
            expected = tracker.track(scene.image(index))
            assert outcome.box.xywh == pytest.approx(expected.box.xywh, abs=0.01)
            assert outcome.confidence == pytest.approx(expected.confidence, abs=1e-4)
    assert (2, 257, 257) in matcher._searches


def test_few_sizes_are_kept(network: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_matchers, "_GRAPHS", 2)
    matcher = PackedProposalMatcher(copy.deepcopy(network), "cpu", "fp32")
    template = matcher.learn(crop(0, 129, 129))
    for side in (129, 145, 129, 161):
        matcher.respond(template, crop(1, side, side))
    assert list(matcher._searches) == [(1, 129, 129), (1, 161, 161)]
