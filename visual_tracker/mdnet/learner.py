"""What MDNet knows of one target: its classifier, its box regression, and what it remembers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visual_tracker.boxes import Box, BoxArray, overlaps
from visual_tracker.images import Image
from visual_tracker.mdnet.box_regression import BoxRegressor
from visual_tracker.mdnet.extraction import Extractor
from visual_tracker.mdnet.masks import MaskGenerator
from visual_tracker.mdnet.objectives import Adversarial, CrossEntropy, Reciprocative
from visual_tracker.mdnet.sampling import FIRST_NEGATIVE_IOU, LATER_NEGATIVE_IOU, TrainingBoxes
from visual_tracker.models.head_arrays import ClassifierArrays
from visual_tracker.models.mdnet import MdNet
from visual_tracker.online.bank import SampleBank, Samples
from visual_tracker.online.trainer import OnlineSettings, OnlineTrainer
from visual_tracker.parameters import Parameters
from visual_tracker.timing import NETWORK, timed

#: the first frame is also seen nearer and farther, as the search sees it when the box is wrong
_ZOOMS = (1.0, 0.87, 1.15)

_REGRESSION_BOXES = 1000


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How a target is learned; names and meaning are those of the tracker's parameters.

    The additions of MDNet have defaults, for a tracker that uses its classifier alone.
    """

    seed: int
    first_positives: int
    first_negatives: int
    far_regions: int
    first_steps: int
    first_rate: float
    long_term: int
    short_term: int
    attention: bool = False
    attention_weight: float = 0.0
    adversarial: bool = False
    generator_rate: float = 0.0
    generator_steps: int = 0
    box_regression: bool = False
    box_penalty: float = 1000.0

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> LearningPlan:
        """Those of a tracker's parameters that are named as here."""
        values = {field.name: getattr(parameters, field.name, None) for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates.

    Attributes:
        boxes: (N, 4).
        features: (N, C, P, P).
        margins: logit of the target minus the background's, (N,).
    """

    boxes: BoxArray
    features: Tensor
    margins: NDArray[np.float64]

    def __add__(self, other: Scored) -> Scored:
        """Both together."""
        return Scored(
            np.concatenate([self.boxes, other.boxes]),
            torch.cat([self.features, other.features]),
            np.concatenate([self.margins, other.margins]),
        )

    def best(self, count: int) -> Scored:
        """Those of the highest margins, highest first."""
        top = np.argsort(-self.margins, kind="stable")[:count]
        return Scored(self.boxes[top], self.features[top], self.margins[top])


class Learner:
    """Learns one target.

    Args:
        network: what all targets share; not changed.
        extractor: looks at the images.
        boxes: draws what to learn from.
        plan: how.
        settings: of the training steps; MDNet's by default.
    """

    def __init__(
        self,
        network: MdNet,
        extractor: Extractor,
        boxes: TrainingBoxes,
        plan: LearningPlan,
        settings: OnlineSettings | None = None,
    ) -> None:
        self._extractor, self._boxes, self._plan = extractor, boxes, plan
        self._classifier = network.classifier(plan.seed)
        on_cpu = self._classifier.fc5.weight.device.type == "cpu"
        self._arrays = ClassifierArrays(self._classifier) if on_cpu else None
        self._objective = self._make_objective(network)
        self._random = torch.Generator().manual_seed(plan.seed)
        self._trainer = OnlineTrainer(
            self._classifier.groups,
            self._objective,
            settings or OnlineSettings(),
            self._random,
            self._classifier.train,
        )
        self._bank = SampleBank(plan.long_term, plan.short_term)
        self._regressor: BoxRegressor | None = None

    # First frame ----------------------------------------------------------------------------------

    def start(self, image: Image, target: Box, kept: tuple[int, int]) -> None:
        """Learn the first frame, and remember `kept` of its positives and negatives."""
        plan = self._plan
        positives = self._first_positives(image, target)
        negatives = self._first_negatives(image, target)
        self._bank.add(0, _some(positives, kept[0]), _some(negatives, kept[1]))
        self._trainer.start(positives, negatives, plan.first_steps, plan.first_rate)
        self._trainer.run()
        if isinstance(self._objective, Adversarial):
            batch = self._trainer.settings.positives
            self._objective.warm_up(positives.features, plan.generator_steps, batch, self._random)
        if plan.box_regression:
            self._learn_box(image, target)

    def _learn_box(self, image: Image, target: Box) -> None:
        boxes, features = [], []
        for zoom in _ZOOMS:
            self._extractor.look(image, self._extractor.region(target, zoom))
            boxes.append(self._boxes.regression(target, _REGRESSION_BOXES // len(_ZOOMS)))
            features.append(self._extractor.extract(boxes[-1]))
        self._regressor = BoxRegressor(
            torch.cat(features), np.concatenate(boxes), target, self._plan.box_penalty
        )

    def _first_positives(self, image: Image, target: Box) -> Samples:
        count = -(-self._plan.first_positives // len(_ZOOMS))
        parts = []
        for zoom in _ZOOMS:
            self._extractor.look(image, self._extractor.region(target, zoom))
            boxes = np.concatenate([[target.xywh], self._boxes.positives(target, count - 1)])
            parts.append(self._extractor.extract(boxes))
        return _labelled(torch.cat(parts), 1)

    def _first_negatives(self, image: Image, target: Box) -> Samples:
        far = self._boxes.elsewhere(target, self._plan.far_regions)
        # the near ones are the target's own surroundings: there must be one at least
        count = max(1, self._plan.first_negatives // (2 if len(far) else 1))
        self._extractor.look(image, self._extractor.region(target))
        near = self._boxes.negatives(target, count, FIRST_NEGATIVE_IOU)
        parts = [self._extractor.extract(near)]
        for row in far:
            place = Box.from_xywh(*row)
            self._extractor.look(image, self._extractor.region(place))
            boxes = self._boxes.negatives(place, count // len(far), 1.0)
            apart = overlaps(boxes, np.array(target.xywh)) <= FIRST_NEGATIVE_IOU
            parts.append(self._extractor.extract(boxes[apart]))
        return _labelled(torch.cat(parts), 0)

    # Later frames ---------------------------------------------------------------------------------

    def score(self, boxes: BoxArray) -> Scored:
        """How much boxes (N, 4) of the image that the extractor looks at show the target."""
        features = self._extractor.extract(boxes)
        return Scored(boxes, features, self._margins(features))

    def margin(self, box: NDArray[np.float64]) -> float:
        """The margin of a single box (4,), as :meth:`score` gives it."""
        if self._arrays is None:
            return float(self.score(box[None]).margins[0])
        return self._arrays.margin(self._extractor.extract_one(box))

    @timed(NETWORK)
    @torch.no_grad()
    def _margins(self, features: Tensor) -> NDArray[np.float64]:
        margins: NDArray[np.float64] = self._classifier.margin(features).double().cpu().numpy()
        return margins

    def corrected(self, scored: Scored) -> BoxArray:
        """The boxes as the box regression corrects them; as they are if there is none."""
        if self._regressor is None:
            return scored.boxes
        return self._regressor(scored.features, scored.boxes)

    def remember(self, frame: int, target: Box, positives: int, negatives: int) -> None:
        """Keep samples around the target of the image that the extractor looks at."""
        shown = self._boxes.positives(target, positives)
        background = self._boxes.negatives(target, negatives, LATER_NEGATIVE_IOU)
        features = self._extractor.extract(np.concatenate([shown, background]))
        self._bank.add(
            frame,
            _labelled(features[: len(shown)], 1),
            _labelled(features[len(shown) :], 0),
        )

    @property
    def is_learning(self) -> bool:
        """Whether an update is under way."""
        return self._trainer.steps_left > 0

    def start_update(self, short_term: bool, steps: int, rate: float) -> None:
        """Begin an update, from the positives of the last frames or of many."""
        positives = self._bank.positives(self._plan.short_term if short_term else None)
        negatives = self._bank.negatives()
        if steps and positives is not None and negatives is not None:
            self._trainer.start(positives, negatives, steps, rate)

    def learn(self, steps: int) -> None:
        """Take up to `steps` steps of the update under way."""
        self._trainer.run(steps)

    def _make_objective(self, network: MdNet) -> CrossEntropy:
        plan = self._plan
        if plan.adversarial:
            features = network.features
            generator = MaskGenerator(features.channels, features.bins, plan.seed)
            generator = generator.to(network.fc5.weight.device)
            return Adversarial(self._classifier, generator, plan.generator_rate)
        if plan.attention:
            return Reciprocative(self._classifier, plan.attention_weight)
        return CrossEntropy(self._classifier)


def _labelled(features: Tensor, label: int) -> Samples:
    labels = torch.full((len(features),), label, dtype=torch.int64, device=features.device)
    return Samples(features, labels)


def _some(samples: Samples, count: int) -> Samples:
    """Every n-th, so that about `count` are left."""
    step = max(1, len(samples) // max(1, count))
    return Samples(samples.features[::step], samples.labels[::step])
