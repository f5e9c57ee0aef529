"""The template update: by hand, and on a target that changes its look."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.trackers.known_response import KnownTracker
from visual_tracker.boxes import Box
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.template_update import UpdatedTemplate

BOX = Box.from_center(200.0, 150.0, 64.5, 64.5)


class Numbers:
    """Templates that are numbers."""

    def mixed(self, template: float, other: float, share: float) -> float:
        return template + share * (other - template)


def updated(later: list[float], rate: float, share: float) -> float:
    template = UpdatedTemplate(Numbers(), 0.0)
    for value in later:
        template.learn(value, rate)
    return template.searched(share)


def test_a_running_mean_and_the_first_template_by_hand() -> None:
    assert updated([], 0.25, 0.5) == 0
    assert updated([8.0], 0.25, 0.5) == pytest.approx(0.5 * 2)
    assert updated([8.0, 4.0], 0.25, 0.5) == pytest.approx(0.5 * (2 + 0.25 * (4 - 2)))


@given(
    st.lists(st.floats(-1, 1), max_size=20), st.floats(0, 1), st.floats(0, 1)
)  # fmt: skip
def test_the_first_template_keeps_its_share(later: list[float], rate: float, share: float) -> None:
    assert abs(updated(later, rate, share)) <= share + 1e-9


def test_another_share_counts_at_once() -> None:
    template = UpdatedTemplate(Numbers(), 1.0)
    template.learn(9.0, 0.5)
    assert [template.searched(share) for share in (0.5, 0.25, 0.0, 0.5)] == [3.0, 2.0, 1.0, 3.0]
    assert template.searched(0.0) is template.first


def started(**changes: Any) -> KnownTracker:
    values = {
        "target_model": False, "box_correction": 0.0, "size_rate": 0.0, "learn_every": 1,
        "lost_threshold": 0.3, "learn_threshold": 0.3, "template_threshold": 0.4,
        "template_rate": 1.0, "learn_delay": 0, **changes,
    }  # fmt: skip
    tracker = KnownTracker(DaSiamRpnParameters.from_mapping(values), "cpu")
    tracker.init(look(0.0), BOX)
    return tracker


def look(change: float) -> np.ndarray:
    """The target, whose texture turns by `change` in [0, 1] into another one."""
    image = np.full((300, 400, 3), 90, np.uint8)
    first, last = (
        np.kron(np.random.default_rng(seed).integers(60, 196, (8, 8, 3)), np.ones((8, 8, 1)))
        for seed in (0, 1)
    )
    image[118:182, 168:232] = cv2.addWeighted(first, 1 - change, last, change, 0).astype(np.uint8)
    return image


def test_a_target_that_changes_its_look_is_held_only_by_a_template_that_follows() -> None:
    changes = np.linspace(0.0, 0.7, 30)[1:]
    following, first_only = started(template_share=0.8), started(template_share=0.0)
    for change in changes:
        held, missed = following.track(look(change)), first_only.track(look(change))
    assert held.state is TrackState.TRACKING
    assert missed.state is TrackState.LOST
    assert held.confidence > missed.confidence + 0.2


def test_the_template_is_updated_every_nth_frame_that_is_sure_enough() -> None:
    tracker = started(template_share=0.5, learn_every=2)
    first = tracker._template
    assert tracker.track(look(0.1)).confidence > 0.4
    assert tracker._template is first
    tracker.track(look(0.1))
    assert not np.array_equal(tracker._template, first)
    unsure = started(template_share=0.5, template_threshold=1.0)
    start = unsure._template
    unsure.track(look(0.1))
    assert unsure._template is start


def test_what_was_seen_just_before_a_loss_is_not_learned() -> None:
    tracker = started(template_share=0.5, learn_delay=2)
    first = tracker._template
    for _ in range(2):
        assert tracker.track(look(0.1)).state is TrackState.TRACKING
    assert tracker.track(np.full_like(look(0.0), 90)).state is TrackState.LOST
    for _ in range(2):
        assert tracker.track(look(0.1)).state is TrackState.TRACKING
    assert tracker._template is first
    tracker.track(look(0.1))
    assert not np.array_equal(tracker._template, first)


def test_a_frame_in_doubt_ends_the_wait_of_those_before_it_though_the_target_is_held() -> None:
    tracker = started(template_share=0.5, learn_delay=2, hysteresis=1.0)
    first = tracker._template
    for _ in range(2):
        sure = tracker.track(look(0.1)).confidence
    tracker.matcher.scale = 0.2 / sure
    doubted = tracker.track(look(0.1))
    assert doubted.state is TrackState.TRACKING
    assert doubted.confidence < tracker.parameters.lost_threshold
    tracker.matcher.scale = 1.0
    for _ in range(2):
        tracker.track(look(0.1))
        assert tracker._template is first
    tracker.track(look(0.1))
    assert not np.array_equal(tracker._template, first)


def test_the_recent_templates_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = started(learn_delay=5, learn_every=2)
    remembered: list[np.ndarray] = []
    monkeypatch.setattr(tracker._memory._gallery, "remember", remembered.append)
    first = tracker._template
    for _ in range(4):
        assert tracker.track(look(0.1)).state is TrackState.TRACKING
    assert len(remembered) == 2
    assert tracker._template is first


def test_without_a_share_the_first_template_comes_back() -> None:
    tracker = started(template_share=0.5)
    first = tracker._template
    tracker.track(look(0.1))
    assert not np.array_equal(tracker._template, first)
    tracker.set_parameters({"template_share": 0.0})
    assert tracker.track(look(0.1)).state is TrackState.TRACKING
    assert tracker._template is first


def test_a_new_target_starts_with_its_own_template() -> None:
    tracker = started(template_share=0.5)
    tracker.track(look(0.1))
    tracker.init(look(0.7), BOX)
    fresh = started()
    fresh.init(look(0.7), BOX)
    assert np.array_equal(tracker._template, fresh._template)
