"""When to stop believing that it is the records that are wrong.

In: the outcome of each record. Out: whether the partition must halt. Refuses to dead-letter a whole topic
because of one bad deploy: after 20 in a row, or 5 % of the last 1,000, a person has to look.
"""

from collections import deque
from typing import Final

CONSECUTIVE: Final = 20
WINDOW: Final = 1_000
SHARE: Final = 0.05


class PoisonLimit:
    """Counts poison of one partition. Time plays no part: only records do."""

    def __init__(self) -> None:
        self._consecutive = 0
        self._window: deque[bool] = deque(maxlen=WINDOW)
        self._poisoned = 0

    def saw(self, *, poison: bool) -> None:
        """Note one record's outcome."""
        if len(self._window) == WINDOW:
            self._poisoned -= self._window[0]
        self._window.append(poison)
        self._poisoned += poison
        self._consecutive = self._consecutive + 1 if poison else 0

    @property
    def exceeded(self) -> bool:
        """Whether so much was poison that the fault is likely ours."""
        full = len(self._window) == WINDOW
        return self._consecutive > CONSECUTIVE or (full and self._poisoned > SHARE * WINDOW)
