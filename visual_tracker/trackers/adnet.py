"""ADNet: the box is moved by actions until the policy says stop; it learns its target on line.

Yun et al., "Action-Decision Networks for Visual Tracking with Deep Reinforcement Learning", CVPR
2017. Confidence is the network's probability that the final box shows the target. Below
`lost_threshold` the target is looked for among random boxes around the last one, drawn farther
with every frame of failure; if the best is not above `found_threshold` the state is LOST and the
box is frozen. A frame counts for learning only if the target was followed into it.

Only the fully connected layers learn, from boxes of the first frame and of confident later ones.
An update is done in slices of `steps_per_frame`, so that a frame's time is bounded.

`adnet_fast` is the same with smaller budgets.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visual_tracker.adnet.episode import run_episode
from visual_tracker.adnet.history import empty_histories
from visual_tracker.adnet.regions import CONTEXT, PATCH, region_around
from visual_tracker.boxes import Box
from visual_tracker.crops import channel_mean
from visual_tracker.images import Image, size_of
from visual_tracker.parameters import Applies, parameter, with_default
from visual_tracker.trackers.base import Track, TrackState
from visual_tracker.trackers.online import OnlineParameters, OnlineTracker

if TYPE_CHECKING:
    from visual_tracker.models.policy_regions import EncodedRegion
    from visual_tracker.online.bank import Samples

#: positives of this many latest frames are learned from after a failure (MDNet, section 3.3)
_SHORT_TERM = 20

#: spread of the first search after a failure, in mean sides, how it grows, and its largest
_SEARCH_SPREAD, _SEARCH_GROWTH, _LARGEST_SPREAD = 0.6, 1.15, 1.5


#: the region shows boxes up to two deviations off on either side
_SPREADS_SHOWN = 4.0


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
        "Side of the region encoded a frame, in mean sides of the target; most of the time.",
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
    found_threshold: float = parameter(
        0.75,
        "A target looked for again is found when the confidence rises above this.",
        minimum=0.0,
        maximum=1.0,
    )
    search_boxes: int = parameter(
        250, "Boxes among which a target that fails is looked for.", minimum=1, maximum=4096
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
        150, "Boxes of the first frame beside it.", minimum=1, maximum=10000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    far_regions: int = parameter(
        4, "Other places of the first image whose boxes are learned as background.", minimum=0,
        maximum=32, applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    first_steps: int = parameter(
        60, "Training steps at the first frame.", minimum=0, maximum=1000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    first_rate: float = parameter(
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
    update_interval: int = parameter(30, "Frames between two updates.", minimum=1, maximum=10000)
    update_steps: int = parameter(10, "Training steps of an update.", minimum=0, maximum=1000)
    update_rate: float = parameter(1e-3, "Learning rate there.", minimum=0.0, maximum=1.0)
    steps_per_frame: int = parameter(
        2, "Most training steps a frame; an update takes several.", minimum=1, maximum=1000
    )
    batch: int = parameter(
        32, "Positive boxes of a training step, and negative ones.", minimum=1, maximum=1024,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip
    memory: int = parameter(
        30, "Later frames whose boxes are remembered; the first is kept.", minimum=1, maximum=10000,
        applies=Applies.AT_NEXT_INIT,
    )  # fmt: skip


@dataclass(frozen=True)
class AdnetFastParameters(AdnetParameters):
    """Parameters of ADNet with smaller budgets; most of the time saved is the trunk's."""

    max_actions: int = with_default(AdnetParameters, "max_actions", 8)
    region: float = with_default(AdnetParameters, "region", 2.4)
    search_boxes: int = with_default(AdnetParameters, "search_boxes", 64)
    largest_search: float = with_default(AdnetParameters, "largest_search", 3.8)
    first_steps: int = with_default(AdnetParameters, "first_steps", 40)
    positives: int = with_default(AdnetParameters, "positives", 16)
    negatives: int = with_default(AdnetParameters, "negatives", 9)
    learn_interval: int = with_default(AdnetParameters, "learn_interval", 5)
    update_steps: int = with_default(AdnetParameters, "update_steps", 5)
    steps_per_frame: int = with_default(AdnetParameters, "steps_per_frame", 1)
    batch: int = with_default(AdnetParameters, "batch", 16)


