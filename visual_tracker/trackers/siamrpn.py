"""SiamRPN: one template, region proposals, penalty and window; short-term.

Li et al., "High Performance Visual Tracking with Siamese Region Proposal Network", CVPR 2018.
Confidence and loss (ours; the paper's never admits one) are as
`visual_tracker.trackers.score_confidence` has them, of the score of the proposal chosen. While the
target is lost the box follows the best proposal all the same: freezing it below a probability of
.25 lost .04 of AUC (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import Question, Response
from visual_tracker.parameters import Applies, parameter
from visual_tracker.trackers.asking import AskingTracker, Steps
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.confidence import Thresholds, logit
from visual_tracker.trackers.score_confidence import ScoreParameters, ScoreTracker
from visual_tracker.trackers.score_map import (
    FloatArray,
    Proposals,
    change_penalty,
    decode_response,
    windowed,
)


@dataclass(frozen=True)
class SiamRpnParameters(ScoreParameters):
    """Parameters of SiamRPN; the defaults were chosen on held-out training videos for `lite`."""

    network: str = parameter(
        "lite",
        "lite and lite-wide come with weights, the latter is slower and about as exact; "
        "alexnet-* take the DaSiamRPN authors' files by 'weights'.",
        choices=("lite", "lite-wide", "alexnet-vot", "alexnet-otb", "alexnet-big"),
        applies=Applies.AT_RESTART,
    )
    window_influence: float = parameter(
        0.45, "Weight of the cosine window against the score.", minimum=0.0, maximum=1.0
    )
    penalty: float = parameter(
        0.15, "Strength of the penalty on change of size and ratio.", minimum=0.0, maximum=2.0
    )
    size_rate: float = parameter(
        0.5, "How fast the size follows, at full score.", minimum=0.0, maximum=1.0
    )


class Ranked(NamedTuple):
    """Proposals of a crop with what ranks them.

    Attributes:
        proposals: decoded.
        penalty: (N,), of each proposal.
        ranks: (N,), penalised and windowed scores.
        response: the network's answer.
    """

    proposals: Proposals
    penalty: FloatArray
    ranks: FloatArray
    response: Response


class SiamRpnTracker(AskingTracker, ScoreTracker):
    """SiamRPN."""

    name = "siamrpn"
    kind = "siamrpn"
    summary = "SiamRPN: Siamese network with region proposals, short-term (CPU, CUDA)"
    parameters_class = SiamRpnParameters

    #: on the network's own probability; chosen on held-out training videos for the first weights of
    #: `lite`
    uncalibrated = Thresholds(lost=0.25, found=0.25, similarity=0.0)

    def _init(self, image: Image, box: Box) -> None:
        self._template = self._start(image, box)

    def _steps(self, image: Image, last: Track) -> Steps:
        frame = self._local_frame(last.box)
        response = yield self._question(image, frame)
        proposals = decode_response(response, self.geometry)
        window_influence = self.parameters.window_influence
        ranked = self._rank(
            response, proposals, proposals.scores, frame, last.box, window_influence
        )
        chosen = int(ranked.ranks.argmax())
        box = self._updated(frame, ranked, chosen, last.box, size_of(image))
        confidence = self._score_confidence(logit(float(ranked.proposals.scores[chosen])))
        state = TrackState.LOST if self._is_lost(confidence, last) else TrackState.TRACKING
        return Track(box, confidence, state, frame.region)

    def _question(self, image: Image, frame: CropFrame) -> Question:
        """Where in the crop the target of the first frame is."""
        return Question(self._template, image, frame, self._padding)

    def _rank(
        self,
        response: Response,
        proposals: Proposals,
        scores: FloatArray,
        frame: CropFrame,
        box: Box,
        window_influence: float,
    ) -> Ranked:
        """Scores (N,) with the penalty for change against the last box, and the window."""
        width, height = box.width / frame.pixel, box.height / frame.pixel
        penalty = change_penalty(proposals.boxes, width, height, self.parameters.penalty)
        ranks = windowed(scores * penalty, proposals.shape, window_influence)
        return Ranked(proposals, np.asarray(penalty), ranks, response)

    def _updated(
        self,
        frame: CropFrame,
        ranked: Ranked,
        chosen: int,
        box: Box,
        image_size: tuple[int, int],
        trust: float = 1.0,
    ) -> Box:
        """The new box: the proposal's place, and a size between the last one and its own.

        The size follows the faster, the higher `trust` in [0, 1].
        """
        proposal = frame.centered_to_image(ranked.proposals.boxes[:, chosen : chosen + 1])
        x, y, width, height = proposal[:, 0].tolist()
        rate = float(ranked.penalty[chosen] * ranked.proposals.scores[chosen])
        rate *= self.parameters.size_rate * trust
        size = box.width + rate * (width - box.width), box.height + rate * (height - box.height)
        return self._bounded((x, y), size, image_size)
