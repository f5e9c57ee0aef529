"""Which images a subscription never gave: lost on the way, or replaced in its queue unseen.

A publisher numbers its messages, so a gap between two images taken tells how many were not seen.
The middleware itself counts those that never reached this process. What is left of the gaps did,
and a newer one took their place in the queue, which is one image deep, before they were taken.
"""

from __future__ import annotations


class Delivery:
    """Counts from the first image of a publisher on; written by one thread, read by any.

    With several publishers at once gaps mean nothing, since rclpy does not say whose number a
    message carries; nothing is counted then. Losses are reported beside the images, not with them,
    so that `replaced` can be off by what is under way.
    """

    def __init__(self) -> None:
        self._publishers = 0
        self._newest: int | None = None
        self._numbered = True
        self._unseen = 0
        self._lost = 0
        self._missed = 0

    @property
    def known(self) -> bool:
        """Whether counting is possible: a middleware that numbers, and no second publisher."""
        return self._numbered and self._publishers <= 1

    @property
    def publishers(self) -> int:
        """Publishers that the subscription has matched."""
        return self._publishers

    @property
    def lost(self) -> int:
        """Images that never reached this process."""
        return self._lost

    @property
    def replaced(self) -> int:
        """Images that did, and were replaced in the queue before they were taken."""
        return max(0, self._unseen - self._lost)

    @property
    def missed(self) -> int:
        """Images lost since publishers came or went, while none has been taken; 0 from then on.

        Some may be from before the subscription, so that they are not counted as lost.
        """
        return self._missed

    def on_publishers(self, count: int) -> None:
        """Publishers came or went; another one's numbers begin anew."""
        self._publishers = count
        self._newest = None
        self._missed = 0

    def on_lost(self, count: int) -> None:
        """The middleware has missed so many messages."""
        # those before the first image taken may be from before the subscription
        if self._counting:
            self._lost += count
        elif self._publishers and self._newest is None:
            self._missed += count

    def on_image(self, number: int | None) -> None:
        """An image was taken; `number` is its publisher's, None if the middleware gives none."""
        self._numbered = number is not None
        if self._counting and number is not None and self._newest is not None:
            self._unseen += max(0, number - self._newest - 1)
        self._newest = number
        self._missed = 0

    @property
    def _counting(self) -> bool:
        return self.known and self._newest is not None
