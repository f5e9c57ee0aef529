"""The targets being tracked: their names, their trackers and how long they have been lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from visual_tracker.boxes import Box
from visual_tracker.images import Image, size_of
from visual_tracker.trackers import Track, Tracker, TrackState
from visual_tracker.trackers.asking import track_together


class TargetError(ValueError):
    """A request about a target that cannot be met; the message says why."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What is known of one target after a frame.

    Attributes:
        id: the target's name.
        label: what it is, as the user said.
        track: box, confidence, state and search region.
        frames_since_seen: tracked frames since it was last TRACKING; 0 while it is.
    """

    id: str
    label: str
    track: Track
    frames_since_seen: int


@dataclass(slots=True)
class Target:
    """One target and its tracker.

    Attributes:
        id: the target's name.
        label: what it is, as the user said.
        tracker: follows this target alone.
        image_size: (width, height) of the image it was initialised on.
        track: outcome of the latest frame.
        frames_since_seen: tracked frames since it was last TRACKING.
    """

    id: str
    label: str
    tracker: Tracker
    image_size: tuple[int, int]
    track: Track
    frames_since_seen: int = 0

    def follow(self, image: Image) -> str | None:
        """Track in the next image; returns what went wrong (see `follow_together`)."""
        return follow_together([self], image)[0]

    def take(self, outcome: Track | Exception | None) -> None:
        """Take the outcome of a frame; without one the target is LOST."""
        if not isinstance(outcome, Track):
            outcome = Track(self.track.box, self.track.confidence, TrackState.LOST)
        self.track = outcome
        self.frames_since_seen = self.frames_since_seen + 1 if outcome.is_lost else 0

    def report(self) -> TargetReport:
        """The state after the latest frame."""
        return TargetReport(self.id, self.label, self.track, self.frames_since_seen)


@dataclass
class TargetSet:
    """All targets by id, with trackers made beforehand so that no init has to load a model.

    Args:
        new_tracker: makes one tracker.
        max_targets: how many targets there may be at once.

    Raises:
        TrackerUnavailableError: at construction, if this machine cannot run the tracker.
    """

    new_tracker: Callable[[], Tracker]
    max_targets: int
    targets: dict[str, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make all trackers: one a target, and one for a re-init to be tried on."""
        self._idle = [self.new_tracker() for _ in range(self.max_targets + 1)]
        self._used: set[str] = set()
        self._named = 0

    def init(self, image: Image, box: Box, target_id: str = "", label: str = "") -> Target:
        """Start on a target, or start one again that has this id.

        Args:
            image: BGR uint8 (height, width, 3).
            box: the target in that image.
            target_id: its name; empty for the next free "target_N".
            label: what it is.

        Raises:
            TargetError: if there are `max_targets` already.
            BoxError: if the box cannot be tracked in this image. Nothing has changed then.
        """
        if target_id not in self.targets and len(self.targets) >= self.max_targets:
            raise TargetError(
                f"there are {len(self.targets)} targets already, the most that max_targets allows; "
                "remove one first"
            )
        tracker = self._idle[-1]
        box = tracker.init(image, box)
        self._idle.pop()
        target_id = target_id or self._next_name()
        self._retire(target_id)
        target = Target(
            target_id, label, tracker, size_of(image), Track(box, None, TrackState.TRACKING)
        )
        self.targets[target_id] = target
        self._used.add(target_id)
        return target

    def remove(self, target_id: str) -> None:
        """Stop following a target.

        Raises:
            TargetError: if there is none of that id.
        """
        if target_id not in self.targets:
            known = ", ".join(self.targets) or "none"
            raise TargetError(f"there is no target '{target_id}'; targets: {known}")
        self._retire(target_id)

    def clear(self) -> int:
        """Stop following every target; returns how many there were."""
        count = len(self.targets)
        for target_id in list(self.targets):
            self._retire(target_id)
        return count

    def trackers(self) -> list[Tracker]:
        """Every tracker, in use or idle."""
        return self._idle + [target.tracker for target in self.targets.values()]

    def _retire(self, target_id: str) -> None:
        if target_id in self.targets:
            self._idle.append(self.targets.pop(target_id).tracker)

    def _next_name(self) -> str:
        """A name never given before, also if its target is gone: consumers may remember it."""
        while True:
            self._named += 1
            if (name := f"target_{self._named}") not in self._used:
                return name


def follow_together(targets: Sequence[Target], image: Image) -> list[str | None]:
    """Follow several targets in the next image.

    A tracker that fails, or an image of another size than the target's first, makes that target
    LOST for that frame, leaves its tracker as it is and does not disturb the others.

    Returns:
        For each target what went wrong, None if nothing did.
    """
    size = size_of(image)
    fitting = [target for target in targets if target.image_size == size]
    outcomes = track_together([target.tracker for target in fitting], image)
    of_target = {target.id: outcome for target, outcome in zip(fitting, outcomes, strict=True)}
    for target in targets:
        target.take(of_target.get(target.id))
    return [_problem(target, size, of_target.get(target.id)) for target in targets]


def _problem(
    target: Target, size: tuple[int, int], outcome: Track | Exception | None
) -> str | None:
    """What went wrong; `outcome` is None for a target that was not tracked."""
    if outcome is None:
        return (
            f"target '{target.id}' was initialised on {_size(target.image_size)} images and is "
            f"lost on {_size(size)}; initialise it again"
        )
    if isinstance(outcome, Exception):
        return f"the tracker of target '{target.id}' failed: {outcome}"
    return None


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
