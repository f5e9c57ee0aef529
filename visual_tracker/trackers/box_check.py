"""Whether the box still frames what was framed in the first frame.

A network boxes what it takes for the whole: while a head bends over a shoulder, the box may grow
from the one to the other, frame by frame, each time a little and each time with confidence. From
then on every crop shows the target at a wrong scale, in which the network sees nothing amiss. The
first frame's template does: on slowed training videos its likeness to the true box was higher than
to one of twice the size in 93 of 100 frames, and lower by .1 in one (docs/experiments.md, 26).

So now and then the target is looked for at another scale, with the first frame's template, and a
box found there that looks more like the first frame's takes the place of the present one. The scale
pyramid is as old as tracking (SiamFC, section 3.2, for one); ours is asked seldom, and judged by
the template instead of the score, which saturates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visual_tracker.crops import CropFrame
from visual_tracker.trackers.score_map import Proposals, suppress, windowed
from visual_tracker.trackers.turns import Turns

FloatArray = NDArray[np.floating]

#: sizes looked for, against that of the present box, in turn
SCALES = (0.6, 1.6)
#: a box that resembles the first frame's so much needs no look
ALIKE = 0.85
#: weight of the window, by which what is near the present box is preferred
_WINDOW = 0.3
#: boxes of a look that are compared, and their largest IoU with each other
_CONTENDERS, _OVERLAP = 2, 0.5


class BoxCheck(Turns):
    """In which of the frames where the target is held its box is checked, and at which scale."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def look(self, frame: CropFrame) -> CropFrame:
        """The search crop in which the target is looked for, at the scale whose turn it is.

        Args:
            frame: that around the present box.
        """
        scale = SCALES[self._looks % len(SCALES)]
        self._looks += 1
        return replace(frame, pixel=frame.pixel * scale)


def contenders(proposals: Proposals) -> FloatArray:
    """The best proposals of a look, near its middle rather than far: (4, n) of their boxes."""
    ranks = windowed(proposals.scores, proposals.shape, _WINDOW)
    return proposals.boxes[:, suppress(proposals.boxes, ranks, _OVERLAP, _CONTENDERS)]
