"""VOT's short-term measures of a supervised run: accuracy, robustness and EAO.

Kristan et al., "A novel performance evaluation methodology for single-target trackers" (TPAMI
2016) and the VOT challenges 2015-2019. In a supervised run a tracker whose box no longer touches
the target (IoU 0) has failed; it is started anew on the truth five frames later.

- accuracy: mean IoU over the frames tracked, without the 10 frames from each start on (burn-in).
- robustness: number of failures; also as exp(-30 failures / frames), the chance to pass 30 frames
  without one.
- EAO: each stretch from a start to a failure gives its IoU values, then zeros for ever; one that
  reaches the end of the sequence is known only as long as it lasted. The curve at N is the mean
  over the stretches known at N of their mean IoU in frames 1..N after the start; EAO is the mean
  of the curve over the range of typical sequence lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from visual_tracker.evaluation.metrics import FloatArray

#: frames from each start on that do not count for accuracy
BURN_IN = 10
#: frames from a failure to the next start
SKIP = 5
#: S in the robustness exp(-S failures / frames)
SENSITIVITY = 30
#: share of the sequences whose length lies in the EAO's range
LENGTH_SHARE = 0.5


class Phase(IntEnum):
    """What happened in a frame of a supervised run (0 to 2 are VOT's own codes)."""

    SKIPPED = 0
    START = 1
    FAILURE = 2
    TRACKED = 3


@dataclass(frozen=True)
class SupervisedOutcome:
    """A supervised run over one sequence.

    Attributes:
        phases: a :class:`Phase` a frame, shape (frames,).
        ious: IoU a frame, both boxes clipped to the image, shape (frames,); read only where
            the phase is TRACKED.
    """

    phases: FloatArray
    ious: FloatArray


@dataclass(frozen=True)
class Stretch:
    """The frames from one start to the failure or the end, the start's own IoU being 0.

    Attributes:
        ious: shape (frames,).
        failed: True if a failure ended it.
    """

    ious: FloatArray
    failed: bool


def accuracy(run: SupervisedOutcome, burn_in: int = BURN_IN) -> float | None:
    """Mean IoU of the frames tracked, burn-in left out; None if no frame is left."""
    counted = run.phases == Phase.TRACKED
    for start in np.flatnonzero(run.phases == Phase.START):
        counted[start : start + burn_in] = False
    return float(run.ious[counted].mean()) if counted.any() else None


def failures(run: SupervisedOutcome) -> int:
    """How often the tracker failed."""
    return int((run.phases == Phase.FAILURE).sum())


def robustness(failure_count: float, frames: float) -> float:
    """exp(-30 failures / frames), in [0, 1]; 1 is a run without failure."""
    return math.exp(-SENSITIVITY * failure_count / frames)


def stretches(run: SupervisedOutcome) -> list[Stretch]:
    """Cut a run at its starts and failures."""
    found = []
    failed_at = np.flatnonzero(run.phases == Phase.FAILURE)
    for start in np.flatnonzero(run.phases == Phase.START):
        ends = failed_at[failed_at > start]
        end = int(ends[0]) if ends.size else len(run.phases)
        ious = np.where(run.phases == Phase.TRACKED, run.ious, 0.0)[start:end]
        found.append(Stretch(ious, bool(ends.size)))
    return found


def eao_curve(all_stretches: Sequence[Stretch]) -> FloatArray:
    """Expected average overlap at each length, shape (longest stretch,).

    Entry N is over frames 1..N after a start, so entry 0 is 0; entries at which no stretch is
    known are NaN (there are none: the longest is known to its end).
    """
    longest = max(len(stretch.ious) for stretch in all_stretches)
    total, known = np.zeros(longest), np.zeros(longest)
    for stretch in all_stretches:
        ious = np.zeros(longest)
        ious[: len(stretch.ious)] = stretch.ious
        reach = longest if stretch.failed else len(stretch.ious)
        averages = np.concatenate([[0.0], np.cumsum(ious[1:]) / np.arange(1, longest)])
        total[:reach] += averages[:reach]
        known[:reach] += 1
    return np.asarray(total / known)


def eao(curve: FloatArray, low: int, high: int) -> float | None:
    """Mean of the curve from `low` to `high` inclusive; None if it ends before `low`."""
    part = curve[low : high + 1]
    return float(part.mean()) if part.size else None


def typical_lengths(lengths: Sequence[int], share: float = LENGTH_SHARE) -> tuple[int, int]:
    """The EAO's range (low, high) of a dataset, after VOT 2015.

    The density of the sequence lengths is estimated with Gaussian kernels (Silverman's width); the
    range is the narrowest set of neighbouring lengths, around the most likely one, that holds
    `share` of it.

    Args:
        lengths: frames of each sequence, at least one.
        share: mass in (0, 1).
    """
    values = np.asarray(lengths, float)
    width = max(1.0, 1.06 * float(values.std()) * len(values) ** -0.2)
    grid = np.arange(1, int(values.max() + 4 * width) + 2)
    density = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(axis=1)
    density /= density.sum()
    low = high = int(density.argmax())
    while density[low : high + 1].sum() < share:
        left = density[low - 1] if low > 0 else -1.0
        right = density[high + 1] if high + 1 < len(grid) else -1.0
        low, high = (low - 1, high) if left >= right else (low, high + 1)
    return int(grid[low]), int(grid[high])
