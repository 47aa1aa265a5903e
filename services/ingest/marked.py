"""Accepted events marked as a machine's: counted each, logged at most once a minute for a source and reason.

In: parcels that Kafka has. Out: a metric and log lines, so that nobody wonders where events went.
Refuses to log each: a public website meets crawlers all day.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from services.ingest import metrics
from services.ingest.publish import Parcel
from shared.telemetry import log

_LOG_EVERY: Final = timedelta(minutes=1)


class MarkedEvents:
    """What was marked, by source and reason."""

    def __init__(self) -> None:
        self._logged_at: dict[tuple[str, str], datetime] = {}

    def note(self, parcel: Parcel) -> None:
        """Count the marked events of a parcel."""
        reasons = [event.machine.reason for event in parcel.accepted if event.machine is not None]
        for reason, events in Counter(reasons).items() if reasons else ():
            metrics.MARKED.labels(source=parcel.source.id, reason=reason).inc(events)
            self._log(parcel.source.id, reason, parcel.received_at)

    def _log(self, source: str, reason: str, now: datetime) -> None:
        last = self._logged_at.get((source, reason))
        # A clock set back must not silence the log until it has caught up.
        if last is None or abs(now - last) >= _LOG_EVERY:
            self._logged_at[source, reason] = now
            log("ingest.marked_events", source=source, reason=reason)
