"""MDNet from end to end, on a small network: it follows, it loses, it finds again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test.mdnet.small import SmallFeatures  # noqa: E402
from visual_tracker import Box, TrackerUnavailableError, create_tracker  # noqa: E402
from visual_tracker.images import Image  # noqa: E402
from visual_tracker.models.mdnet import MdNet  # noqa: E402
from visual_tracker.models.weights import packaged_weights  # noqa: E402
from visual_tracker.online.trainer import OnlineTrainer  # noqa: E402
from visual_tracker.parameters import ParameterError  # noqa: E402
from visual_tracker.trackers.base import Tracker  # noqa: E402
from visual_tracker.trackers.mdnet import MdNetParameters, MdNetTracker  # noqa: E402

START = Box(60, 50, 36, 28)

SMALL: dict[str, Any] = {
    "candidates": 96, "first_positives": 90, "first_negatives": 300, "far_regions": 2,
    "first_steps": 30, "first_rate": 0.02, "update_rate": 0.02, "update_steps": 4,
    "positives": 16, "negatives": 48, "box_penalty": 1.0, "generator_steps": 10,
    "translation": 0.3, "scale": 0.5, "engine": "torch",
}  # fmt: skip


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A file that stands for the small network's weights."""

    def load(cls: type, kind: str, network: str, path: Path) -> MdNet:
        torch.manual_seed(4)
        return MdNet(SmallFeatures())

    monkeypatch.setattr(MdNetTracker, "_load_network", classmethod(load))
    path = tmp_path / "small.safetensors"
    path.touch()
    return str(path)


def background() -> Image:
    noise = np.random.default_rng(0).integers(60, 150, (30, 40, 3), np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def scene(step: int, shown: bool = True) -> tuple[Image, Box]:
    """A target of two colours on its way to the right."""
    box = Box(START.x + 3 * step, START.y + 2 * step, START.width, START.height)
    image = background()
    if shown:
        x, y, width, height = (int(value) for value in box.xywh)
        image[y : y + height, x : x + width] = (20, 30, 230)
        image[y : y + height // 2, x : x + width // 2] = (230, 220, 40)
    return image, box


def started(weights: str, **parameters: Any) -> Tracker:
    tracker = create_tracker("mdnet", weights=weights, **{**SMALL, **parameters})
    tracker.init(*scene(0))
    return tracker


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"attention": True, "attention_weight": 0.1},
        {"adversarial": True},
        {"features": "crops"},
    ],
    ids=["plain", "attention", "adversarial", "crops"],
)
def test_it_follows_a_target(weights: str, parameters: dict[str, Any]) -> None:
    tracker = started(weights, update_interval=3, **parameters)
    for step in range(1, 9):
        image, truth = scene(step)
        track = tracker.track(image)
        assert not track.is_lost
        assert track.box.iou(truth) > 0.6
        assert track.confidence > 0.5
        assert track.search_region.iou(track.box) > 0


def test_a_target_that_is_gone_is_lost_and_found_again(weights: str) -> None:
    tracker = started(weights)
    for step in range(1, 4):
        held = tracker.track(scene(step)[0])
    for _ in range(4):
        lost = tracker.track(background())
        assert lost.is_lost
        assert lost.confidence < 0.5
        assert lost.box == held.box
    found = tracker.track(scene(4)[0])
    assert not found.is_lost
    assert found.box.iou(scene(4)[1]) > 0.5


