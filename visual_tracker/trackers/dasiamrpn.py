"""DaSiamRPN: SiamRPN that knows distractors and finds a lost target again.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018.

Distractor-aware (section 3.3): proposals that survive non-maximum suppression and resemble the
target are distractors; the target is ranked by what it has in common with the target and not with
them (see `visual_tracker.trackers.distractors`). Left open by the paper and chosen here: the
candidates are the `candidates` best of the ranked proposals; a candidate is a distractor if the
network's own probability is above `distractor_threshold`; the similarity to the combined template
is added to the rank with `distractor_weight`; the template learns only from frames whose confidence
is above `learn_threshold`. And distractors are followed from frame to frame, so that none of them
is taken for the target (`visual_tracker.trackers.distractor_tracks`, after KeepTrack).

Target model (ours, after ECO, ATOM and DiMP; see `visual_tracker.trackers.target_model`): a filter
learned on line on the network's features, with the distractors as negatives. It is joined to the
network's probability with `model_weight` before penalty and window; the network's regression gives
the box, less what it got wrong in the first frame. What is learned of a target and when, this and
the templates, is in `visual_tracker.trackers.target_memory`.

Box check (`visual_tracker.trackers.box_check`, ours): every `check_every` frames the target is
looked for at another scale with the first frame's template; a box that looks more like the first
frame's by `check_margin` replaces the present one.

Confidence: the probability that the chosen box is the target, of all signs together, where a
calibration lies beside the weights (`visual_tracker.trackers.confidence`); the network's own
elsewhere.

Long-term (section 3.4): the target is lost below `lost_threshold` and found again above
`found_threshold`, and then only, as a guard of ours against look-alikes (re-identification), if it
looks like the target in its first frame and lately (`visual_tracker.trackers.likeness`). A frame
that is little below the threshold makes no loss yet, nor does one little above it undo one
(`hysteresis`, ours). While the target is lost, the box follows the best proposal all the same,
reported as lost (ours). After more than `patience` frames of that a second region is searched in
each frame in which the target is not found nearby: without a window, around the box held last,
growing each frame by `search_growth` network pixels until it covers the image
(`visual_tracker.trackers.search_plan`), for a target of the size held last and of the one that it
had before the doubts, by turns (`visual_tracker.trackers.sure_size`). What is likelier there than
nearby is shown and followed instead (`visual_tracker.trackers.target_hold`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import Question, Response, respond_to
from visual_tracker.trackers.asking import Steps
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.box_check import ALIKE, BoxCheck, contenders
from visual_tracker.trackers.choice import Choice, Filtered
from visual_tracker.trackers.confidence import (
    Evidence,
    Thresholds,
)
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.distractor_tracks import Candidates, DistractorTracks
from visual_tracker.trackers.first_views import first_views
from visual_tracker.trackers.likeness import Likeness
from visual_tracker.trackers.score_map import suppress
from visual_tracker.trackers.search_plan import SearchPlan
from visual_tracker.trackers.siamrpn import Ranked, SiamRpnTracker
from visual_tracker.trackers.sure_size import SureSize
from visual_tracker.trackers.target_hold import HoldRules, Sighting, TargetHold
from visual_tracker.trackers.target_memory import TargetMemory

#: what is rather a known distractor than the target loses so much of its rank, where it overlaps
#: with the distractor alone
_STRANGE_RANK = 0.3
#: and its confidence is multiplied by this power of what overlaps otherwise
_STRANGE_POWER = 2.0


class _Search(NamedTuple):
    """What the search of a crop brought.

    Attributes:
        frame: the crop.
        choice: among its proposals.
        evidence: for what was chosen; None without a target model.
        sighting: of it.
    """

    frame: CropFrame
    choice: Choice
    evidence: Evidence | None
    sighting: Sighting


class DaSiamRpnTracker(SiamRpnTracker):
    """DaSiamRPN."""

    name = "dasiamrpn"
    summary = "DaSiamRPN: distractor-aware, learning on line, long-term (CPU, CUDA)"
    parameters_class = DaSiamRpnParameters

    evidence = Evidence
    uncalibrated = Thresholds(lost=0.25, found=0.8, similarity=0.25)

    def _init(self, image: Image, box: Box) -> None:
        super()._init(image, box)
        self._strangers = DistractorTracks(box)
        self._hold = TargetHold(box)
        self._size = SureSize(box)
        self._check = BoxCheck()
        self._memory = TargetMemory(self.matcher, self._template, self.parameters)
        if self.parameters.target_model or self.parameters.box_correction:
            views = first_views(image, box, self._local_frame(box), self._padding)
            questions = [Question.of_crop(self._template, view.crop) for view in views]
            self._memory.learn_views(views, respond_to(self.matcher, questions), self.parameters)

    def _steps(self, image: Image, last: Track) -> Steps:
        seen = yield from self._search(image, self._local_frame(last.box), last.box)
        rules, region, others = self._hold_rules(), seen.frame.region, []
        is_lost = rules.long_term and self._hold.is_lost
        if is_lost and not self._hold.is_found(seen.sighting, rules):
            wide = yield from self._wide_search(image)
            region, others = wide.frame.region, [wide]
            if self._hold.prefers(wide.sighting, seen.sighting, rules):
                seen, others = wide, [seen]
        state = self._hold.update(seen.sighting, rules)
        self._follow_distractors(seen, others, state)
        box, confidence = seen.sighting.box, seen.sighting.confidence
        # one bad frame makes no loss, but may be the first of an occluder
        if state is TrackState.TRACKING and confidence >= rules.thresholds.lost:
            box = yield from self._keep(image, seen)
        else:
            self._drop_what_waits()
        return Track(box, confidence, state, region)

    def _keep(self, image: Image, seen: _Search) -> Generator[Question, Response, Box]:
        """Learn from a frame in which the target is held, or frame it better; its box."""
        box, confidence = seen.sighting.box, seen.sighting.confidence
        # asked for by the check and by the lesson, in few frames
        template = cache(lambda: self._template_of(image, box))
        better = None
        if self._check.is_due(self.parameters.check_every):
            better = yield from self._better_box(image, box, template)
        if better is None:
            self._learn(seen.choice, template, confidence)
            is_sure = confidence > self.parameters.template_threshold
            self._size.note(box, is_sure, self.parameters.learn_delay)
            return box
        # what was seen in the wrong frame is not what is to be learned
        self._drop_what_waits()
        self._hold.correct(better)
        return better

    def _search(
        self, image: Image, frame: CropFrame, origin: Box, wide: bool = False
    ) -> Generator[Question, Response, _Search]:
        """Search a crop for what the target's box may be, `origin` being the last one."""
        response = yield self._question(image, frame)
        choice = self._look(response, frame, origin, wide)
        evidence = self._memory.evidence(choice)
        confidence = self._confidence(choice, evidence)
        box = self._updated(
            frame, choice.ranked, choice.chosen, origin, size_of(image), trust=confidence
        )
        likeness = cache(lambda: self._likeness(choice, evidence))
        sighting = Sighting(box, confidence, likeness)
        return _Search(frame, choice, evidence, sighting)

    def _wide_search(self, image: Image) -> Generator[Question, Response, _Search]:
        """Search the region that grows around the box held last."""
        steps = self._hold.search_steps
        sought, turn = self._size.sought(self._hold.held_box, steps)
        frame = self._wide_frame(image, sought, steps, turn)
        return (yield from self._search(image, frame, sought, wide=True))

    def _wide_frame(self, image: Image, box: Box, steps: int, turn: int) -> CropFrame:
        """The region around a box after so many steps of growth, or the part whose turn it is."""
        chosen = self.parameters
        plan = SearchPlan(chosen.search_growth, chosen.largest_search, self.geometry)
        return plan.frame(box.center, self._pixel(box), steps, turn, size_of(image))

    # Whether it is framed as in the first frame --------------------------------------------------

    def _better_box(
        self, image: Image, box: Box, template: Callable[[], Any]
    ) -> Generator[Question, Response, Box | None]:
        """A box of another size that looks more like the first frame's; None if there is none.

        `template` makes that of the box.
        """
        likeness = self._memory.likeness_to_first(template())
        if likeness > ALIKE:
            return None
        frame = self._check.look(self._local_frame(box))
        response = yield Question(self._memory.first_template, image, frame, self._padding)
        others = [
            (self._memory.likeness_to_first(self._template_of(image, other)), other)
            for other in self._contenders(response, frame, size_of(image))
            if other.iou(box) > 0
        ]
        most, best = max(others, key=itemgetter(0), default=(0.0, None))
        return best if most > likeness + self.parameters.check_margin else None

    def _contenders(
        self, response: Response, frame: CropFrame, image_size: tuple[int, int]
    ) -> list[Box]:
        boxes = frame.centered_to_image(contenders(self._memory.proposals(response)))
        return [
            self._bounded((x, y), (width, height), image_size)
            for x, y, width, height in boxes.T.tolist()
        ]

    # Which proposal it is -----------------------------------------------------------------------

    def _look(self, response: Response, frame: CropFrame, box: Box, wide: bool) -> Choice:
        """Ask the target model about the network's answer, too, and choose.

        A window weighs the places around the crop's centre more, but in a wide search.
        """
        proposals = self._memory.proposals(response)
        filtered = self._memory.filtered(response, proposals)
        scores = proposals.scores
        if filtered is not None:
            weight = self.parameters.model_weight
            scores = (scores + weight * np.maximum(filtered.values, 0)) / (1 + weight)
        window = 0.0 if wide else self.parameters.window_influence
        ranked = self._rank(response, proposals, scores, frame, box, window)
        if not self.parameters.distractor_aware:
            return Choice(ranked, int(ranked.ranks.argmax()), [], filtered, None)
        return self._choose(ranked, filtered, frame)

    def _choose(self, ranked: Ranked, filtered: Filtered | None, frame: CropFrame) -> Choice:
        """The target's proposal, and those of its distractors."""
        places = self._candidates(ranked)
        chosen = self.parameters
        similarity = self._memory.similarity(ranked, places, chosen.distractor_strength)
        ranks = ranked.ranks[places] + chosen.distractor_weight * similarity
        boxes = frame.centered_to_image(ranked.proposals.boxes[:, places])
        strangeness = self._strangers.strangeness(boxes)
        best = int((ranks - _STRANGE_RANK * strangeness).argmax())
        alike = ranked.proposals.scores[places] > chosen.distractor_threshold
        distractors = [places[k] for k in np.flatnonzero(alike) if k != best]
        candidates = Candidates(boxes, alike, best, float(strangeness[best]))
        return Choice(ranked, places[best], distractors, filtered, candidates)

    def _candidates(self, ranked: Ranked) -> list[int]:
        """Proposals that survive suppression, of those that could win or be distractors."""
        weight, strength = self.parameters.distractor_weight, self.parameters.distractor_strength
        # no similarity to the combined template lifts a proposal by more than this over another
        reach = 2 * weight * (1 + strength)
        worthy = ranked.ranks >= ranked.ranks.max() - reach
        worthy |= ranked.proposals.scores > self.parameters.distractor_threshold
        places = np.flatnonzero(worthy)
        kept = suppress(
            ranked.proposals.boxes[:, places],
            ranked.ranks[places],
            self.parameters.suppression,
            self.parameters.candidates,
        )
        return [int(place) for place in places[kept]]

    # Whether it is the target -------------------------------------------------------------------

    def _confidence(self, choice: Choice, evidence: Evidence | None) -> float:
        if evidence is None or self.calibration is None or not self.parameters.calibrated:
            probability = float(choice.ranked.proposals.scores[choice.chosen])
        else:
            probability = self.calibration.probability(evidence)
        if choice.candidates is None:
            return probability
        return probability * (1 - choice.candidates.strangeness) ** _STRANGE_POWER

    def _likeness(self, choice: Choice, evidence: Evidence | None) -> Likeness:
        """How much the chosen box looks like the target; taken from the evidence, if there is."""
        if evidence is not None:
            return Likeness(evidence.first, evidence.recent)
        return self._memory.likeness(choice)

    def _hold_rules(self) -> HoldRules:
        chosen = self.parameters
        return HoldRules(
            self._thresholds(),
            chosen.hysteresis,
            chosen.long_term,
            chosen.patience,
            chosen.reidentify,
            chosen.confirm_frames,
        )

    def _thresholds(self) -> Thresholds:
        """Those given, else those of the calibration, else those of the network's probability."""
        chosen, own = self.parameters, self.uncalibrated
        if self.calibration is not None and chosen.calibrated and self._memory.has_model:
            own = self.calibration.thresholds
        given = Thresholds(chosen.lost_threshold, chosen.found_threshold, chosen.found_similarity)
        return own.overridden(given)

    # Learning -----------------------------------------------------------------------------------

    def _follow_distractors(self, seen: _Search, others: list[_Search], state: TrackState) -> None:
        """Where the distractors went, `others` being what was not taken for the target."""
        taken = seen.choice.candidates
        if taken is None or not self.parameters.track_distractors:
            self._strangers = DistractorTracks(seen.sighting.box)
            return
        is_held = state is TrackState.TRACKING
        is_sure = is_held and seen.sighting.confidence > self.parameters.learn_threshold
        found = (other.choice.candidates for other in others)
        self._strangers.update(taken, [one for one in found if one is not None], is_sure)

    def _learn(self, choice: Choice, template: Callable[[], Any], confidence: float) -> None:
        """Learn from a frame in which the target is held; `template` makes that of its box."""
        self._memory.learn(choice, template, confidence, self.parameters)
        self._template = self._memory.template(self.parameters.template_share)

    def _drop_what_waits(self) -> None:
        """Forget what the last frames showed: the target is not held, or was not framed rightly."""
        self._memory.drop_lessons()
        self._size.drop()
