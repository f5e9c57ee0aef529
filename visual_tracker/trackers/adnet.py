"""ADNet: the box is moved by actions until the policy says stop; it learns its target on line.

Yun et al., "Action-Decision Networks for Visual Tracking with Deep Reinforcement Learning", CVPR
2017. Confidence is the probability that the final box shows the target, by MDNet's classifier on
the same maps of the trunk: the paper's second output knows what an object looks like before it has
seen this one, and took others for it (docs/experiments-adnet.md, 10). Below `doubt_threshold` the
policy is also started from the mean of the best of random boxes around the last one, and the surer
of both ends is taken, since what is followed may be what stood beside the target (18 there); where
the policy spoils what it started from, that is taken as it is (19). Below `lost_threshold` the
target is only looked for in that way, farther with every frame of failure; if the best is not above
`found_threshold` the state is LOST and the box is frozen. A frame counts for learning only if the
target was followed into it, or to where the surer box is.

Only fully connected layers learn: the policy's from the first frame, the classifier's from it and
from confident later ones. An update is done in slices of `steps_per_frame`, so that a frame's time
is bounded.

`adnet_fast` is the same with smaller budgets, and does not doubt.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from visual_tracker.adnet.episode import Policy, run_episode
from visual_tracker.adnet.history import empty_histories
from visual_tracker.adnet.regions import CONTEXT
from visual_tracker.boxes import Box
from visual_tracker.crops import channel_mean
from visual_tracker.images import Image, size_of
from visual_tracker.parameters import Applies, parameter, with_default
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.confidence import sigmoid
from visual_tracker.trackers.online import OnlineParameters, OnlineTracker
from visual_tracker.trackers.torch_runtime import weights_path

if TYPE_CHECKING:
    from visual_tracker.models.adnet import PolicyHead
    from visual_tracker.models.mdnet import MdNet

#: spread of the first search after a failure, in mean sides, how it grows, and its largest
_SEARCH_SPREAD, _SEARCH_GROWTH, _LARGEST_SPREAD = 0.6, 1.15, 1.5
#: frames lost after which it has grown to the largest; a power of all of them would overflow
_FRAMES_OF_GROWTH = math.ceil(math.log(_LARGEST_SPREAD / _SEARCH_SPREAD, _SEARCH_GROWTH))


#: the region shows boxes up to two deviations off on either side
_SPREADS_SHOWN = 4.0


#: boxes that overlap more show the same target
_SAME_TARGET = 0.5


#: how far, in mean sides, a box with its context may reach out of the region before it is looked
#: at anew
_BEYOND = 0.15


#: a policy that loses more confidence than this on its way from candidates has spoiled them
_SPOILED = 0.1


@dataclass(frozen=True)
class AdnetParameters(OnlineParameters):
    """Parameters of ADNet; the defaults were chosen on held-out training videos for `lite`."""

    network: str = parameter(
        "lite",
        "lite comes with weights; vgg-m, the paper's, takes a file of yours by 'weights'.",
        choices=("lite", "vgg-m"),
        applies=Applies.AT_RESTART,
    )
    max_actions: int = parameter(20, "Most actions a frame.", minimum=1, maximum=100)
    region: float = parameter(
        3.8,
        "Side of the region encoded a frame around a square target, in sides of it; around another "
        "as much beside it. Most of the time goes there.",
        minimum=1.6,
        maximum=8.0,
    )
    resolution: float = parameter(
        1.0,
        "Scale at which the region is looked at; the target has 80 pixels a mean side at 1.",
        minimum=0.4,
        maximum=2.0,
    )
    lost_threshold: float = parameter(
        0.5,
        "The target is looked for again, and if not found is lost, when the confidence falls below "
        "this.",
        minimum=0.0,
        maximum=1.0,
    )
    doubt_threshold: float = parameter(
        1.0,
        "A target followed with less confidence is looked for as well, and the surer box taken.",
        minimum=0.0,
        maximum=1.0,
    )
    found_threshold: float = parameter(
        0.75,
        "A target looked for again is found when the confidence rises above this.",
        minimum=0.0,
        maximum=1.0,
    )
    search_boxes: int = parameter(
        250, "Boxes among which a target that fails is looked for.", minimum=1, maximum=4096
    )
    best: int = parameter(
        5, "The most confident of them, from whose mean the policy starts.", minimum=1, maximum=16
    )
    largest_search: float = parameter(
        5.4,
        "Largest side of the region encoded after failures, in mean sides of the target.",
        minimum=1.6,
        maximum=12.0,
    )
    first_positives: int = parameter(
        150, "Boxes of the first frame that show the target.", minimum=1, maximum=10000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    first_negatives: int = parameter(
        300, "Boxes of the first frame beside it.", minimum=1, maximum=10000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    far_regions: int = parameter(
        4, "Other places of the first image whose boxes are learned as background.", minimum=0,
        maximum=32, applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    first_steps: int = parameter(
        50, "Training steps of the classifier at the first frame.", minimum=1, maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    first_rate: float = parameter(
        1e-3, "Learning rate there.", minimum=0.0, maximum=1.0, applies=Applies.AT_NEXT_INIT
    )
    policy_steps: int = parameter(
        60, "Training steps of the policy at the first frame.", minimum=0, maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    policy_rate: float = parameter(
        1e-3, "Learning rate there.", minimum=0.0, maximum=1.0, applies=Applies.AT_NEXT_INIT
    )
    positives: int = parameter(
        30, "Boxes of a confident frame that show the target.", minimum=1, maximum=10000
    )
    negatives: int = parameter(
        15, "Boxes of a confident frame beside it.", minimum=1, maximum=10000
    )
    learn_threshold: float = parameter(
        0.5, "Confidence above which a frame is learned from.", minimum=0.0, maximum=1.0
    )
    learn_interval: int = parameter(
        1, "Boxes are remembered of every so many frames.", minimum=1, maximum=1000
    )
    update_interval: int = parameter(10, "Frames between two updates.", minimum=1, maximum=10000)
    update_steps: int = parameter(10, "Training steps of an update.", minimum=0, maximum=1000)
    update_rate: float = parameter(1e-3, "Learning rate there.", minimum=0.0, maximum=1.0)
    steps_per_frame: int = parameter(
        2, "Most training steps a frame; an update takes several.", minimum=1, maximum=1000
    )
    batch: int = parameter(
        32,
        "Positive boxes of a training step; there are twice as many negative ones.",
        minimum=1,
        maximum=1024,
        applies=Applies.AT_NEXT_INIT,
    )
    long_term: int = parameter(
        100,
        "Frames whose positives an update learns from.",
        minimum=1,
        maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )
    short_term: int = parameter(
        20,
        "Frames whose positives an update after a failure, and whose negatives any, learns from.",
        minimum=1,
        maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )


@dataclass(frozen=True)
class AdnetFastParameters(AdnetParameters):
    """Parameters of ADNet with smaller budgets; most of the time saved is the trunk's."""

    max_actions: int = with_default(AdnetParameters, "max_actions", 8)
    region: float = with_default(AdnetParameters, "region", 1.8)
    search_boxes: int = with_default(AdnetParameters, "search_boxes", 128)
    largest_search: float = with_default(AdnetParameters, "largest_search", 4.6)
    doubt_threshold: float = with_default(AdnetParameters, "doubt_threshold", 0.0)
    policy_steps: int = with_default(AdnetParameters, "policy_steps", 40)
    positives: int = with_default(AdnetParameters, "positives", 16)
    negatives: int = with_default(AdnetParameters, "negatives", 9)
    learn_interval: int = with_default(AdnetParameters, "learn_interval", 5)
    update_interval: int = with_default(AdnetParameters, "update_interval", 30)
    update_steps: int = with_default(AdnetParameters, "update_steps", 5)
    steps_per_frame: int = with_default(AdnetParameters, "steps_per_frame", 1)
    batch: int = with_default(AdnetParameters, "batch", 16)