def test_the_search_goes_wider_while_lost(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import visual_tracker.mdnet.search as module

    spreads = []
    draw = module.gaussian_boxes

    def spy(rng, box, count, size, spread):
        spreads.append(spread.translation)
        return draw(rng, box, count, size, spread)

    monkeypatch.setattr(module, "gaussian_boxes", spy)
    tracker = started(weights, translation=0.2, widening=1.2, widest=1.5, refinement=0.0)
    images = [scene(1)[0], *[background()] * 4, scene(1)[0], scene(1)[0]]
    assert [tracker.track(image).is_lost for image in images] == [False, *[True] * 4, False, False]
    np.testing.assert_allclose(spreads, [0.2, 0.2, 0.24, 0.288, 0.3, 0.3, 0.2])


def test_a_seed_makes_it_repeatable(weights: str) -> None:
    def boxes(**parameters: Any) -> list[Box]:
        tracker = started(weights, update_interval=2, **parameters)
        return [tracker.track(scene(step)[0]).box for step in range(1, 5)]

    first = boxes(adversarial=True)
    torch.manual_seed(77)
    np.random.seed(77)
    assert boxes(adversarial=True) == first
    assert boxes(adversarial=True, seed=1) != first


def test_more_far_places_than_negatives_for_them_are_fine(weights: str) -> None:
    tracker = started(weights, features="crops", first_negatives=32, far_regions=32)
    image, truth = scene(1)
    assert tracker.track(image).box.iou(truth) > 0.5


def test_two_ways_to_learn_are_not_combined() -> None:
    chosen = MdNetParameters(attention=True)
    with pytest.raises(ParameterError, match=r"'attention' and 'adversarial'.* set one of them"):
        chosen.replaced(adversarial=True)
    assert chosen.replaced(attention=False, adversarial=True).adversarial


def test_a_frame_waits_for_a_slice_of_an_update_at_most(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = started(weights, update_interval=2, update_steps=5, steps_per_frame=2)
    taken = []
    run = OnlineTrainer.run

    def spy(self: OnlineTrainer, steps: int | None = None) -> list[float]:
        losses = run(self, steps)
        taken.append(len(losses))
        return losses

    monkeypatch.setattr(OnlineTrainer, "run", spy)
    for step in range(1, 7):
        tracker.track(scene(step)[0])
    # an update every second frame, but none before the last one has ended
    assert taken == [0, 2, 2, 1, 0, 2]


def test_targets_do_not_disturb_each_other(weights: str) -> None:
    alone = started(weights)
    expected = [alone.track(scene(step)[0]).box for step in range(1, 4)]
    first, second = started(weights), started(weights, seed=5)
    assert first.network is second.network
    found = []
    for step in range(1, 4):
        found.append(first.track(scene(step)[0]).box)
        second.track(scene(step)[0])
    assert found == expected


def test_vgg_m_asks_for_its_file() -> None:
    with pytest.raises(TrackerUnavailableError, match="set its parameter 'weights' to a file"):
        create_tracker("mdnet", network="vgg-m")


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mdnet.pth"
    torch.save({"shared_layers": {"conv1.0.weight": torch.zeros(1)}}, path)
    with pytest.raises(TrackerUnavailableError, match="does not fit this network"):
        create_tracker("mdnet", network="vgg-m", weights=str(path))


@pytest.mark.skipif(packaged_weights("mdnet", "lite") is None, reason="no weights ship")
def test_the_shipped_weights_follow_a_target() -> None:
    tracker = create_tracker("mdnet", device="cpu", first_negatives=400, first_steps=20)
    tracker.init(*scene(0))
    for step in range(1, 4):
        image, truth = scene(step)
        track = tracker.track(image)
        assert not track.is_lost
        assert track.box.iou(truth) > 0.5


def test_a_lost_frame_teaches_nothing_but_begins_a_short_term_update(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visual_tracker.mdnet.learner import Learner

    tracker = started(weights, update_interval=3)
    remembered: list[int] = []
    updates: list[tuple[int, bool]] = []
    monkeypatch.setattr(Learner, "remember", lambda self, frame, *rest: remembered.append(frame))
    monkeypatch.setattr(
        Learner,
        "start_update",
        lambda self, short_term, *rest: updates.append((tracker._frame, short_term)),
    )
    images = [scene(1)[0], background(), scene(1)[0], scene(1)[0]]
    assert [tracker.track(image).is_lost for image in images] == [False, True, False, False]
    assert remembered == [1, 3, 4]
    assert updates == [(2, True), (3, False)]


def test_box_and_confidence_are_those_of_the_best_candidates_mean(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import visual_tracker.mdnet.search as module
    from visual_tracker.mdnet.learner import Scored

    tracker = started(weights, best=2, box_regression=False)
    rows = np.array([[60.0, 50, 36, 28], [0, 0, 36, 28], [64, 52, 36, 28]])
    tried = Scored(rows, torch.zeros(3, 1), np.array([2.0, -9.0, 0.5]))
    monkeypatch.setattr(module, "tried_boxes", lambda *_: tried)
    track = tracker.track(scene(1)[0])
    assert track.box == Box(62, 51, 36, 28)
    assert track.confidence == pytest.approx(1 / (1 + np.exp(-1.25)))
