"""Sequences: samples that follow each other, for networks that remember.

Sample n is frame n % T of sequence n // T, T being the task's `together`. Its template shows the
target in the frame before it, as a tracker that has found it there would take it, so that a
sequence of T samples shows T + 1 frames of a video. Both makers of samples
(`visual_tracker.training.samples`, `visual_tracker.training.device`) make sequences as they make
pairs; who counts samples keeps those of a sequence together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import overload

import numpy as np

from visual_tracker.annotations import View
from visual_tracker.models.geometry import Geometry
from visual_tracker.training.pairs import Pair, PairSampler
from visual_tracker.training.plans import TRIES, Plan, Planner, SampleError, SizeOf
from visual_tracker.training.recipe import Recipe


class SequencePlanner(Planner):
    """Plans the sample of a number, as a frame of its sequence.

    Light, blur and pasted objects change from frame to frame; grey and mirrored are all or none.
    """

    def __init__(
        self, sampler: PairSampler, size_of: SizeOf, geometry: Geometry, recipe: Recipe
    ) -> None:
        super().__init__(sampler, size_of, geometry, recipe)
        #: the sequence planned last, whose samples are asked for one after the other
        self._last: tuple[int, list[Plan]] = (-1, [])

    def plan(self, number: int) -> Plan:
        """Plan one sample; sequences with a corrupt or almost empty crop are drawn anew.

        Raises:
            SampleError: if many draws in a row were unusable.
        """
        sequence, frame = divmod(number, self.recipe.frames)
        if self._last[0] != sequence:
            self._last = sequence, self._plan_sequence(sequence)
        return self._last[1][frame]

    def _plan_sequence(self, number: int) -> list[Plan]:
        rng = np.random.default_rng([self.recipe.seed, number, 1])
        for _ in range(TRIES):
            pairs = self._draw(rng)
            grey, flip = self.draw_turns(rng)
            plans = [self.of_pair(pair, rng) for pair in pairs]
            usable = [plan.turned(grey, flip) for plan in plans if plan is not None]
            if len(usable) == len(pairs):
                return usable
        raise SampleError(
            f"{TRIES} sequences in a row are corrupt or show next to nothing; check the data"
        )

    def _draw(self, rng: np.random.Generator) -> list[Pair]:
        """Pairs of each frame and the one before it, of a video or of one still."""
        track, still = self.sampler.draw_scene(rng)
        if track is None:
            assert still is not None  # it is one or the other
            return [Pair(still, still, positive=True, still=True)] * self.recipe.frames
        views = [view for _, view in track.frames]
        shown = walk(views, self.recipe.frames + 1, self.recipe.frame_gap, rng)
        return [Pair(before, view, positive=True, still=False) for before, view in pairwise(shown)]


def walk(views: list[View], count: int, gap: int, rng: np.random.Generator) -> list[View]:
    """Views in even steps of up to `gap` from anywhere, forward or backward, turning at the ends.

    Args:
        views: of a video, in order; at least one.
        count: how many are wanted.
        gap: longest step.
        rng: of start, step and direction.
    """
    step = int(rng.integers(1, gap + 1)) * (1 if rng.random() < 0.5 else -1)
    places = int(rng.integers(len(views))) + step * np.arange(count)
    period = max(1, 2 * (len(views) - 1))
    places = places % period
    return [views[place] for place in np.minimum(places, period - places).tolist()]


class Runs(Sequence[int]):
    """Numbers of samples, `together` of each run after each other.

    Args:
        numbers: of the runs.
        together: samples a run.
    """

    def __init__(self, numbers: range, together: int) -> None:
        self._numbers, self._together = numbers, together

    def __len__(self) -> int:
        """How many samples."""
        return len(self._numbers) * self._together

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """The number of a sample."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        run, place = divmod(index, self._together)
        return self._numbers[run] * self._together + place
