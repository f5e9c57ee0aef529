"""What every tracker is: two methods, one result type, one enum of states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from visual_tracker.boxes import Box, BoxError
from visual_tracker.images import Image, ImageError, as_bgr, size_of
from visual_tracker.parameters import Applies, ParameterError, Parameters, Value

#: the smallest side in pixels of a first box that any tracker accepts
MIN_BOX_SIDE = 3.0


class TrackState(Enum):
    """Whether the tracker holds its target."""

    TRACKING = "tracking"
    LOST = "lost"


class TrackerUnavailableError(RuntimeError):
    """The tracker exists but cannot run on this machine; the message says what is missing."""


class NotInitializedError(RuntimeError):
    """`track` was called before `init`."""


@dataclass(frozen=True, slots=True)
class Track:
    """The outcome for one frame.

    Attributes:
        box: where the target is; while LOST the last box known, or a guess.
        confidence: in [0, 1], or None where the tracker has no honest measure of it.
        state: TRACKING or LOST.
        search_region: what was searched, in pixels of the image, beyond which it may reach; None if
            the tracker does not tell.
    """

    box: Box
    confidence: float | None
    state: TrackState
    search_region: Box | None = None

    @property
    def is_lost(self) -> bool:
        """True while the target is lost."""
        return self.state is TrackState.LOST


class Tracker(ABC):
    """Base of all trackers. One instance follows one target.

    A subclass names itself (`name`, `summary`), gives its `parameters_class` and implements
    `_init` and `_track`; it is then registered under `name`. Its module must import with the core
    dependencies alone: heavy ones (torch) are imported when an instance is made, so that every
    tracker can be listed everywhere.

    Args:
        parameters: the tracker's own, an instance of its `parameters_class`; None for the defaults.
        device: "auto", "cpu", "cuda" or "cuda:N"; trackers without a choice ignore "auto" and "cpu"
            and refuse the rest.

    Raises:
        TrackerUnavailableError: if this machine cannot run it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters_class: ClassVar[type[Parameters]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register every concrete subclass under its name."""
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            from visual_tracker.trackers.registry import register

            register(cls)

    def __init__(self, parameters: Parameters | None = None, device: str = "auto") -> None:
        self.parameters: Any = self.parameters_class() if parameters is None else parameters
        reason = self.unavailable_reason(self.parameters)
        if reason:
            raise TrackerUnavailableError(f"tracker '{self.name}' cannot run here: {reason}")
        self.device = self._resolve_device(device)
        self._last: Track | None = None
        self._image_size = (0, 0)

    @classmethod
    def unavailable_reason(cls, parameters: Parameters | None = None) -> str | None:
        """Why this machine cannot run the tracker with `parameters`, or None if it can."""
        return None

    def init(self, image: Image, box: Box) -> Box:
        """Start on a target, forgetting any earlier one; a start that is refused keeps that.

        Args:
            image: BGR uint8 (height, width, 3); grey and BGRA are converted.
            box: the target in that image.

        Returns:
            The box as clipped to the image, which is what is tracked.

        Raises:
            ImageError: if the image cannot be used.
            BoxError: if the box is no Box, lies outside the image, is smaller than MIN_BOX_SIDE in
                it, or smaller or thinner than this tracker can start on.
        """
        image = as_bgr(image)
        if not isinstance(box, Box):
            raise BoxError(
                f"the first box must be a Box, not {type(box).__name__}; "
                "make one with Box.from_xywh(x, y, width, height)"
            )
        box = box.clipped(*size_of(image), min_side=MIN_BOX_SIDE)
        self._init(self._first_seen(image, box), box)
        self._last = Track(box, None, TrackState.TRACKING)
        self._image_size = size_of(image)
        return box

    def track(self, image: Image) -> Track:
        """Find the target in the next image.

        Args:
            image: BGR uint8 (height, width, 3) of the size that `init` was given; grey and BGRA are
                converted.

        Raises:
            ImageError: if the image cannot be used or is of another size. The tracker is then as it
                was before.
            NotInitializedError: before the first `init`.
        """
        last = self._last_track()
        self._last = self._track(self._next_image(image, last), last)
        return self._last

    def set_parameters(self, changes: Mapping[str, Value]) -> None:
        """Change parameters of the running tracker; each one's `applies` says when it takes effect.

        Raises:
            ParameterError: if one is unknown, out of range or chosen when the tracker is made;
                nothing is changed then.
        """
        for name, value in changes.items():
            chosen_before = self.parameters_class.spec(name).applies is Applies.AT_RESTART
            if chosen_before and value != getattr(self.parameters, name):
                raise ParameterError(
                    f"parameter '{name}' is chosen when the tracker is made; make another one"
                )
        self.parameters = self.parameters.replaced(**changes)

    @abstractmethod
    def _init(self, image: Image, box: Box) -> None:
        """Start on the target; image and box are checked."""

    @abstractmethod
    def _track(self, image: Image, last: Track) -> Track:
        """Track in a checked image; `last` is the outcome of the frame before."""

    def _last_track(self) -> Track:
        """The outcome of the frame before; raises NotInitializedError if there is none."""
        if self._last is None:
            raise NotInitializedError(f"call init(image, box) on '{self.name}' before track(image)")
        return self._last

    def _next_image(self, image: Image, last: Track) -> Image:
        """The image as it is looked at; raises ImageError if it is none or of another size."""
        image = as_bgr(image)
        if size_of(image) != self._image_size:
            started, given = (f"{w}x{h}" for w, h in (self._image_size, size_of(image)))
            raise ImageError(
                f"'{self.name}' was started on {started} images and cannot track in {given}; "
                "call init(image, box) again"
            )
        return self._as_seen(image, None if last.is_lost else last.box)

    def _first_seen(self, image: Image, box: Box) -> Image:
        """The first image as the tracker looks at it; here as it is."""
        return image

    def _as_seen(self, image: Image, near: Box | None) -> Image:
        """The next image as the tracker looks at it; here as it is.

        Args:
            image: BGR uint8 (height, width, 3).
            near: where the target was held in the last image; None if it was lost there.
        """
        return image

    def _resolve_device(self, device: str) -> str:
        """Return the device to run on; the base runs on the CPU only."""
        if device not in ("auto", "cpu"):
            raise TrackerUnavailableError(
                f"tracker '{self.name}' runs on the CPU only; device '{device}' was asked for"
            )
        return "cpu"
