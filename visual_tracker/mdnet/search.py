"""Where MDNet's classifier looks for its target: random boxes, half of them around the best."""

from __future__ import annotations

import numpy as np

from visual_tracker.boxes import Box
from visual_tracker.mdnet.learner import Learner, Scored
from visual_tracker.online.samplers import Spread, gaussian_boxes

#: how much narrower the spread of the candidates around the first ones' best is
_NARROWER = 0.4


def tried_boxes(
    learner: Learner,
    rng: np.random.Generator,
    last: Box,
    counts: tuple[int, int],
    image_size: tuple[int, int],
    spreads: tuple[Spread, Spread],
) -> Scored:
    """Candidates around a box, and more around the best of these.

    A spread wide enough to reach a target that jumps is too thin to hit it well; the second round
    gives both reach and precision.

    Args:
        learner: scores boxes of the image that its extractor looks at.
        rng: all the randomness there is.
        last: the middle of the first round.
        counts: boxes of both rounds; the second may have none.
        image_size: width and height in pixels.
        spreads: of the first round, and of the second before it is narrowed.
    """
    tried = learner.score(gaussian_boxes(rng, last, counts[0], image_size, spreads[0]))
    if counts[1]:
        narrow = Spread(spreads[1].translation * _NARROWER, spreads[1].scale * _NARROWER)
        first = Box.from_xywh(*tried.best(1).boxes[0])
        tried += learner.score(gaussian_boxes(rng, first, counts[1], image_size, narrow))
    return tried