class AdnetTracker(OnlineTracker):
    """ADNet."""

    name = "adnet"
    kind = "adnet"
    summary = "ADNet: moves the box by learned actions, learns on line (CPU, CUDA)"
    parameters_class = AdnetParameters

    @classmethod
    def _load_network(cls, network: str, path: Path) -> Any:
        from visual_tracker.models.loading import load_weights
        from visual_tracker.models.networks import create_network

        made = create_network(cls.kind, network)
        load_weights(made, path)
        return made

    def _init(self, image: Image, box: Box) -> None:
        import torch

        from visual_tracker.adnet.learning import PolicyObjective
        from visual_tracker.online.bank import SampleBank
        from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer

        parameters = self.parameters
        self._rng = np.random.default_rng(parameters.seed)
        self._padding = channel_mean(image)
        self._histories = empty_histories(1)
        self._failures = 0
        self._frame = 0
        self._head = copy.deepcopy(self.network.head).requires_grad_(True).eval()
        self._bank = SampleBank(parameters.memory, parameters.memory)
        generator = torch.Generator().manual_seed(parameters.seed)
        settings = OnlineSettings(
            positives=parameters.batch, negatives=parameters.batch, pool=4 * parameters.batch
        )
        self._trainer = OnlineTrainer(
            [(self._head.parameters(), 1.0)], PolicyObjective(self._head), settings, generator
        )
        self._first = self._first_samples(image, box)
        self._start_update(parameters.first_steps, parameters.first_rate)
        self._trainer.run()

    def _track(self, image: Image, last: Track) -> Track:
        parameters = self.parameters
        self._frame += 1
        region = self._encoded(image, last.box, parameters.region)
        box, confidence = self._moved(region, last.box, size_of(image))
        found = max(parameters.lost_threshold, parameters.found_threshold)
        followed = held = confidence >= (found if self._failures else parameters.lost_threshold)
        if not followed:
            region, box, confidence = self._search(image, region, last.box)
            held = confidence >= found
        self._failures = 0 if held else self._failures + 1
        # What was found by a search may be a look-alike: it is learned from once it is followed.
        due = self._frame % parameters.learn_interval == 0
        if followed and due and confidence > parameters.learn_threshold:
            counts = parameters.positives, parameters.negatives
            self._bank.add(self._frame, *self._samples(region, box, counts, size_of(image)))
        self._learn()
        if not held:
            return Track(last.box, confidence, TrackState.LOST, region.frame.region)
        return Track(box, confidence, TrackState.TRACKING, region.frame.region)

    # Looking --------------------------------------------------------------------------------------

    def _encoded(self, image: Image, box: Box, sides: float) -> EncodedRegion:
        """The region of so many mean sides around a box."""
        from visual_tracker.models.policy_regions import EncodedRegion

        resolution = self.parameters.resolution
        size = region_size(sides, resolution)
        frame = region_around(np.array(box.xywh), size, 1 / resolution)
        return EncodedRegion(self.network, image, frame, self._padding, self.device)

    def _moved(
        self, region: EncodedRegion, start: Box, image_size: tuple[int, int]
    ) -> tuple[Box, float]:
        """Where the policy moves a box to, and its confidence there."""
        episode = run_episode(
            region.policy(self._head),
            np.array([start.xywh]),
            self._histories,
            image_size,
            self.parameters.max_actions,
        )
        self._histories = episode.histories
        return Box.from_xywh(*episode.boxes[0]), float(episode.confidences[0])

    def _search(
        self, image: Image, region: EncodedRegion, last: Box
    ) -> tuple[EncodedRegion, Box, float]:
        """Where the policy moves the most confident of random boxes around the last one.

        A larger region is encoded if the one at hand does not show them all.
        """
        from visual_tracker.models.policy_regions import head_outputs
        from visual_tracker.online.samplers import Spread, gaussian_boxes

        parameters = self.parameters
        farthest = min(_LARGEST_SPREAD, (parameters.largest_search - CONTEXT) / _SPREADS_SHOWN)
        farness = min(farthest, _SEARCH_SPREAD * _SEARCH_GROWTH**self._failures)
        sides = CONTEXT + _SPREADS_SHOWN * farness
        if sides > parameters.region:
            region = self._encoded(image, last, sides)
        boxes = gaussian_boxes(
            self._rng, last, parameters.search_boxes, size_of(image), Spread(farness, 1.0)
        )
        histories = np.repeat(empty_histories(1), len(boxes), axis=0)
        outputs = head_outputs(self._head, region.features(boxes), histories)
        best = Box.from_xywh(*boxes[int(outputs.confidences.argmax())])
        self._histories = empty_histories(1)
        return region, *self._moved(region, best, size_of(image))

    # Learning -------------------------------------------------------------------------------------

    def _first_samples(self, image: Image, box: Box) -> tuple[Samples, Samples]:
        """Positives of the first frame; negatives of it, other places among them."""
        from visual_tracker.adnet.learning import far_boxes, far_samples, joined
        from visual_tracker.online.samplers import Spread, whole_image_boxes

        parameters, image_size = self.parameters, size_of(image)
        region = self._encoded(image, box, parameters.region)
        counts = parameters.first_positives, parameters.first_negatives
        positives, near = self._samples(region, box, counts, image_size)
        negatives = [near]
        places = whole_image_boxes(
            self._rng, box, parameters.far_regions, image_size, Spread(0.0, 1.0)
        )
        for place in places:
            region = self._encoded(image, Box.from_xywh(*place), parameters.region)
            count = -(-parameters.first_negatives // len(places))
            boxes = far_boxes(self._rng, box, place, count, image_size)
            negatives.append(far_samples(region.features(boxes)))
        return positives, joined(negatives)

    def _samples(
        self, region: EncodedRegion, box: Box, counts: tuple[int, int], image_size: tuple[int, int]
    ) -> tuple[Samples, Samples]:
        """So many positives and negatives around the target."""
        from visual_tracker.adnet.learning import draw_boxes, samples_of

        return samples_of(draw_boxes(self._rng, box, *counts, image_size), region.features)

    def _learn(self) -> None:
        """Begin an update when it is due and none is under way, and do a slice of it."""
        parameters = self.parameters
        failed = self._failures == 1
        due = failed or self._frame % parameters.update_interval == 0
        if due and not self._trainer.steps_left:
            frames = _SHORT_TERM if failed else None
            self._start_update(parameters.update_steps, parameters.update_rate, frames)
        self._trainer.run(parameters.steps_per_frame)

    def _start_update(self, steps: int, rate: float, frames: int | None = None) -> None:
        """Begin an update from the first frame and the last ones (None: all remembered)."""
        from visual_tracker.adnet.learning import joined

        positives = joined([self._first[0], self._bank.positives(frames)])
        negatives = joined([self._first[1], self._bank.negatives(frames)])
        if steps and len(negatives):  # around a box as large as the image there may be none
            self._trainer.start(positives, negatives, steps, rate)


class AdnetFastTracker(AdnetTracker):
    """ADNet with smaller budgets."""

    name = "adnet_fast"
    summary = "ADNet with smaller budgets: about twice as fast (CPU, CUDA)"
    parameters_class = AdnetFastParameters


def region_size(sides: float, resolution: float) -> int:
    """Pixels a side, of the form 16 n + 1, of a region of so many mean sides of the target."""
    return 16 * max(1, round(sides * resolution * PATCH / CONTEXT / 16)) + 1
