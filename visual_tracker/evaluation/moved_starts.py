"""First boxes that are a little off the truth, as a user's are.

A tracker turns a small difference in its first box into another run within a dozen frames, so that
one pass from the annotated boxes is one draw of many (docs/experiments.md, 15). Runs from several
moved starts average that out. Deterministic by a seed, for each sequence by itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.evaluation.longterm_cases import generator
from visual_tracker.evaluation.sequences import Sequence


def move_starts(sequences: list[Sequence], share: float, seed: int) -> list[Sequence]:
    """Sequences whose trackers start on a box off the true one.

    Args:
        sequences: left as they are.
        share: see :func:`moved`.
        seed: of the random numbers.
    """
    return [
        replace(one, start=moved(one.box(0), share, generator(seed, f"{one.name} start")))
        for one in sequences
    ]


def moved(box: Box, share: float, random: np.random.Generator) -> Box:
    """A box, a little off.

    Args:
        box: the true one.
        share: standard deviation of the shift of its centre, in sides, and of the logarithms of
            width and height.
        random: four normal numbers are drawn.
    """
    x, y = box.center
    right, down, wider, higher = share * random.standard_normal(4)
    return Box.from_center(
        x + right * box.width,
        y + down * box.height,
        box.width * np.exp(wider),
        box.height * np.exp(higher),
    )
