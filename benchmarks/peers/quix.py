"""The peer of the scorer: the same job as far as it goes, written with quixstreams as its documentation does.

In: the events topic. Out: rows of `peer_leads` (keyed state: points that decay, a stage) and `peer_events`,
by the package's own Postgres sink, at least once. Refuses what it has no words for: people who are one (a key
is a lead), duplicates, receipts, transitions, time that moves a stage. It runs in an environment of its own
(benchmarks/peers/environment.py), so it imports nothing of ours.

    python benchmarks/peers/quix.py <broker> <topic> <postgres url> <state folder>
"""

import math
import sys
import time
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from quixstreams import Application, State
from quixstreams.sinks.community.postgresql import PostgreSQLSink

_POINTS: Final = {"page.viewed": 3.0, "person.identified": 12.0}
_HALF_LIFE_S: Final = 14 * 86_400
_MQL: Final = 45


def count(event: dict[str, Any], key: str, _at: int, _headers: Any, state: State) -> dict[str, Any]:
    """The lead after one more event."""
    at_s = datetime.fromisoformat(event["occurred_at"]).timestamp()
    lead = state.get("lead") or {"points": 0.0, "at_s": at_s, "events": 0, "stage": "visitor"}
    since_s = max(0.0, at_s - lead["at_s"])
    points = lead["points"] * math.exp2(-since_s / _HALF_LIFE_S) + _POINTS.get(event["name"], 0.0)
    known = bool(event.get("user_id") or event.get("email")) or lead["stage"] != "visitor"
    stage = "mql" if points >= _MQL else "lead" if known else "visitor"
    lead = {"points": points, "at_s": max(at_s, lead["at_s"]), "events": lead["events"] + 1, "stage": stage}
    state.set("lead", lead)
    return {"lead": key, **lead, "score": round(min(points, 100.0)), "scored_at": time.time()}


def main() -> None:
    """Consume until stopped."""
    broker, topic, url, folder = sys.argv[1:]
    address = urlsplit(url)
    app = Application(
        broker_address=broker,
        consumer_group="peer",
        auto_offset_reset="earliest",
        state_dir=folder,
        commit_interval=1.0,
        loglevel="WARNING",
    )

    def sink(table: str, key: str) -> PostgreSQLSink:
        return PostgreSQLSink(
            host=address.hostname or "127.0.0.1",
            port=address.port or 5432,
            dbname=address.path.lstrip("/"),
            user=address.username or "",
            password=address.password or "",
            table_name=table,
            schema_auto_update=True,
            primary_key_columns=(key,),
            upsert_on_primary_key=True,
        )

    events = app.dataframe(app.topic(topic, value_deserializer="json", key_deserializer="str"))
    stored = events.apply(
        lambda event: {
            "event_id": event["event_id"],
            "name": event["name"],
            "occurred_at": event["occurred_at"],
            "source": event["source"],
            "body": event.get("properties", {}),
        }
    )
    stored.sink(sink("peer_events", "event_id"))
    events.apply(count, stateful=True, metadata=True).sink(sink("peer_leads", "lead"))
    app.run()


if __name__ == "__main__":
    main()
