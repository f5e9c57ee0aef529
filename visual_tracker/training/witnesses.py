"""Answers of free runs, each known to be the target or not: what a confidence is learned from.

The tracker runs as it runs for its users. It learns from what it takes for the target, right or
wrong, and so these answers are those of a real run, with templates and a filter that may have
learned something else. It was otherwise once: a tracker that learned only from what the truth
confirmed looked more like its recent templates than any free run does, and the likeness to them,
which tells next to nothing once they are wrong, got most of the weight (docs/experiments.md, 26).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, ClassVar, NamedTuple, Protocol

from visual_tracker.boxes import Box
from visual_tracker.crops import CropFrame
from visual_tracker.images import Image
from visual_tracker.models.matchers import Question, Response
from visual_tracker.parameters import Parameters
from visual_tracker.trackers.base import Track
from visual_tracker.trackers.cfnet import CfNetTracker
from visual_tracker.trackers.confidence import Calibration, Evidence, ScoreEvidence
from visual_tracker.trackers.dasiamrpn import DaSiamRpnTracker
from visual_tracker.trackers.memtrack import MemTrackTracker
from visual_tracker.trackers.score_confidence import ScoreTracker
from visual_tracker.trackers.siamfc import SiamFcTracker
from visual_tracker.trackers.siamrpn import SiamRpnTracker
from visual_tracker.training.calibration_cases import Case

#: IoU with the truth above which an answer is the target, and below which it is not; the answers
#: in between say nothing
IS_TARGET, IS_NOT = 0.5, 0.1
#: frames in a row off the visible target after which the tracker starts anew on it: long enough to
#: learn what goes wrong then, not so long that a case teaches nothing else
OFF_FRAMES = 40


class Witness(NamedTuple):
    """One answer of the tracker.

    Attributes:
        evidence: what spoke for it.
        is_target: whether it was the target.
        is_lost: whether the tracker had given the target up.
        video: name of the case.
        held_out: whether the network has never seen the video.
    """

    evidence: Evidence | ScoreEvidence
    is_target: bool
    is_lost: bool
    video: str
    held_out: bool


class Answer(NamedTuple):
    """What a search of a crop brought.

    Attributes:
        evidence: what speaks for it.
        box: of what was chosen, in pixels of the image.
        is_lost: whether the target had been given up.
    """

    evidence: Evidence | ScoreEvidence
    box: Box
    is_lost: bool


class WitnessedTracker(Protocol):
    """A tracker that keeps the answers of its searches.

    Attributes:
        kind: of its networks.
        calibration: that it runs with.
        answers: since they were cleared last.
    """

    kind: ClassVar[str]
    calibration: Calibration | None
    answers: list[Answer]

    def init(self, image: Image, box: Box) -> Box:
        """As any tracker's."""
        ...

    def track(self, image: Image) -> Track:
        """As any tracker's."""
        ...


class WitnessedDaSiamRpn(DaSiamRpnTracker):
    """DaSiamRPN that keeps its answers."""

    answers: list[Answer]

    def _init(self, image: Image, box: Box) -> None:
        super()._init(image, box)
        self.answers = []

    def _search(
        self, image: Image, frame: CropFrame, origin: Box, wide: bool = False
    ) -> Generator[Question, Response, Any]:
        found = yield from super()._search(image, frame, origin, wide)
        assert found.evidence is not None  # it has a target model
        self.answers.append(Answer(found.evidence, found.sighting.box, self._hold.is_lost))
        return found


class _WitnessedScore(ScoreTracker):
    """Put before a tracker of the score alone: it keeps its answers, those of lost frames, too."""

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        self.answers: list[Answer] = []
        self._score = 0.0

    def _score_confidence(self, score: float) -> float:
        self._score = score
        return super()._score_confidence(score)

    def track(self, image: Image) -> Track:
        track = super().track(image)
        # the search is the same whether the target is lost or not
        self.answers.append(Answer(ScoreEvidence(self._score), track.box, is_lost=False))
        return track


class WitnessedSiamRpn(_WitnessedScore, SiamRpnTracker):
    """SiamRPN that keeps its answers."""


class WitnessedSiamFc(_WitnessedScore, SiamFcTracker):
    """SiamFC that keeps its answers."""


class WitnessedCfNet(_WitnessedScore, CfNetTracker):
    """CFNet that keeps its answers."""


class WitnessedMemTrack(_WitnessedScore, MemTrackTracker):
    """MemTrack that keeps its answers."""


#: the trackers whose confidence is calibrated, by name
WITNESSED: dict[str, type[Any]] = {
    cls.name: cls
    for cls in (
        WitnessedDaSiamRpn,
        WitnessedSiamRpn,
        WitnessedSiamFc,
        WitnessedCfNet,
        WitnessedMemTrack,
    )
}


def collect(tracker: WitnessedTracker, cases: Iterable[Case]) -> list[Witness]:
    """Let a tracker run through every case and write down its answers.

    Args:
        tracker: one of WITNESSED; its calibration decides what it learns from.
        cases: see :func:`visual_tracker.training.calibration_cases.make_cases`.
    """
    return [witness for case in cases for witness in _run(tracker, case)]


def _run(tracker: WitnessedTracker, case: Case) -> Iterable[Witness]:
    sequence = case.sequence
    tracker.init(sequence.frames[0], sequence.box(0))
    frames_off = 0
    for frame in range(1, len(sequence)):
        tracker.answers.clear()
        image = sequence.frames[frame]
        track = tracker.track(image)
        truth = sequence.box(frame) if sequence.visible[frame] else None
        for answer in tracker.answers:
            overlap = answer.box.iou(truth) if truth else 0.0
            if not IS_NOT <= overlap <= IS_TARGET:
                is_target = overlap > IS_TARGET
                yield Witness(
                    answer.evidence, is_target, answer.is_lost, sequence.name, case.held_out
                )
        if truth is None:
            continue
        frames_off = frames_off + 1 if track.box.iou(truth) < IS_NOT else 0
        if frames_off == OFF_FRAMES:
            tracker.init(image, truth)
            frames_off = 0
