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
the box, less what it got wrong in the first frame (`visual_tracker.trackers.box_correction`).

Template update (`visual_tracker.trackers.template_update`): the network searches for the first
template and, by `template_share`, a running mean of later ones.

Delayed lessons (`visual_tracker.trackers.delayed_lessons`, ours): all of this learns from a frame
only when the target has been held for `learn_delay` frames after it, so that what covers a target
bit by bit is not learned as the target. The recent templates, by which the confidence judges how
much the target still looks like itself, do not wait.

Box check (`visual_tracker.trackers.box_check`, ours): every `check_every` frames the target is
looked for at another scale with the first frame's template; a box that looks more like the first
frame's by `check_margin` replaces the present one.

Confidence: the probability that the chosen box is the target, of all signs together, where a
calibration lies beside the weights (`visual_tracker.trackers.confidence`); the network's own
elsewhere.

Long-term (section 3.4): the target is lost below `lost_threshold` and found again above
`found_threshold`, and then only, as a guard of ours against look-alikes (re-identification), if it
looks like the target in its first frame and lately (`visual_tracker.trackers.likeness`). While it
is not, the box follows the best proposal all the same, reported as lost (ours). After `patience`
frames of that a second region is searched in each frame in which the target is not found nearby:
without a window, around the box held last, growing each frame by `search_growth` network pixels
until it covers the image (`visual_tracker.trackers.search_plan`). What is likelier there than
nearby is shown and followed instead (`visual_tracker.trackers.target_hold`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import FloatArray, Question, Response, respond_to
from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.asking import Steps
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.box_check import ALIKE, BoxCheck, contenders
from visual_tracker.trackers.box_correction import corrected, measure_correction
from visual_tracker.trackers.confidence import (
    Calibration,
    Evidence,
    Thresholds,
    load_calibration,
    logit,
)
from visual_tracker.trackers.delayed_lessons import DelayedLessons
from visual_tracker.trackers.distractor_tracks import Candidates, DistractorTracks
from visual_tracker.trackers.distractors import CombinedTemplate, window_of
from visual_tracker.trackers.first_views import View, first_views
from visual_tracker.trackers.likeness import Gallery, Likeness
from visual_tracker.trackers.score_map import Proposals, decode_response, suppress
from visual_tracker.trackers.search_plan import lost_frame
from visual_tracker.trackers.siamrpn import Ranked, SiamRpnParameters, SiamRpnTracker
from visual_tracker.trackers.target_hold import HoldRules, Sighting, TargetHold
from visual_tracker.trackers.target_model import (
    ModelSettings,
    TargetModel,
    nearest_cell,
    peak_near,
    values_at,
)
from visual_tracker.trackers.template_update import UpdatedTemplate
from visual_tracker.trackers.torch_runtime import weights_path
from visual_tracker.trackers.turns import Turns

#: thresholds on the network's own probability, where no calibration lies beside the weights;
#: chosen on held-out training videos for the first weights of `lite`
_UNCALIBRATED = Thresholds(lost=0.25, found=0.8, similarity=0.25)

#: what is rather a known distractor than the target loses so much of its rank, where it overlaps
#: with the distractor alone
_STRANGE_RANK = 0.3
#: and its confidence is multiplied by this power of what overlaps otherwise
_STRANGE_POWER = 2.0

#: the filter's peak is looked for within this share of the box's mean side from its centre
_PEAK_RADIUS = 0.5


@dataclass(frozen=True)
class DaSiamRpnParameters(SiamRpnParameters):
    """Parameters of DaSiamRPN; the defaults were chosen on videos of the training data."""

    size_rate: float = parameter(
        0.8,
        "How fast the size follows, at full score and confidence.",
        minimum=0.0,
        maximum=1.0,
    )
    lost_threshold: float = parameter(
        -1.0,
        "Lost when the confidence falls below this; negative: as calibrated for the weights.",
        minimum=-1.0,
        maximum=1.0,
    )
    found_threshold: float = parameter(
        -1.0,
        "Found again when the confidence rises above this, or that of frames in a row adds up to "
        "as much; negative: as calibrated.",
        minimum=-1.0,
        maximum=1.0,
    )
    calibrated: bool = parameter(
        True, "Confidence is the calibrated probability, where there is one for the weights."
    )
    long_term: bool = parameter(
        True, "Search a growing region, too, while lost; false only follows the best proposal."
    )
    patience: int = parameter(
        5,
        "Frames in a row below lost_threshold after which a growing region is searched, too.",
        minimum=0,
        maximum=10000,
    )
    search_growth: int = parameter(
        128,
        "Growth of the search region a frame while lost, in network pixels.",
        minimum=1,
        maximum=1024,
    )
    largest_search: int = parameter(
        449,
        "Largest side of a search crop in network pixels; a larger region is searched in tiles.",
        minimum=257,
        maximum=4097,
    )
    reidentify: bool = parameter(
        True,
        "Found again only if it looks like the first and the recent templates; less confidence "
        "does where it was lost.",
    )
    found_similarity: float = parameter(
        -1.0,
        "Least similarity to the first and to a recent template; negative: as calibrated.",
        minimum=-1.0,
        maximum=1.0,
    )
    confirm_frames: int = parameter(
        1, "Found again when it is found in so many frames in a row.", minimum=1, maximum=100
    )
    target_model: bool = parameter(
        True,
        "Learn a filter of the target on line and rank by it too.",
        applies=Applies.AT_NEXT_INIT,
    )
    model_weight: float = parameter(
        1.0, "Weight of the filter against the network's score.", minimum=0.0, maximum=10.0
    )
    model_channels: int = parameter(
        32,
        "Channels of the filter: principal components of the network's features.",
        minimum=1,
        maximum=512,
        applies=Applies.AT_NEXT_INIT,
    )
    model_decay: float = parameter(
        0.98,
        "Factor by which a learned frame counts less with each one learned after it.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    model_distractor_weight: float = parameter(
        1.0,
        "Weight of a distractor against another sample of the surroundings; 0: not learned.",
        minimum=0.0,
        maximum=100.0,
        applies=Applies.AT_NEXT_INIT,
    )
    learn_delay: int = parameter(
        12,
        "A frame is learned when the target has been held for so many frames after it; 0: at once, "
        "for targets that are never covered.",
        minimum=0,
        maximum=1000,
    )
    learn_every: int = parameter(
        4, "The filter and the recent templates learn every n-th frame.", minimum=1, maximum=1000
    )
    template_share: float = parameter(
        0.5,
        "Share of later templates in the one searched for; 0 keeps the first.",
        minimum=0.0,
        maximum=1.0,
    )
    template_rate: float = parameter(
        0.2, "Weight of a new template among the later ones.", minimum=0.0, maximum=1.0
    )
    template_threshold: float = parameter(
        0.8, "Confidence above which the template is updated.", minimum=0.0, maximum=1.0
    )
    box_correction: float = parameter(
        0.4,
        "Share of the boxes' error in the first frame that is taken off later boxes.",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    check_every: int = parameter(
        4,
        "The box is checked against the first frame at another scale every n-th frame; 0: never.",
        minimum=0,
        maximum=1000,
    )
    check_margin: float = parameter(
        0.08,
        "By so much another box must look more like the first frame's to replace the present one.",
        minimum=0.0,
        maximum=1.0,
    )
    distractor_aware: bool = parameter(True, "Rank proposals by the distractor-aware template.")
    distractor_weight: float = parameter(
        0.1, "Weight of the similarity to the combined template.", minimum=0.0, maximum=10.0
    )
    distractor_strength: float = parameter(
        0.5,
        "How much distractors count against the target (the paper's a^).",
        minimum=0.0,
        maximum=10.0,
    )
    distractor_threshold: float = parameter(
        0.5, "A candidate with a higher score is a distractor.", minimum=0.0, maximum=1.0
    )
    track_distractors: bool = parameter(
        True, "Follow distractors, too, and take none that is known for the target."
    )
    learn_threshold: float = parameter(
        0.4, "Confidence above which templates and filter learn.", minimum=0.0, maximum=1.0
    )
    candidates: int = parameter(8, "Proposals that are ranked anew.", minimum=1, maximum=100)
    suppression: float = parameter(
        0.3, "IoU above which a lesser proposal is suppressed.", minimum=0.0, maximum=1.0
    )


class Filtered(NamedTuple):
    """What the target model says of a crop.

    Attributes:
        features: projected, (channels, H, W).
        answer: its map, (rows, columns).
        values: its answer at each proposal's centre, (N,).
    """

    features: FloatArray
    answer: FloatArray
    values: FloatArray


class Choice(NamedTuple):
    """The target's proposal among those of a crop.

    Attributes:
        ranked: all proposals.
        chosen: index of the target's.
        distractors: indices of those that resemble it.
        filtered: what the target model says, None without one.
        candidates: the proposals between which it was chosen; None where distractors are of no
            concern.
    """

    ranked: Ranked
    chosen: int
    distractors: list[int]
    filtered: Filtered | None
    candidates: Candidates | None


class Thorough(NamedTuple):
    """What every `learn_every`-th frame teaches besides.

    Attributes:
        features: projected, of the crop; None without a target model.
        box: of the target in the crop, (4,).
        distractors: (2, n), x and y of their centres in the crop.
        template: of the frame, None where its confidence is too low for one.
    """

    features: FloatArray | None
    box: FloatArray
    distractors: FloatArray
    template: Any | None


class Lesson(NamedTuple):
    """What a frame teaches.

    Attributes:
        target: embedding of the cell that proposes it.
        distractors: those of the distractors.
        thorough: of every `learn_every`-th frame.
    """

    target: FloatArray
    distractors: list[FloatArray]
    thorough: Thorough | None


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

    #: of the weights in use, None where there is none
    calibration: Calibration | None = None

    def _make_matcher(self) -> Any:
        weights = weights_path(self.kind, self.parameters.network, self.parameters.weights)
        assert weights is not None  # or unavailable_reason would have said so
        self.calibration = load_calibration(weights)
        return super()._make_matcher()

    def _init(self, image: Image, box: Box) -> None:
        super()._init(image, box)
        self._searched = UpdatedTemplate(self.matcher, self._template)
        embedding = self.matcher.embedding(self._template)
        self._combined = CombinedTemplate(embedding, self.parameters.distractor_strength)
        self._strangers = DistractorTracks(box)
        self._gallery = Gallery(embedding)
        self._hold = TargetHold(box)
        self._lesson_turns = Turns()
        self._lessons = DelayedLessons[Lesson]()
        self._check = BoxCheck()
        self._learn_first_frame(image, box)

    def _learn_first_frame(self, image: Image, box: Box) -> None:
        """Start the target model, and see what the network's boxes get wrong here."""
        self._model: TargetModel | None = None
        self._correction = np.zeros(4)
        if not self.parameters.target_model and not self.parameters.box_correction:
            return
        views = first_views(image, box, self._local_frame(box), self._padding)
        questions = [Question.of_crop(self._template, view.crop) for view in views]
        responses = respond_to(self.matcher, questions)
        if self.parameters.target_model:
            self._model = self._new_model(views, responses)
        upright = [
            (decode_response(response, self.geometry), view.box)
            for response, view in zip(responses, views, strict=True)
            if view.is_upright
        ]
        self._correction = self.parameters.box_correction * measure_correction(upright)

    def _new_model(self, views: list[View], responses: list[Response]) -> TargetModel:
        """A target model of what the network says of the first frame's views."""
        settings = ModelSettings(
            channels=self.parameters.model_channels,
            decay=self.parameters.model_decay,
            distractor_weight=self.parameters.model_distractor_weight,
        )
        return TargetModel(
            [response.embedding for response in responses],
            [view.box for view in views],
            self._combined.shape[1],
            self.geometry.stride,
            settings,
        )

    def _steps(self, image: Image, last: Track) -> Steps:
        seen = yield from self._search(image, self._local_frame(last.box), last.box)
        rules, region, others = self._hold_rules(), seen.frame.region, []
        if self._hold.is_lost and not self._hold.is_found(seen.sighting, rules):
            wide = yield from self._wide_search(image)
            region, others = wide.frame.region, [wide]
            if self._hold.prefers(wide.sighting, seen.sighting, rules):
                seen, others = wide, [seen]
        state = self._hold.update(seen.sighting, rules)
        self._follow_distractors(seen, others, state)
        box, confidence = seen.sighting.box, seen.sighting.confidence
        if state is TrackState.TRACKING:
            box = yield from self._keep(image, seen)
        else:
            self._lessons.drop()
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
            return box
        # what was seen in the wrong frame is not what is to be learned
        self._lessons.drop()
        self._hold.correct(better)
        return better

    def _search(
        self, image: Image, frame: CropFrame, origin: Box, wide: bool = False
    ) -> Generator[Question, Response, _Search]:
        """Search a crop for what the target's box may be, `origin` being the last one."""
        response = yield self._question(image, frame)
        choice = self._look(response, frame, origin, wide)
        evidence = self.evidence(choice)
        confidence = self._confidence(choice, evidence)
        box = self._updated(
            frame, choice.ranked, choice.chosen, origin, size_of(image), trust=confidence
        )
        likeness = cache(lambda: self._likeness(choice, evidence))
        sighting = Sighting(box, confidence, likeness)
        return _Search(frame, choice, evidence, sighting)

    def _wide_search(self, image: Image) -> Generator[Question, Response, _Search]:
        """Search the region that grows around the box held last."""
        held = self._hold.held_box
        frame = self._wide_frame(image, held, self._hold.search_steps)
        return (yield from self._search(image, frame, held, wide=True))

    def _wide_frame(self, image: Image, box: Box, steps: int) -> CropFrame:
        """The region around a box after so many steps of growth, or a part of it."""
        return lost_frame(
            box.center,
            self._pixel(box),
            steps,
            self.parameters.search_growth,
            self.parameters.largest_search,
            self.geometry,
            size_of(image),
        )

    # Whether it is framed as in the first frame --------------------------------------------------

    def _better_box(
        self, image: Image, box: Box, template: Callable[[], Any]
    ) -> Generator[Question, Response, Box | None]:
        """A box of another size that looks more like the first frame's; None if there is none.

        `template` makes that of the box.
        """
        likeness = self._likeness_to_first(template())
        if likeness > ALIKE:
            return None
        frame = self._check.look(self._local_frame(box))
        response = yield Question(self._searched.first, image, frame, self._padding)
        others = [
            (self._likeness_to_first(self._template_of(image, other)), other)
            for other in self._contenders(response, frame, size_of(image))
            if other.iou(box) > 0
        ]
        most, best = max(others, key=itemgetter(0), default=(0.0, None))
        return best if most > likeness + self.parameters.check_margin else None

    def _contenders(
        self, response: Response, frame: CropFrame, image_size: tuple[int, int]
    ) -> list[Box]:
        boxes = _in_image(contenders(self._proposals(response)), frame)
        return [
            self._bounded((x, y), (width, height), image_size)
            for x, y, width, height in boxes.T.tolist()
        ]

    def _likeness_to_first(self, template: Any) -> float:
        """Of what a template shows to what the first one does."""
        return self._gallery.likeness(self.matcher.embedding(template)).first

    # Which proposal it is -----------------------------------------------------------------------

    def _look(self, response: Response, frame: CropFrame, box: Box, wide: bool) -> Choice:
        """Ask the target model about the network's answer, too, and choose.

        A window weighs the places around the crop's centre more, but in a wide search.
        """
        proposals = self._proposals(response)
        filtered = self._filter(response, proposals)
        scores = proposals.scores
        if filtered is not None:
            weight = self.parameters.model_weight
            scores = (scores + weight * np.maximum(filtered.values, 0)) / (1 + weight)
        window = 0.0 if wide else self.parameters.window_influence
        ranked = self._rank(response, proposals, scores, frame, box, window)
        if not self.parameters.distractor_aware:
            return Choice(ranked, int(ranked.ranks.argmax()), [], filtered, None)
        return self._choose(ranked, filtered, frame)

    def _proposals(self, response: Response) -> Proposals:
        """Those of an answer, less what the network's boxes get wrong on this target."""
        proposals = decode_response(response, self.geometry)
        return proposals._replace(boxes=corrected(proposals.boxes, self._correction))

    def _filter(self, response: Response, proposals: Proposals) -> Filtered | None:
        if self._model is None:
            return None
        features = self._model.project(response.embedding)
        answer = self._model.respond(features)
        values = values_at(answer, proposals.boxes[:2], self.geometry.stride)
        return Filtered(features, answer, values)

    def _choose(self, ranked: Ranked, filtered: Filtered | None, frame: CropFrame) -> Choice:
        """The target's proposal, and those of its distractors."""
        places = self._candidates(ranked)
        similarity = self._combined.similarity([self._embedding(ranked, k) for k in places])
        ranks = ranked.ranks[places] + self.parameters.distractor_weight * similarity
        boxes = _in_image(ranked.proposals.boxes[:, places], frame)
        strangeness = self._strangers.strangeness(boxes)
        best = int((ranks - _STRANGE_RANK * strangeness).argmax())
        alike = ranked.proposals.scores[places] > self.parameters.distractor_threshold
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

    def evidence(self, choice: Choice) -> Evidence | None:
        """All that speaks for the chosen box; None without a target model."""
        if choice.filtered is None:
            return None
        proposals = choice.ranked.proposals
        box = proposals.boxes[:, choice.chosen]
        # the middle of the box and the filter's peak are seldom at the same place to the pixel
        radius = _PEAK_RADIUS * float(np.sqrt(box[2] * box[3]))
        peak = peak_near(choice.filtered.answer, box[:2], radius, self.geometry.stride)
        network = logit(float(proposals.scores[choice.chosen]))
        return Evidence(network, peak, *self._likeness(choice))

    def _likeness(self, choice: Choice, evidence: Evidence | None = None) -> Likeness:
        """How much the chosen box looks like the target; taken from the evidence, if there is."""
        if evidence is not None:
            return Likeness(evidence.first, evidence.recent)
        return self._gallery.likeness(self._window(choice))

    def _hold_rules(self) -> HoldRules:
        chosen = self.parameters
        return HoldRules(
            self._thresholds(),
            chosen.long_term,
            chosen.patience,
            chosen.reidentify,
            chosen.confirm_frames,
        )

    def _thresholds(self) -> Thresholds:
        """Those given, else those of the calibration, else those of the network's probability."""
        chosen, own = self.parameters, _UNCALIBRATED
        if self.calibration is not None and chosen.calibrated and self._model is not None:
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
        """Learn from a frame in which the target is held, `learn_delay` frames later.

        `template` makes that of the target's box.
        """
        worthy = confidence > self.parameters.learn_threshold
        lesson = self._lesson(choice, template, confidence) if worthy else None
        if lesson is not None and lesson.thorough is not None:
            # a likeness must not fall because the templates it is taken to are old
            self._gallery.remember(self._window(choice))
        for ready in self._lessons.hold(lesson, self.parameters.learn_delay):
            self._take_in(ready)

    def _lesson(self, choice: Choice, template: Callable[[], Any], confidence: float) -> Lesson:
        """What a frame teaches; without the image, which is not ours to keep."""
        ranked = choice.ranked
        is_thorough = self._lesson_turns.is_due(self.parameters.learn_every)
        return Lesson(
            self._embedding(ranked, choice.chosen),
            [self._embedding(ranked, distractor) for distractor in choice.distractors],
            self._thorough(choice, template, confidence) if is_thorough else None,
        )

    def _thorough(self, choice: Choice, template: Callable[[], Any], confidence: float) -> Thorough:
        boxes = choice.ranked.proposals.boxes
        wanted = self.parameters.template_share > 0
        is_sure = confidence > self.parameters.template_threshold
        return Thorough(
            choice.filtered.features if choice.filtered else None,
            boxes[:, choice.chosen],
            boxes[:2, choice.distractors],
            template() if wanted and is_sure else None,
        )

    def _take_in(self, lesson: Lesson) -> None:
        if self.parameters.distractor_aware:
            self._combined.learn(lesson.target, lesson.distractors)
        thorough = lesson.thorough
        if thorough is None:
            return
        if self._model is not None and thorough.features is not None:
            self._model.learn(thorough.features, thorough.box, thorough.distractors)
        if thorough.template is not None:
            chosen = self.parameters
            self._searched.learn(thorough.template, chosen.template_rate, chosen.template_share)
            self._template = self._searched.current

    def _embedding(self, ranked: Ranked, proposal: int) -> FloatArray:
        """Embedding of the cell that proposes."""
        row, column = (int(value) for value in ranked.proposals.cells[:, proposal])
        return window_of(ranked.response.embedding, (row, column), self._combined.shape)

    def _window(self, choice: Choice) -> FloatArray:
        """Embedding where the chosen box is, maybe cells away from the one that proposes it."""
        proposals = choice.ranked.proposals
        center = proposals.boxes[:2, choice.chosen]
        cell = nearest_cell(center, proposals.shape, self.geometry.stride)
        return window_of(choice.ranked.response.embedding, cell, self._gallery.shape)


def _in_image(boxes: FloatArray, frame: CropFrame) -> FloatArray:
    """Boxes (4, n) from a crop's centre, in crop pixels, as they lie in the image."""
    x, y = frame.to_image(frame.width / 2, frame.height / 2)
    scaled: FloatArray = boxes * frame.pixel
    scaled[0] += x
    scaled[1] += y
    return scaled
