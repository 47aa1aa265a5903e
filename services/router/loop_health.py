"""Whether a loop still turns, and whether Postgres lets it.

In: a beat after each good turn, a miss after each that Postgres prevented. Out: answers for /livez and
/readyz. Refuses to call a loop dead because another server is away: a miss is a sign of life too.
"""

from typing import Final

from services.router import metrics
from shared.clock import Clock
from shared.telemetry import log

_DEAD_AFTER_S: Final = 60.0
_STALE_AFTER_S: Final = 15.0


class LoopHealth:
    """The pulse of one loop.

    task: closed set: `plan`, `deliver`, `tend`
    """

    def __init__(self, task: str, clock: Clock) -> None:
        self._task = task
        self._clock = clock
        self._turned_at_s = clock.monotonic_s()
        self._good_at_s: float | None = None
        self._trouble = "no turn yet"

    def beat(self) -> None:
        """A turn ended well."""
        if self._trouble and self._good_at_s is not None:
            log("router.resumed", task=self._task)
        self._turned_at_s = self._good_at_s = self._clock.monotonic_s()
        self._trouble = ""

    def miss(self, why: str) -> None:
        """A turn could not do its work; says so once, until the next good one."""
        if why != self._trouble:
            log("router.paused", level="warning", task=self._task, why=why)
        self._turned_at_s = self._clock.monotonic_s()
        self._trouble = why
        metrics.POSTGRES_PAUSES.labels(task=self._task).inc()

    def alive(self) -> str:
        """Empty while the loop turns; else since when it does not (for /livez)."""
        silent_s = self._clock.monotonic_s() - self._turned_at_s
        return f"no turn for {silent_s:.0f} s" if silent_s > _DEAD_AFTER_S else ""

    def fresh(self) -> str:
        """Empty while the loop does its work; else why not (for /readyz)."""
        if self._trouble or self._good_at_s is None:
            return self._trouble
        age_s = self._clock.monotonic_s() - self._good_at_s
        return f"last good turn {age_s:.0f} s ago" if age_s > _STALE_AFTER_S else ""
