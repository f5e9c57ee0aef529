"""The trackers under evaluation: a label, a registered tracker and its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from visual_tracker.evaluation.provenance import file_state
from visual_tracker.parameters import ParameterError, Parameters, Value
from visual_tracker.trackers import Tracker, TrackerUnavailableError, create_tracker, tracker_class
from visual_tracker.trackers.confidence import calibration_paths


@dataclass(frozen=True)
class Candidate:
    """One tracker as it is to be evaluated; picklable.

    Attributes:
        label: its name in results and files; several candidates may share a tracker.
        tracker: the registered name.
        settings: parameters laid over the tracker's defaults.
        device: as for `create_tracker`.

    Raises:
        ParameterError: if there is no such tracker or parameter, or the label is no file name.
    """

    label: str
    tracker: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    device: str = "auto"

    def __post_init__(self) -> None:
        """Check name and settings before anything is run."""
        if not self.label or any(char in self.label for char in "/\\.="):
            raise ParameterError(f"{self.label!r} cannot be a label; use letters, digits, - and _")
        self.parameters()

    def parameters(self) -> Parameters:
        """All parameters, defaults included."""
        return tracker_class(self.tracker).parameters_class.from_mapping(self.settings)

    def unavailable_reason(self) -> str | None:
        """Why this machine cannot run it, None if it can."""
        return tracker_class(self.tracker).unavailable_reason(self.parameters())

    def check(self) -> None:
        """Raise TrackerUnavailableError if this machine cannot run it."""
        reason = self.unavailable_reason()
        if reason:
            raise TrackerUnavailableError(f"tracker '{self.label}' cannot run here: {reason}")

    def with_threads(self, count: int) -> Candidate:
        """Itself with so many threads, if its tracker has such a parameter that was not set."""
        names = {spec.name for spec in tracker_class(self.tracker).parameters_class.specs()}
        if "threads" not in names or "threads" in self.settings:
            return self
        return dataclasses.replace(self, settings={**self.settings, "threads": count})

    def with_seeds(self, count: int) -> tuple[Candidate, ...]:
        """Itself with the seeds 0 .. count - 1, if its tracker has a seed that was not set.

        The first keeps its label.
        """
        names = {spec.name for spec in tracker_class(self.tracker).parameters_class.specs()}
        if "seed" not in names or "seed" in self.settings:
            return (self,)
        return tuple(
            dataclasses.replace(
                self,
                label=f"{self.label}-seed{seed}" if seed else self.label,
                settings={**self.settings, "seed": seed},
            )
            for seed in range(count)
        )

    def create(self) -> Tracker:
        """Make a fresh tracker.

        Raises:
            TrackerUnavailableError: if this machine cannot run it.
        """
        return create_tracker(self.tracker, self.device, **self.settings)

    def describe(self) -> dict[str, object]:
        """What it is, for results and for telling whether an earlier run still holds.

        A parameter that names a file stands with the file's size and time, and those of a
        calibration beside it, so that another model under the same name is another candidate.
        """
        parameters = dataclasses.asdict(self.parameters())
        files = {
            name: [file_state(each) for each in (path, *calibration_paths(path))]
            for name, path in (
                (name, Path(value)) for name, value in parameters.items() if _is_text(value)
            )
            if path.is_file()
        }
        return {
            "tracker": self.tracker,
            "device": self.device,
            "parameters": parameters,
            "files": files,
        }


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
