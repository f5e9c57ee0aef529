"""Frames as they arrive, and the ring buffer from which a late init starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from visual_tracker.images import Image

NANOSECONDS = 1_000_000_000


class Frame(ABC):
    """One image as it came, not decoded yet.

    Attributes:
        stamp: when it was taken, in nanoseconds.
        size_bytes: what it takes to keep it.
    """

    stamp: int
    size_bytes: int

    @abstractmethod
    def check(self) -> None:
        """Raise ImageError if it is plainly no image; must cost next to nothing."""

    @abstractmethod
    def decode(self) -> Image:
        """The image, BGR uint8 (height, width, 3).

        Raises:
            ImageError: if it cannot be decoded.
        """


class FrameBuffer:
    """The latest frames in order of arrival, bounded in time and in memory.

    The newest frame is always kept. A stamp that goes back (a bag that loops, a clock that was
    reset, two cameras on one topic) empties the buffer, since stamps would name two frames. A frame
    without a stamp (0) is not kept: no request can name it.

    Args:
        max_seconds: span of the stamps kept.
        max_bytes: sum of the frames' `size_bytes` kept.
    """

    def __init__(self, max_seconds: float, max_bytes: int) -> None:
        self.max_seconds = max_seconds
        self.max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Number of frames kept."""
        return len(self._frames)

    def append(self, frame: Frame) -> int:
        """Add the newest frame and let go of those beyond the bounds.

        Returns:
            By how many nanoseconds its stamp went back and emptied the buffer; 0 if it did not.
        """
        if not frame.stamp:
            return 0
        back = max(0, self._frames[-1].stamp - frame.stamp) if self._frames else 0
        if back:
            self.clear()
        self._frames.append(frame)
        self._bytes += frame.size_bytes
        oldest = frame.stamp - self.max_seconds * NANOSECONDS
        while len(self._frames) > 1 and (
            self._frames[0].stamp < oldest or self._bytes > self.max_bytes
        ):
            self._bytes -= self._frames.popleft().size_bytes
        return back

    def take(self) -> list[Frame]:
        """All frames in order of arrival, and forget them."""
        frames = list(self._frames)
        self.clear()
        return frames

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self._bytes = 0

    @property
    def span(self) -> tuple[int, int] | None:
        """Stamps of the oldest and newest frame kept, None if there is none."""
        return (self._frames[0].stamp, self._frames[-1].stamp) if self._frames else None

    def nearest(self, stamp: int) -> Frame | None:
        """The frame whose stamp is nearest to `stamp`, None if `stamp` is outside the span."""
        span = self.span
        if span is None or not span[0] <= stamp <= span[1]:
            return None
        return min(self._frames, key=lambda frame: abs(frame.stamp - stamp))

    def after(self, frame: Frame) -> list[Frame]:
        """The frames that came after `frame`; all of them if it is no longer kept itself."""
        frames = list(self._frames)
        for index, kept in enumerate(frames):
            if kept is frame:
                return frames[index + 1 :]
        return frames
