"""MDNet: a classifier of candidate boxes that learns its target on line.

Nam and Han, "Learning Multi-Domain Convolutional Neural Networks for Visual Tracking", CVPR 2016,
with RoIAlign over one map of the search region (Jung et al., "Real-Time MDNet", ECCV 2018) in place
of a crop a candidate. Confidence is the mean probability of the best candidates; the state is LOST
below `lost_threshold`, where the box is frozen and the next search goes wider.

Learning runs in slices: a frame takes at most `steps_per_frame` steps of the update under way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from visual_tracker.boxes import Box, BoxArray
from visual_tracker.images import Image, size_of
from visual_tracker.mdnet.sampling import TrainingBoxes
from visual_tracker.online.samplers import MIN_SIDE, Spread
from visual_tracker.parameters import Applies, ParameterError, parameter
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.confidence import sigmoid
from visual_tracker.trackers.online import OnlineParameters, OnlineTracker


@dataclass(frozen=True)
class MdNetParameters(OnlineParameters):
    """Parameters of MDNet; docs/experiments-online.md says why some differ from the paper's."""

    network: str = parameter(
        "lite",
        "lite comes with weights; vgg-m takes py-MDNet's released file by 'weights'.",
        choices=("lite", "vgg-m"),
        applies=Applies.AT_RESTART,
    )
    features: str = parameter(
        "roi-align",
        "One map of the search region for all candidates, or a crop for each (slow; the paper's).",
        choices=("roi-align", "crops"),
        applies=Applies.AT_RESTART,
    )
    attention: bool = parameter(
        False,
        "Reciprocative learning: regularise the attention maps while learning; not together with "
        "adversarial.",
        applies=Applies.AT_NEXT_INIT,
    )
    adversarial: bool = parameter(
        False,
        "VITAL: learn from positives with their most telling cells hidden; not together with "
        "attention.",
        applies=Applies.AT_NEXT_INIT,
    )
    attention_weight: float = parameter(
        5.0,
        "Weight of the attention's regularisation in the loss.",
        minimum=0.0,
        maximum=100.0,
        applies=Applies.AT_NEXT_INIT,
    )
    generator_rate: float = parameter(
        5e-3,
        "Learning rate of the mask generator (VITAL).",
        minimum=0.0,
        maximum=1.0,
        applies=Applies.AT_NEXT_INIT,
    )
    generator_steps: int = parameter(
        100,
        "Training steps of the mask generator at the start (VITAL).",
        minimum=0,
        maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )
    candidates: int = parameter(256, "Boxes tried a frame.", minimum=16, maximum=4096)
    best: int = parameter(5, "Candidates whose mean is the target.", minimum=1, maximum=16)
    refinement: float = parameter(
        0.5,
        "Share of the candidates that are drawn around the best of the others.",
        minimum=0.0,
        maximum=0.9,
    )
    translation: float = parameter(
        0.5, "Spread of the candidates' centres, in mean sides.", minimum=0.01, maximum=2.0
    )
    scale: float = parameter(
        1.0, "Spread of their sizes, as a power of 1.05.", minimum=0.0, maximum=5.0
    )
    widening: float = parameter(
        1.1, "Factor on the spread for each frame lost.", minimum=1.0, maximum=2.0
    )
    widest: float = parameter(1.5, "Largest such factor.", minimum=1.0, maximum=5.0)
    lost_threshold: float = parameter(
        0.5, "Lost when the confidence falls below this.", minimum=0.0, maximum=1.0
    )
    box_regression: bool = parameter(
        True,
        "Correct the box by what the first frame taught.",
        applies=Applies.AT_NEXT_INIT,
    )
    box_penalty: float = parameter(
        1000.0,
        "Ridge penalty of the box regression.",
        minimum=0.001,
        maximum=1e9,
        applies=Applies.AT_NEXT_INIT,
    )
    first_positives: int = parameter(
        500, "Positives of the first frame.", minimum=8, maximum=5000, applies=Applies.AT_NEXT_INIT
    )
    first_negatives: int = parameter(
        2000, "Its negatives.", minimum=32, maximum=20000, applies=Applies.AT_NEXT_INIT
    )
    far_regions: int = parameter(
        4,
        "Places of the first image, far from the target, whose negatives are learned too.",
        minimum=0,
        maximum=32,
        applies=Applies.AT_NEXT_INIT,
    )
    first_steps: int = parameter(
        50, "Training steps at the start.", minimum=1, maximum=1000, applies=Applies.AT_NEXT_INIT
    )
    first_rate: float = parameter(
        2e-3, "Learning rate there.", minimum=0.0, maximum=1.0, applies=Applies.AT_NEXT_INIT
    )
    positives: int = parameter(50, "Positives kept of a frame.", minimum=4, maximum=500)
    negatives: int = parameter(200, "Negatives kept of a frame.", minimum=16, maximum=2000)
    update_interval: int = parameter(
        10, "Frames between two long-term updates.", minimum=1, maximum=1000
    )
    update_steps: int = parameter(15, "Training steps of an update.", minimum=0, maximum=200)
    update_rate: float = parameter(3e-3, "Learning rate of updates.", minimum=0.0, maximum=1.0)
    steps_per_frame: int = parameter(
        3, "Training steps that a frame waits for, at most.", minimum=1, maximum=200
    )
    long_term: int = parameter(
        100,
        "Frames whose positives a long-term update learns from.",
        minimum=1,
        maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )
    short_term: int = parameter(
        20,
        "Frames whose positives a short-term update, and whose negatives any, learns from.",
        minimum=1,
        maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )

    def __post_init__(self) -> None:
        """Check every field, and that one objective is chosen at most."""
        super().__post_init__()
        if self.attention and self.adversarial:
            raise ParameterError(
                "parameters 'attention' and 'adversarial' are two ways to learn that cannot be "
                "combined; set one of them to false"
            )