class _Found(NamedTuple):
    """What a frame shows of the target.

    Attributes:
        box: where it is most probably.
        confidence: the classifier's probability there.
        is_held: whether that is enough to say that it is there.
        is_followed: whether it was followed to there. What a search finds elsewhere may be a
            look-alike: it is learned from once it is followed.
    """

    box: Box
    confidence: float
    is_held: bool
    is_followed: bool


class _Seen(NamedTuple):
    """The region at hand: so many mean sides around a box."""

    box: Box
    sides: float


class AdnetTracker(OnlineTracker):
    """ADNet."""

    name = "adnet"
    kind = "adnet"
    summary = "ADNet: moves the box by learned actions, learns on line (CPU, CUDA)"
    parameters_class = AdnetParameters

    def _init(self, image: Image, box: Box) -> None:
        from visual_tracker.adnet.extraction import PolicyExtractor
        from visual_tracker.mdnet.learner import Learner, LearningPlan
        from visual_tracker.mdnet.sampling import TrainingBoxes
        from visual_tracker.models.head_arrays import PolicyArrays
        from visual_tracker.online.trainer import OnlineSettings

        chosen = self.parameters
        self._rng = np.random.default_rng(chosen.seed)
        self._histories = empty_histories(1)
        self._failures = 0
        self._frame = 0
        self._seen: _Seen | None = None
        network = self._classifier_network
        # Learned and followed in regions of the same size: the trunk sees their borders, too.
        region, resolution = chosen.region, chosen.resolution
        self._extractor = PolicyExtractor(
            self.network,
            network,
            region,
            resolution,
            channel_mean(image),
            self.device,
            self.maps,
        )
        batch = chosen.batch
        self._learner = Learner(
            network,
            self._extractor,
            TrainingBoxes(self._rng, size_of(image)),
            LearningPlan.from_parameters(chosen),
            OnlineSettings(batch, 2 * batch, pool=8 * batch),
        )
        self._head = self._learned_policy(image, box)
        self._arrays = PolicyArrays(self._head) if self.device == "cpu" else None
        self._learner.start(image, box, (chosen.positives, chosen.negatives))

    @cached_property
    def _classifier_network(self) -> MdNet:
        """What the classifier begins with: layers on the same convolutions as the policy's.

        Kept, so that the next target need not read the file again.
        """
        path = weights_path("mdnet", self.parameters.network, "")
        if path is None:
            from visual_tracker.models.adnet import classifier_of

            return classifier_of(self.network)
        network: MdNet = self._shared_network("mdnet", path)
        return network

    def _track(self, image: Image, last: Track) -> Track:
        chosen = self.parameters
        self._frame += 1
        self._seen = None
        found = self._found(image, last.box)
        self._failures = 0 if found.is_held else self._failures + 1
        due = self._frame % chosen.learn_interval == 0
        if found.is_followed and due and found.confidence > chosen.learn_threshold:
            self._learner.remember(self._frame, found.box, chosen.positives, chosen.negatives)
        self._learn()
        region = self._extractor.encoded.frame.region
        if not found.is_held:
            return Track(last.box, found.confidence, TrackState.LOST, region)
        return Track(found.box, found.confidence, TrackState.TRACKING, region)

    # Looking --------------------------------------------------------------------------------------

    def _found(self, image: Image, last: Box) -> _Found:
        """Where the target is: followed from its last box, or looked for."""
        chosen = self.parameters
        if not self._failures:
            box, confidence = self._follow(image, last)
            if confidence >= chosen.lost_threshold:
                return self._surer(image, last, box, confidence)
        box, confidence = self._search(image, last)
        held = confidence >= max(chosen.lost_threshold, chosen.found_threshold)
        return _Found(box, confidence, held, False)

    def _surer(self, image: Image, last: Box, box: Box, confidence: float) -> _Found:
        """The box that was followed, or what a search finds, if that is surer; both from `last`."""
        followed = _Found(box, confidence, True, True)
        if confidence >= self.parameters.doubt_threshold:
            return followed
        histories, seen = self._histories, self._seen
        other, surer = self._search(image, last)
        if surer > confidence:
            return _Found(other, surer, True, box.iou(other) > _SAME_TARGET)
        self._histories = histories
        if seen is not None and seen != self._seen:
            # it is learned from where it was followed to
            self._look(image, *seen)
        return followed

    def _follow(self, image: Image, last: Box) -> tuple[Box, float]:
        """Where the policy moves the last box to, and the confidence there.

        If it leaves what the region shows, it goes on in a region around the place that it reached.
        """
        sides, image_size = self.parameters.region, size_of(image)
        self._look(image, last, sides)
        box, confidence = self._moved(last, image_size)
        way = np.abs(np.subtract(box.center, last.center)).max()
        if way <= ((sides - CONTEXT) / 2 + _BEYOND) * math.sqrt(last.area):
            return box, confidence
        self._look(image, box, sides)
        return self._moved(box, image_size)

    def _look(self, image: Image, box: Box, sides: float) -> None:
        """Encode the region of so many mean sides around a box."""
        from visual_tracker.adnet.extraction import region_of

        self._extractor.look(image, region_of(box, sides, self.parameters.resolution))
        self._seen = _Seen(box, sides)

    def _moved(self, start: Box, image_size: tuple[int, int]) -> tuple[Box, float]:
        """Where the policy moves a box to, and the classifier's confidence there."""
        episode = run_episode(
            self._policy(),
            np.array([start.xywh]),
            self._histories,
            image_size,
            self.parameters.max_actions,
        )
        self._histories = episode.histories
        box = Box.from_xywh(*episode.boxes[0])
        return box, self._confidence(box)

    def _confidence(self, box: Box) -> float:
        """The classifier's probability that a box of the region at hand shows the target."""
        return sigmoid(self._learner.margin(np.array(box.xywh)))

    def _policy(self) -> Policy:
        """The policy in the region at hand."""
        encoded = self._extractor.encoded
        if self._arrays is None:
            return encoded.policy(self._head)
        return encoded.policy_of_one(self._arrays)

    def _search(self, image: Image, last: Box) -> tuple[Box, float]:
        """Where the policy moves the most confident of random boxes around the last one, or these.

        Another region is encoded if the one at hand does not show them all.
        """
        from visual_tracker.mdnet.search import tried_boxes
        from visual_tracker.online.samplers import Spread

        chosen, image_size = self.parameters, size_of(image)
        farthest = min(_LARGEST_SPREAD, (chosen.largest_search - CONTEXT) / _SPREADS_SHOWN)
        growth = _SEARCH_GROWTH ** min(self._failures, _FRAMES_OF_GROWTH)
        farness = min(farthest, _SEARCH_SPREAD * growth)
        sides = CONTEXT + _SPREADS_SHOWN * farness
        if self._seen is None or self._seen.box != last or self._seen.sides < sides:
            self._look(image, last, max(sides, chosen.region))
        near = chosen.search_boxes // 2
        counts = chosen.search_boxes - near, near
        spreads = Spread(farness, 1.0), Spread(_SEARCH_SPREAD, 1.0)
        tried = tried_boxes(self._learner, self._rng, last, counts, image_size, spreads)
        return self._improved(
            Box.from_xywh(*tried.best(chosen.best).boxes.mean(axis=0)), image_size
        )

    def _improved(self, start: Box, image_size: tuple[int, int]) -> tuple[Box, float]:
        """Where the policy moves a box to, unless it spoils it: then the box."""
        self._histories = empty_histories(1)
        before = self._confidence(start)
        box, confidence = self._moved(start, image_size)
        if confidence >= before - _SPOILED:
            return box, confidence
        self._histories = empty_histories(1)
        return start, before

    # Learning -------------------------------------------------------------------------------------

    def _learned_policy(self, image: Image, box: Box) -> PolicyHead:
        """The policy's head, with what the first frame teaches of the actions."""
        import torch

        from visual_tracker.adnet.learning import PolicyObjective, draw_boxes, samples_of
        from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer

        chosen = self.parameters
        head: PolicyHead = copy.deepcopy(self.network.head).requires_grad_(True).eval()
        self._extractor.look(image, self._extractor.region(box))
        counts = chosen.first_positives, chosen.first_positives
        drawn = draw_boxes(self._rng, box, *counts, size_of(image))
        positives, negatives = samples_of(drawn, self._extractor.encoded.features)
        # around a box as large as the image there may be none
        if chosen.policy_steps and len(negatives):
            batch = chosen.batch
            trainer = OnlineTrainer(
                [(head.parameters(), 1.0)],
                PolicyObjective(head),
                OnlineSettings(batch, batch, pool=4 * batch),
                torch.Generator().manual_seed(chosen.seed),
            )
            trainer.start(positives, negatives, chosen.policy_steps, chosen.policy_rate)
            trainer.run()
        return head.requires_grad_(False)

    def _learn(self) -> None:
        """Begin an update when it is due and none is under way, and do a slice of it."""
        chosen = self.parameters
        failed = self._failures == 1
        due = failed or self._frame % chosen.update_interval == 0
        if due and not self._learner.is_learning:
            self._learner.start_update(failed, chosen.update_steps, chosen.update_rate)
        self._learner.learn(chosen.steps_per_frame)


class AdnetFastTracker(AdnetTracker):
    """ADNet with smaller budgets."""

    name = "adnet_fast"
    summary = "ADNet with smaller budgets: three to seven times as fast (CPU, CUDA)"
    parameters_class = AdnetFastParameters
