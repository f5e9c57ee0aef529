"""What is done every n-th time."""

from __future__ import annotations


class Turns:
    """Counts the times since something was done last."""

    def __init__(self) -> None:
        self._since = 0

    def is_due(self, every: int) -> bool:
        """Count one time more; whether it is done now.

        Args:
            every: times from one turn to the next; 0 for none.
        """
        self._since += 1
        if not every or self._since < every:
            return False
        self._since = 0
        return True
