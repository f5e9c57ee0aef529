"""What DaSiamRPN knows of its target, and how it learns it.

From the first frame: its template; a filter of the target
(`visual_tracker.trackers.target_model`) and what the network's boxes get wrong on it
(`visual_tracker.trackers.box_correction`), from several views of that frame.

From later frames in which the target is held: the combined template, target minus distractors
(`visual_tracker.trackers.distractors`), of every frame; and of every `learn_every`-th the filter,
the template that is searched for (`visual_tracker.trackers.template_update`) and the recent
templates by which a likeness is judged (`visual_tracker.trackers.likeness`). All but the latter
wait until the target has been held without a doubt for `learn_delay` frames more
(`visual_tracker.trackers.delayed_lessons`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visual_tracker.models.geometry import Geometry
from visual_tracker.models.matchers import FloatArray, ProposalMatcher, Response
from visual_tracker.trackers.box_correction import corrected, measure_correction
from visual_tracker.trackers.choice import Choice, Filtered
from visual_tracker.trackers.confidence import Evidence, logit
from visual_tracker.trackers.dasiamrpn_parameters import DaSiamRpnParameters
from visual_tracker.trackers.delayed_lessons import DelayedLessons
from visual_tracker.trackers.distractors import CombinedTemplate, window_of
from visual_tracker.trackers.first_views import View
from visual_tracker.trackers.likeness import Gallery, Likeness
from visual_tracker.trackers.score_map import Proposals, decode_response
from visual_tracker.trackers.siamrpn import Ranked
from visual_tracker.trackers.target_model import (
    ModelSettings,
    TargetModel,
    nearest_cell,
    peak_near,
    values_at,
)
from visual_tracker.trackers.template_update import UpdatedTemplate
from visual_tracker.trackers.turns import Turns

#: the filter's peak is looked for within this share of the box's mean side from its centre
_PEAK_RADIUS = 0.5


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


class TargetMemory:
    """All that is learned of a target.

    Args:
        matcher: the network.
        template: of the first frame.
        parameters: what is learned at all, and how.
    """

    def __init__(
        self, matcher: ProposalMatcher, template: Any, parameters: DaSiamRpnParameters
    ) -> None:
        self._matcher = matcher
        self._geometry: Geometry = matcher.geometry
        embedding = matcher.embedding(template)
        self._searched = UpdatedTemplate(matcher, template)
        self._combined = CombinedTemplate(embedding)
        self._gallery = Gallery(embedding)
        self._model: TargetModel | None = None
        self._correction: NDArray[np.floating] = np.zeros(4)
        self._turns = Turns()
        self._lessons = DelayedLessons[Lesson]()

    def template(self, share: float) -> Any:
        """What to search for, `share` of it as the target looked lately."""
        return self._searched.searched(share)

    @property
    def first_template(self) -> Any:
        """That of the first frame."""
        return self._searched.first

    @property
    def has_model(self) -> bool:
        """Whether there is a filter of the target."""
        return self._model is not None

    # The first frame ------------------------------------------------------------------------------

    def learn_views(
        self,
        views: Sequence[View],
        responses: Sequence[Response],
        parameters: DaSiamRpnParameters,
    ) -> None:
        """Start the filter, and see what the network's boxes get wrong.

        Args:
            views: of the first frame.
            responses: the network's to each of them.
            parameters: whether there is a filter, and how much of the boxes' error is taken off.
        """
        if parameters.target_model:
            self._model = self._new_model(views, responses, parameters)
        upright = [
            (decode_response(response, self._geometry), view.box)
            for response, view in zip(responses, views, strict=True)
            if view.is_upright
        ]
        self._correction = parameters.box_correction * measure_correction(upright)

    def _new_model(
        self,
        views: Sequence[View],
        responses: Sequence[Response],
        parameters: DaSiamRpnParameters,
    ) -> TargetModel:
        settings = ModelSettings(
            channels=parameters.model_channels,
            decay=parameters.model_decay,
            distractor_weight=parameters.model_distractor_weight,
        )
        return TargetModel(
            [response.embedding for response in responses],
            [view.box for view in views],
            self._combined.shape[1],
            self._geometry.stride,
            settings,
        )

    # What it says of a crop -----------------------------------------------------------------------

    def proposals(self, response: Response) -> Proposals:
        """Those of an answer, less what the network's boxes get wrong on this target."""
        proposals = decode_response(response, self._geometry)
        return proposals._replace(boxes=corrected(proposals.boxes, self._correction))

    def filtered(self, response: Response, proposals: Proposals) -> Filtered | None:
        """What the filter says of a crop; None without one."""
        if self._model is None:
            return None
        features = self._model.project(response.embedding)
        answer = self._model.respond(features)
        values = values_at(answer, proposals.boxes[:2], self._geometry.stride)
        return Filtered(features, answer, values)

    def similarity(self, ranked: Ranked, places: Sequence[int], strength: float) -> FloatArray:
        """Of the combined template to the proposals at these places, (K,).

        Args:
            ranked: proposals of a crop.
            places: which of them.
            strength: with which distractors are taken off the template.
        """
        embeddings = [self._embedding(ranked, place) for place in places]
        return self._combined.similarity(embeddings, strength)

    def evidence(self, choice: Choice) -> Evidence | None:
        """All that speaks for the chosen box; None without a filter."""
        if choice.filtered is None:
            return None
        proposals = choice.ranked.proposals
        box = proposals.boxes[:, choice.chosen]
        # the middle of the box and the filter's peak are seldom at the same place to the pixel
        radius = _PEAK_RADIUS * float(np.sqrt(box[2] * box[3]))
        peak = peak_near(choice.filtered.answer, box[:2], radius, self._geometry.stride)
        network = logit(float(proposals.scores[choice.chosen]))
        return Evidence(network, peak, *self.likeness(choice))

    def likeness(self, choice: Choice) -> Likeness:
        """How much the chosen box looks like the target."""
        return self._gallery.likeness(self._window(choice))

    def likeness_to_first(self, template: Any) -> float:
        """Of what a template shows to what the first one does."""
        return self._gallery.likeness(self._matcher.embedding(template)).first

    def _embedding(self, ranked: Ranked, proposal: int) -> FloatArray:
        """Embedding of the cell that proposes."""
        row, column = (int(value) for value in ranked.proposals.cells[:, proposal])
        return window_of(ranked.response.embedding, (row, column), self._combined.shape)

    def _window(self, choice: Choice) -> FloatArray:
        """Embedding where the chosen box is, maybe cells away from the one that proposes it."""
        proposals = choice.ranked.proposals
        center = proposals.boxes[:2, choice.chosen]
        cell = nearest_cell(center, proposals.shape, self._geometry.stride)
        return window_of(choice.ranked.response.embedding, cell, self._gallery.shape)

    # Later frames ---------------------------------------------------------------------------------

    def learn(
        self,
        choice: Choice,
        template: Callable[[], Any],
        confidence: float,
        parameters: DaSiamRpnParameters,
    ) -> None:
        """Learn from a frame in which the target is held, `learn_delay` frames later.

        Args:
            choice: what was taken for the target, and beside what.
            template: makes that of the target's box.
            confidence: that it is the target.
            parameters: those in force.
        """
        worthy = confidence > parameters.learn_threshold
        lesson = self._lesson(choice, template, confidence, parameters) if worthy else None
        if lesson is not None and lesson.thorough is not None:
            # a likeness must not fall because the templates it is taken to are old
            self._gallery.remember(self._window(choice))
        for ready in self._lessons.hold(lesson, parameters.learn_delay):
            self._take_in(ready, parameters)

    def drop_lessons(self) -> None:
        """Forget what waits to be learned: the target is not held, or was not framed rightly."""
        self._lessons.drop()

    def _lesson(
        self,
        choice: Choice,
        template: Callable[[], Any],
        confidence: float,
        parameters: DaSiamRpnParameters,
    ) -> Lesson:
        """What a frame teaches; without the image, which is not ours to keep."""
        ranked, thorough = choice.ranked, None
        if self._turns.is_due(parameters.learn_every):
            is_sure = confidence > parameters.template_threshold
            wanted = is_sure and parameters.template_share > 0
            thorough = _thorough(choice, template() if wanted else None)
        return Lesson(
            self._embedding(ranked, choice.chosen),
            [self._embedding(ranked, distractor) for distractor in choice.distractors],
            thorough,
        )

    def _take_in(self, lesson: Lesson, parameters: DaSiamRpnParameters) -> None:
        if parameters.distractor_aware:
            self._combined.learn(lesson.target, lesson.distractors)
        thorough = lesson.thorough
        if thorough is None:
            return
        if self._model is not None and thorough.features is not None:
            self._model.learn(thorough.features, thorough.box, thorough.distractors)
        if thorough.template is not None:
            self._searched.learn(thorough.template, parameters.template_rate)


def _thorough(choice: Choice, template: Any | None) -> Thorough:
    boxes = choice.ranked.proposals.boxes
    return Thorough(
        choice.filtered.features if choice.filtered else None,
        boxes[:, choice.chosen],
        boxes[:2, choice.distractors],
        template,
    )
