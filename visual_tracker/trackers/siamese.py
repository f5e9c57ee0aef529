"""What the Siamese trackers share: the network's engine, weights, device, template crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from visual_tracker.boxes import Box
from visual_tracker.brightness import Gain
from visual_tracker.crops import CropFrame, channel_mean, context_side, take_crop
from visual_tracker.images import Image
from visual_tracker.models.engines import choice
from visual_tracker.models.geometry import Geometry
from visual_tracker.models.shared_matchers import is_exported, shared_matcher
from visual_tracker.parameters import Parameters, parameter
from visual_tracker.threads import limit_threads
from visual_tracker.trackers.base import Tracker
from visual_tracker.trackers.torch_runtime import (
    EngineParameters,
    available_weights,
    loading,
    matcher_spec,
    missing_engine,
    missing_libraries,
    resolve_device,
    weights_path,
    weights_problem,
)

#: targets are not followed below this side in pixels, unless they start smaller
MIN_SIDE = 10.0


@dataclass(frozen=True)
class SiameseParameters(EngineParameters):
    """And which light the network needs."""

    least_brightness: int = parameter(
        96,
        "Images darker than this around the target get a gain; in grey levels, of which 99 % of "
        "the pixels' brightest channels are below. 0: never.",
        minimum=0,
        maximum=255,
    )


class SiameseTracker(Tracker):
    """Base of the Siamese trackers.

    Instances share the network, which has no state: a file is loaded once, and freed with the last
    tracker that holds it.
    """

    kind: ClassVar[str]

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        super().__init__(parameters, device)
        with loading(self.name):
            self.matcher = self._make_matcher()
        limit_threads(self.parameters.threads)
        self._gain = Gain()

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Say if the engine or torch is missing or no weights are given or packaged."""
        chosen: Any = cls.parameters_class() if parameters is None else parameters
        path = weights_path(cls.kind, chosen.network, chosen.weights)
        exported = (
            path
            and choice.installed_engine()
            and chosen.engine != choice.TORCH
            and is_exported(cls.kind, chosen.network, path)
        )
        if not exported and (problem := missing_libraries()):
            return problem
        return missing_engine(chosen.engine) or weights_problem(
            cls.kind, chosen.network, chosen.weights
        )

    @property
    def geometry(self) -> Geometry:
        """Sizes of the network."""
        geometry: Geometry = self.matcher.geometry
        return geometry

    def _make_matcher(self) -> Any:
        """The network behind its protocol (`visual_tracker.models.matchers`)."""
        path = available_weights(self.kind, self.parameters)
        return shared_matcher(matcher_spec(self.kind, self.parameters, path, self.device))

    def _first_seen(self, image: Image, box: Box) -> Image:
        return self._gain.start(image, self.parameters.least_brightness, box)

    def _as_seen(self, image: Image, near: Box | None) -> Image:
        return self._gain.applied(image, self.parameters.least_brightness, near)

    def _start(self, image: Image, box: Box) -> Any:
        """Remember size and padding, and return the first frame's template."""
        self._padding = channel_mean(image)
        self._min_side = min(MIN_SIDE, box.width, box.height)
        return self._template_of(image, box)

    def _template_of(self, image: Image, box: Box) -> Any:
        """The template that a box gives."""
        side = self._pixel(box) * self.geometry.template_size
        frame = CropFrame.square(box.center, side, self.geometry.template_size)
        return self.matcher.learn(take_crop(image, frame, self._padding))

    def _pixel(self, box: Box) -> float:
        """Side of a crop pixel in image pixels, for a target of the box's size."""
        return context_side(box.width, box.height) / self.geometry.context_size

    def _local_frame(self, box: Box) -> CropFrame:
        """The search crop around the last box."""
        side = self._pixel(box) * self.geometry.search_size
        return CropFrame.square(box.center, side, self.geometry.search_size)

    def _bounded(
        self, center: tuple[float, float], size: tuple[float, float], image_size: tuple[int, int]
    ) -> Box:
        """A box whose centre lies in the image and whose sides lie in [MIN_SIDE, image]."""
        x, y = (
            min(max(value, 0.0), float(limit))
            for value, limit in zip(center, image_size, strict=True)
        )
        width, height = (
            max(min(value, float(limit)), self._min_side)
            for value, limit in zip(size, image_size, strict=True)
        )
        return Box.from_center(x, y, width, height)

    def _resolve_device(self, device: str) -> str:
        return resolve_device(device)
