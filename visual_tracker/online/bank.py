"""What is remembered of past frames to learn from: features of positive and negative samples.

MDNet, section 3.3: long-term updates learn from the positives of the last 100 frames, short-term
ones from those of the last 20; negatives are those of the last 20 in both cases.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor


class Samples(NamedTuple):
    """Samples of one kind.

    Attributes:
        features: (N, ...), what the learning layers see.
        labels: (N,) int64: the class of each, or whatever the tracker learns (ADNet: the action).
    """

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """How many samples (not how many fields)."""
        return len(self.features)


class SampleBank:
    """Positives and negatives by frame; the oldest frames are forgotten.

    Args:
        positive_frames: frames whose positives are kept.
        negative_frames: frames whose negatives are kept.
    """

    def __init__(self, positive_frames: int = 100, negative_frames: int = 20) -> None:
        self._positives: deque[tuple[int, Samples]] = deque(maxlen=positive_frames)
        self._negatives: deque[tuple[int, Samples]] = deque(maxlen=negative_frames)

    def __len__(self) -> int:
        """Frames that positives are kept of."""
        return len(self._positives)

    def add(
        self, frame: int, positives: Samples | None = None, negatives: Samples | None = None
    ) -> None:
        """Remember the samples of a frame.

        Args:
            frame: its number; greater than that of any frame before.
            positives: may be None or empty.
            negatives: likewise.

        Raises:
            ValueError: if the frame's number is not greater.
        """
        for memory, samples in ((self._positives, positives), (self._negatives, negatives)):
            if memory and memory[-1][0] >= frame:
                raise ValueError(f"frame {frame} comes after frame {memory[-1][0]}")
            if samples is not None and len(samples):
                memory.append((frame, samples))

    def positives(self, frames: int | None = None) -> Samples | None:
        """Those of the last `frames` frames (None: all kept), oldest first; None if none are."""
        return _joined(self._positives, frames)

    def negatives(self, frames: int | None = None) -> Samples | None:
        """Likewise."""
        return _joined(self._negatives, frames)

    def clear(self) -> None:
        """Forget everything."""
        self._positives.clear()
        self._negatives.clear()


def _joined(memory: deque[tuple[int, Samples]], frames: int | None) -> Samples | None:
    entries = [samples for _, samples in memory]
    if frames is not None:
        entries = entries[max(0, len(entries) - frames) :]
    if not entries:
        return None
    return Samples(
        torch.cat([samples.features for samples in entries]),
        torch.cat([samples.labels for samples in entries]),
    )
