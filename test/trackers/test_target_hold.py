"""Losing and finding a target, told by confidence, place and likeness alone."""

from __future__ import annotations

import pytest

from visual_tracker.boxes import Box
from visual_tracker.trackers.base import TrackState
from visual_tracker.trackers.confidence import Thresholds
from visual_tracker.trackers.likeness import Likeness
from visual_tracker.trackers.target_hold import HoldRules, Sighting, TargetHold

HOME, NEAR, FAR = Box(0, 0, 10, 10), Box(5, 0, 10, 10), Box(500, 0, 10, 10)
RULES = HoldRules(
    Thresholds(lost=0.5, found=0.8, similarity=0.3),
    long_term=True,
    patience=2,
    reidentify=True,
    confirm_frames=1,
)
ALIKE = Likeness(0.9, 0.9)


def seen(box: Box, confidence: float, likeness: Likeness = ALIKE) -> Sighting:
    return Sighting(box, confidence, lambda: likeness)


def unasked() -> Likeness:
    raise AssertionError("nobody needs to know")


def lost(rules: HoldRules = RULES) -> TargetHold:
    """A hold on a target that was at HOME and has just been given up."""
    hold = TargetHold(HOME)
    for _ in range(rules.patience + 1):
        assert hold.update(seen(FAR, 0.1), rules)[0] is TrackState.LOST
    assert hold.is_lost
    return hold


def test_a_doubt_shows_the_best_proposal_and_a_loss_the_box_held_last() -> None:
    hold = TargetHold(Box(1, 1, 1, 1))
    assert hold.update(seen(HOME, 0.5), RULES) == (TrackState.TRACKING, HOME)
    for _ in range(RULES.patience):
        assert hold.update(seen(NEAR, 0.49), RULES) == (TrackState.LOST, NEAR)
        assert not hold.is_lost
        assert hold.origin(NEAR) is NEAR
        assert hold.search_steps == 0
    for step in (1, 2, 3):
        assert hold.update(seen(FAR, 0.49), RULES) == (TrackState.LOST, HOME)
        assert hold.search_steps == step
        assert hold.origin(FAR) is HOME


def test_a_doubt_that_ends_leaves_nothing_behind() -> None:
    hold = TargetHold(HOME)
    for _ in range(3):
        for _ in range(RULES.patience):
            hold.update(seen(NEAR, 0.1), RULES)
        assert hold.update(seen(NEAR, 0.5), RULES) == (TrackState.TRACKING, NEAR)
    assert not hold.is_lost


def test_a_short_term_hold_is_never_given_up() -> None:
    hold = TargetHold(HOME)
    for _ in range(10):
        shown = hold.update(seen(FAR, 0.1), RULES._replace(long_term=False))
        assert shown == (TrackState.LOST, FAR)
    assert not hold.is_lost


def test_the_likeness_is_asked_only_of_a_confident_proposal_after_a_loss() -> None:
    hold = TargetHold(HOME)
    hold.update(Sighting(NEAR, 0.9, unasked), RULES)
    hold.update(Sighting(NEAR, 0.1, unasked), RULES)
    lost().update(Sighting(FAR, 0.79, unasked), RULES)
    lost().update(Sighting(FAR, 0.9, unasked), RULES._replace(reidentify=False))
    with pytest.raises(AssertionError, match="nobody"):
        lost().update(Sighting(FAR, 0.8, unasked), RULES)


@pytest.mark.parametrize(
    ("box", "confidence", "likeness", "found"),
    [
        (FAR, 0.8, ALIKE, True),
        (FAR, 0.79, ALIKE, False),
        (NEAR, 0.65, ALIKE, True),
        (NEAR, 0.64, ALIKE, False),
        (FAR, 0.9, Likeness(0.3, 0.3), True),
        (FAR, 0.9, Likeness(0.29, 0.9), False),
        (FAR, 0.9, Likeness(0.9, 0.29), False),
    ],
)
def test_what_is_found(box: Box, confidence: float, likeness: Likeness, found: bool) -> None:
    state, shown = lost().update(seen(box, confidence, likeness), RULES)
    assert (state is TrackState.TRACKING) == found
    # what a held target would be is shown, found or not
    assert shown is box


def test_without_re_identification_place_and_looks_do_not_count() -> None:
    rules = RULES._replace(reidentify=False)
    unlike = Likeness(-1.0, -1.0)
    assert lost().update(seen(NEAR, 0.79, unlike), rules)[0] is TrackState.LOST
    assert lost().update(seen(FAR, 0.8, unlike), rules)[0] is TrackState.TRACKING


def test_a_candidate_is_looked_at_where_it_is_until_it_is_confirmed_or_gone() -> None:
    rules = RULES._replace(confirm_frames=2)
    hold = lost(rules)
    assert hold.update(seen(FAR, 0.9), rules) == (TrackState.LOST, FAR)
    assert hold.is_lost
    assert hold.search_steps == 0
    assert hold.origin(HOME) is FAR
    assert hold.update(seen(HOME, 0.1), rules) == (TrackState.LOST, HOME)
    # the search goes on where it was, and the count begins anew
    assert hold.search_steps == 3
    assert hold.origin(FAR) is HOME
    assert hold.update(seen(FAR, 0.9), rules)[0] is TrackState.LOST
    assert hold.update(seen(FAR, 0.9), rules) == (TrackState.TRACKING, FAR)
    assert not hold.is_lost
    assert hold.search_steps == 0


def test_thresholds_given_go_before_the_own_ones_and_found_is_not_below_lost() -> None:
    own = Thresholds(0.3, 0.7, 0.2)
    assert own.overridden(Thresholds(-1, -1, -1)) == own
    assert own.overridden(Thresholds(0.0, -1, 0.5)) == Thresholds(0.0, 0.7, 0.5)
    assert own.overridden(Thresholds(-1, 0.1, -1)) == Thresholds(0.3, 0.3, 0.2)
    assert own.overridden(Thresholds(0.9, -1, -1)) == Thresholds(0.9, 0.9, 0.2)
