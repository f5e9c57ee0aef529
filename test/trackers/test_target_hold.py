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
    hysteresis=0.0,
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
        assert hold.update(seen(FAR, 0.1), rules) is TrackState.LOST
    assert hold.is_lost
    return hold


def test_a_doubt_that_lasts_is_a_loss_and_what_was_held_last_is_remembered() -> None:
    hold = TargetHold(Box(1, 1, 1, 1))
    assert hold.update(seen(HOME, 0.5), RULES) is TrackState.TRACKING
    for _ in range(RULES.patience):
        assert hold.update(seen(NEAR, 0.49), RULES) is TrackState.LOST
        assert not hold.is_lost
        assert hold.search_steps == 0
    for step in (1, 2, 3):
        assert hold.update(seen(FAR, 0.49), RULES) is TrackState.LOST
        assert hold.search_steps == step
        assert hold.held_box is HOME


def test_a_doubt_that_ends_leaves_nothing_behind() -> None:
    hold = TargetHold(HOME)
    for _ in range(3):
        for _ in range(RULES.patience):
            hold.update(seen(NEAR, 0.1), RULES)
        assert hold.update(seen(NEAR, 0.5), RULES) is TrackState.TRACKING
    assert not hold.is_lost


@pytest.mark.parametrize(
    ("confidences", "states"),
    [
        # logits of .4, .2, .6 and .8 are -.405, -1.386, .405 and 1.386
        ([0.4, 0.4, 0.4], "TTL"),
        ([0.2], "L"),
        ([0.4, 0.4, 0.9, 0.4, 0.4, 0.4], "TTTTTL"),
        ([0.4, 0.4, 0.6, 0.4, 0.4], "TTTTL"),
        ([0.2, 0.6, 0.6, 0.6], "LLLT"),
        ([0.2, 0.8], "LT"),
        ([0.2, 0.6, 0.1, 0.6, 0.6, 0.6], "LLLLLT"),
        ([0.2, 0.8, 0.4, 0.4, 0.4], "LTTTL"),  # what was before the loss has been told
    ],
)
def test_loss_and_return_take_evidence_that_adds_up(confidences: list[float], states: str) -> None:
    hold = TargetHold(HOME)
    rules = RULES._replace(hysteresis=1.0, patience=100)
    names = {TrackState.TRACKING: "T", TrackState.LOST: "L"}
    assert "".join(names[hold.update(seen(HOME, c), rules)] for c in confidences) == states


def test_what_ends_a_doubt_is_seen_in_one_place() -> None:
    hold = TargetHold(HOME)
    rules = RULES._replace(hysteresis=1.0, patience=100)
    hold.update(seen(HOME, 0.2), rules)
    for box in (NEAR, FAR, HOME, FAR):
        assert hold.update(seen(box, 0.7), rules) is TrackState.LOST
    assert hold.update(seen(FAR, 0.7), rules) is TrackState.TRACKING


def test_a_short_term_hold_is_never_given_up() -> None:
    hold = TargetHold(HOME)
    for _ in range(10):
        state = hold.update(seen(FAR, 0.1), RULES._replace(long_term=False))
        assert state is TrackState.LOST
    assert not hold.is_lost


def test_without_the_long_term_mode_what_was_given_up_is_so_no_more() -> None:
    hold = lost()
    short = RULES._replace(long_term=False)
    assert hold.update(seen(FAR, 0.1), short) is TrackState.LOST
    assert not hold.is_lost
    assert hold.search_steps == 0
    # and a doubt ends at the lower threshold
    assert hold.update(seen(FAR, 0.6), short) is TrackState.TRACKING


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
    hold = lost()
    assert hold.is_found(seen(box, confidence, likeness), RULES) == found
    # to ask changes nothing
    assert hold.is_lost
    assert hold.held_box is HOME
    state = hold.update(seen(box, confidence, likeness), RULES)
    assert (state is TrackState.TRACKING) == found
    assert hold.held_box is (box if found else HOME)


