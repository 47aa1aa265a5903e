"""How fast may a source send? A token bucket for each source that has a limit.

In: a source, a number of events, the monotonic time. Out: seconds to wait, 0 for "go on".
One process counts for itself: n replicas let n times as much through.
"""

from typing import Final

from services.ingest.registry import Source

BURST_S: Final = 10.0
"""A source may send this many seconds' worth at once."""

# A rounding error must not turn away what a full bucket holds.
_NOTHING: Final = 1e-6


class Throttle:
    """The buckets of all sources."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, source: Source, events: int, now_s: float) -> float:
        """Take tokens for these events; how long to wait if there are too few (then none are taken).

        A batch larger than the bucket passes when the bucket is full, and empties it below zero: it could
        never pass otherwise.
        """
        rate = source.events_per_s
        if rate is None or not events:
            return 0.0
        size = rate * BURST_S
        level, at_s = self._buckets.get(source.id, (size, now_s))
        level = min(size, level + (now_s - at_s) * rate)
        missing = min(events, size) - level
        enough = missing <= _NOTHING
        self._buckets[source.id] = (level - events if enough else level, now_s)
        return 0.0 if enough else missing / rate
