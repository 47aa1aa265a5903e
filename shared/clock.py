"""Time as an argument.

In: nothing. Out: the present as an aware UTC datetime, or a monotonic number of seconds.
Refuses naive datetimes. Decisions never import this: they take `now` as a parameter.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What conductors ask for the time; tests replace it with `shared.testing.FrozenClock`."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps; only differences mean anything."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()