@pytest.mark.parametrize(
    ("confidences", "found"),
    [
        # logits of .6 and .8, above that of .5, are .405 and 1.386
        ([0.6, 0.6, 0.6], False),
        ([0.6, 0.6, 0.6, 0.6], True),
        ([0.7, 0.7], True),  # .847 each
        ([0.7, 0.45, 0.6], False),  # .847 - .201 + .405
        ([0.7, 0.45, 0.7], True),
        ([0.7, 0.6, 0.49], False),  # in doubt now, whatever was before
        ([0.01, 0.01, 0.01, 0.79], False),  # and what was before is not held against it
    ],
)
def test_the_evidence_of_frames_in_a_row_adds_up(confidences: list[float], found: bool) -> None:
    hold = lost()
    *before, last = confidences
    # what was seen does not count where something else is followed now
    hold.update(seen(FAR, 0.75), RULES)
    for step, confidence in enumerate(before):
        there = Box(200 + 5 * step, 0, 10, 10)
        if hold.update(seen(there, confidence), RULES) is TrackState.TRACKING:
            assert found
            return
    there = Box(200 + 5 * len(before), 0, 10, 10)
    assert hold.is_found(seen(there, last), RULES) == found
    assert not hold.is_found(seen(HOME, 0.55), RULES)
    assert not hold.is_found(seen(there, last, Likeness(0.0, 0.0)), RULES)


@pytest.mark.parametrize(
    ("near", "wide", "likeness", "preferred"),
    [
        (0.1, 0.8, ALIKE, True),
        (0.1, 0.51, ALIKE, True),
        (0.1, 0.5, ALIKE, False),  # it would not even be held
        (0.6, 0.59, ALIKE, False),
        (0.6, 0.61, Likeness(0.0, 0.0), True),  # shown, not found
        (0.85, 0.82, ALIKE, True),
        (0.85, 0.82, Likeness(0.0, 0.0), False),
    ],
)
def test_what_is_seen_elsewhere_is_shown_if_it_is_likelier_or_found(
    near: float, wide: float, likeness: Likeness, preferred: bool
) -> None:
    there = seen(FAR, wide, likeness)
    assert lost().prefers(there, seen(NEAR, near), RULES) == preferred


def test_without_re_identification_place_and_looks_do_not_count() -> None:
    rules = RULES._replace(reidentify=False)
    unlike = Likeness(-1.0, -1.0)
    assert lost().update(seen(NEAR, 0.79, unlike), rules) is TrackState.LOST
    assert lost().update(seen(FAR, 0.8, unlike), rules) is TrackState.TRACKING


def test_a_candidate_is_confirmed_in_frames_in_a_row() -> None:
    rules = RULES._replace(confirm_frames=2)
    hold = lost(rules)
    assert hold.update(seen(FAR, 0.9), rules) is TrackState.LOST
    assert hold.is_lost
    assert hold.update(seen(HOME, 0.1), rules) is TrackState.LOST
    # the search has gone on, and the count begins anew
    assert hold.search_steps == 3
    assert hold.update(seen(FAR, 0.9), rules) is TrackState.LOST
    assert hold.update(seen(FAR, 0.9), rules) is TrackState.TRACKING
    assert not hold.is_lost
    assert hold.search_steps == 0
    assert hold.held_box is FAR


def test_thresholds_given_go_before_the_own_ones_and_found_is_not_below_lost() -> None:
    own = Thresholds(0.3, 0.7, 0.2)
    assert own.overridden(Thresholds(-1, -1, -1)) == own
    assert own.overridden(Thresholds(0.0, -1, 0.5)) == Thresholds(0.0, 0.7, 0.5)
    assert own.overridden(Thresholds(-1, 0.1, -1)) == Thresholds(0.3, 0.3, 0.2)
    assert own.overridden(Thresholds(0.9, -1, -1)) == Thresholds(0.9, 0.9, 0.2)


def test_evidence_is_counted_from_the_threshold_of_a_loss() -> None:
    # logits of .1, .2, .4, .45, .51 and .8 are -2.197, -1.386, -.405, -.201, .04 and 1.386
    rules = RULES._replace(thresholds=Thresholds(lost=0.2, found=0.8, similarity=0.3))
    for confidence, found in ((0.45, False), (0.51, True)):
        hold = lost(rules)
        assert hold.update(seen(FAR, confidence), rules) is TrackState.LOST
        assert (hold.update(seen(FAR, confidence), rules) is TrackState.TRACKING) == found
    held = TargetHold(HOME)
    patient = rules._replace(hysteresis=1.0)
    states = [held.update(seen(HOME, confidence), patient) for confidence in (0.1, 0.4, 0.1, 0.1)]
    # each .1 speaks for a loss by .811, and .4 against it by .981
    assert states == [TrackState.TRACKING] * 3 + [TrackState.LOST]


def test_what_is_below_the_threshold_of_a_loss_is_not_found_whatever_was_before() -> None:
    hold = lost()
    # it was seen beside where it was lost, where that is not enough yet, and has come back there
    assert hold.update(seen(Box(12, 0, 10, 10), 0.7), RULES) is TrackState.LOST
    back = Box(8, 0, 10, 10)
    assert hold.is_found(seen(back, 0.5), RULES)
    assert not hold.is_found(seen(back, 0.49), RULES)
