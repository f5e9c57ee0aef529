"""DaSiamRPN: SiamRPN that knows distractors and finds a lost target again.

Zhu et al., "Distractor-aware Siamese Networks for Visual Object Tracking", ECCV 2018.

Distractor-aware (section 3.3): proposals that survive non-maximum suppression and resemble the
target are distractors; the target is ranked by what it has in common with the target and not with
them (see `visual_tracker.trackers.distractors`). Left open by the paper and chosen here: the
candidates are the `candidates` best of the ranked proposals; a candidate is a distractor if the
network's own probability is above `distractor_threshold`; the similarity to the combined template
is added to the rank with `distractor_weight`; the template learns only from frames whose confidence
is above `learn_threshold`.

Long-term (section 3.4): the target is lost below `lost_threshold` and found again above
`found_threshold`, and then only, as a guard of ours against look-alikes, if the cosine of its
embedding with the combined template is above `found_similarity`. While lost the box is frozen, the
window is off, and the search region grows each frame by `search_growth` network pixels until it
covers the image (see `visual_tracker.trackers.search_plan`); when found, the search is local again.
"""

from __future__ import annotations

from dataclasses import dataclass

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image, size_of
from visual_tracker.models.matchers import FloatArray
from visual_tracker.parameters import parameter
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.distractors import CombinedTemplate, window_of
from visual_tracker.trackers.score_map import suppress
from visual_tracker.trackers.search_plan import lost_frame
from visual_tracker.trackers.siamrpn import Ranked, SiamRpnParameters, SiamRpnTracker


@dataclass(frozen=True)
class DaSiamRpnParameters(SiamRpnParameters):
    """Parameters of DaSiamRPN; the defaults were chosen on held-out training videos for `lite`."""

    found_threshold: float = parameter(
        0.8, "Found again when the confidence rises above this.", minimum=0.0, maximum=1.0
    )
    found_similarity: float = parameter(
        0.25,
        "Found again only if its similarity to the combined template is above this; -1: off.",
        minimum=-1.0,
        maximum=1.0,
    )
    long_term: bool = parameter(
        True, "Search a growing region while lost; false searches on around the last box."
    )
    search_growth: int = parameter(
        64,
        "Growth of the search region a frame while lost, in network pixels.",
        minimum=1,
        maximum=1024,
    )
    largest_search: int = parameter(
        641,
        "Largest side of a search crop in network pixels; a larger region is searched in tiles.",
        minimum=257,
        maximum=4097,
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
    learn_threshold: float = parameter(
        0.8, "Confidence above which the combined template learns.", minimum=0.0, maximum=1.0
    )
    candidates: int = parameter(8, "Proposals that are ranked anew.", minimum=1, maximum=100)
    suppression: float = parameter(
        0.3, "IoU above which a lesser proposal is suppressed.", minimum=0.0, maximum=1.0
    )


class DaSiamRpnTracker(SiamRpnTracker):
    """DaSiamRPN."""

    name = "dasiamrpn"
    summary = "DaSiamRPN: distractor-aware, long-term (CPU, CUDA)"
    parameters_class = DaSiamRpnParameters

    def _init(self, image: Image, box: Box) -> None:
        super()._init(image, box)
        embedding = self.matcher.embedding(self._template)
        self._combined = CombinedTemplate(embedding, self.parameters.distractor_strength)
        self._frames_lost = 0

    def _track(self, image: Image, last: Track) -> Track:
        lost = self._frames_lost > 0
        frame = self._frame(image, last.box)
        window = 0.0 if lost else self.parameters.window_influence
        ranked = self._search(image, frame, last.box, window)
        chosen, distractors = self._choose(ranked)
        confidence = float(ranked.proposals.scores[chosen])
        if not self._is_held(confidence, ranked, chosen):
            self._frames_lost += 1
            return Track(last.box, confidence, TrackState.LOST, frame.region)
        self._frames_lost = 0
        if confidence > self.parameters.learn_threshold:
            self._learn(ranked, chosen, distractors)
        box = self._updated(frame, ranked, chosen, last.box, size_of(image))
        return Track(box, confidence, TrackState.TRACKING, frame.region)

    def _is_held(self, confidence: float, ranked: Ranked, chosen: int) -> bool:
        """Whether the proposal is the target: held so far, or found again."""
        parameters = self.parameters
        if not self._frames_lost:
            return bool(confidence >= parameters.lost_threshold)
        if confidence < max(parameters.found_threshold, parameters.lost_threshold):
            return False
        similarity = self._combined.similarity([self._embedding(ranked, chosen)])
        return bool(similarity[0] >= parameters.found_similarity)

    def _frame(self, image: Image, box: Box) -> CropFrame:
        """What to search: around the last box, or the growing region while lost."""
        if not self._frames_lost or not self.parameters.long_term:
            return self._local_frame(box)
        return lost_frame(
            box.center,
            self._pixel(box),
            self._frames_lost,
            self.parameters.search_growth,
            self.parameters.largest_search,
            self.geometry,
            size_of(image),
        )

    def _choose(self, ranked: Ranked) -> tuple[int, list[int]]:
        """The target's proposal, and those of its distractors."""
        if not self.parameters.distractor_aware:
            return int(ranked.ranks.argmax()), []
        candidates = suppress(
            ranked.proposals.boxes,
            ranked.ranks,
            self.parameters.suppression,
            self.parameters.candidates,
        )
        similarity = self._combined.similarity([self._embedding(ranked, k) for k in candidates])
        ranks = ranked.ranks[candidates] + self.parameters.distractor_weight * similarity
        chosen = candidates[int(ranks.argmax())]
        distractors = [
            candidate
            for candidate in candidates
            if candidate != chosen
            and ranked.proposals.scores[candidate] > self.parameters.distractor_threshold
        ]
        return chosen, distractors

    def _learn(self, ranked: Ranked, chosen: int, distractors: list[int]) -> None:
        if self.parameters.distractor_aware:
            self._combined.learn(
                self._embedding(ranked, chosen),
                [self._embedding(ranked, distractor) for distractor in distractors],
            )

    def _embedding(self, ranked: Ranked, proposal: int) -> FloatArray:
        row, column = (int(value) for value in ranked.proposals.cells[:, proposal])
        return window_of(ranked.response.embedding, (row, column), self._combined.shape)