class MdNetTracker(OnlineTracker):
    """MDNet."""

    name = "mdnet"
    kind = "mdnet"
    summary = "MDNet: classifier that learns on line, RoIAlign, attention, VITAL (CPU, CUDA)"
    parameters_class = MdNetParameters

    def _init(self, image: Image, box: Box) -> None:
        from visual_tracker.mdnet.extraction import make_extractor
        from visual_tracker.mdnet.learner import Learner, LearningPlan

        chosen = self.parameters
        self._rng = np.random.default_rng(chosen.seed)
        self._extractor = make_extractor(chosen.features, self.network, self.device, self.maps)
        plan = LearningPlan.from_parameters(chosen)
        boxes = TrainingBoxes(self._rng, size_of(image))
        self._learner = Learner(self.network, self._extractor, boxes, plan)
        self._learner.start(image, box, (chosen.positives, chosen.negatives))
        self._frame, self._factor = 0, 1.0

    def _track(self, image: Image, last: Track) -> Track:
        self._frame += 1
        region = self._extractor.region(last.box)
        self._extractor.look(image, region)
        box, confidence = self._find(last.box, size_of(image))
        lost = confidence < self.parameters.lost_threshold
        if lost:
            box = last.box
            self._factor = min(self._factor * self.parameters.widening, self.parameters.widest)
        else:
            self._factor = 1.0
            self._learner.remember(
                self._frame, box, self.parameters.positives, self.parameters.negatives
            )
        self._learn(lost)
        state = TrackState.LOST if lost else TrackState.TRACKING
        return Track(box, confidence, state, region.region)

    def _find(self, last: Box, image_size: tuple[int, int]) -> tuple[Box, float]:
        """The best candidates' mean box, corrected, and the probability of their mean logit."""
        from visual_tracker.mdnet.search import tried_boxes

        chosen, learner = self.parameters, self._learner
        spread = Spread(chosen.translation, chosen.scale)
        near = round(chosen.candidates * chosen.refinement)
        counts = chosen.candidates - near, near
        spreads = spread.widened(self._factor), spread
        tried = tried_boxes(learner, self._rng, last, counts, image_size, spreads)
        best = tried.best(chosen.best)
        confidence = sigmoid(float(best.margins.mean()))
        return _bounded(learner.corrected(best).mean(axis=0), image_size), confidence

    def _learn(self, lost: bool) -> None:
        """Begin an update where one is due, and take this frame's slice of the one under way."""
        chosen = self.parameters
        if not self._learner.is_learning and (lost or self._frame % chosen.update_interval == 0):
            self._learner.start_update(lost, chosen.update_steps, chosen.update_rate)
        self._learner.learn(chosen.steps_per_frame)


def _bounded(row: BoxArray, image_size: tuple[int, int]) -> Box:
    """A box whose centre lies in the image and whose sides lie in [MIN_SIDE, image]."""
    size = np.clip(row[2:], MIN_SIDE, image_size)
    center = np.clip(row[:2] + row[2:] / 2, 0, image_size)
    return Box.from_center(*center.tolist(), *size.tolist())
