"""Every metric of ingest. Labels are closed sets: source ids, codes of refusals.py, our routes."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

NOBODY: Final = "unknown"
"""The source label of requests that nobody is proven to have sent."""

ACCEPTED = Counter(
    "leadscore_ingest_accepted_events_total", "Events that Kafka has acknowledged, by source.", ["source"]
)
REJECTED = Counter(
    "leadscore_ingest_rejected_events_total",
    "Events and whole requests refused for what is in them, by source and code.",
    ["source", "code"],
)
MARKED = Counter(
    "leadscore_ingest_marked_events_total",
    "Accepted events marked as a machine's, which the scorer keeps and does not count, by source and reason.",
    ["source", "reason"],
)
REQUESTS = Counter(
    "leadscore_ingest_requests_total", "HTTP requests answered, by route and status.", ["route", "status"]
)
REQUEST_SECONDS = Histogram(
    "leadscore_ingest_request_seconds",
    "From a request's first byte to its answer, Kafka's acknowledgement included.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BODY_BYTES = Histogram(
    "leadscore_ingest_body_bytes",
    "Size of request bodies, unpacked.",
    buckets=(256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304),
)
HALF_CHARACTERS = Counter(
    "leadscore_ingest_half_characters_total",
    "Request bodies in which half a surrogate pair (a cut emoji) was replaced by U+FFFD.",
)
IN_FLIGHT = Gauge("leadscore_ingest_in_flight_requests", "Requests being answered now.")
TURNED_AWAY = Counter(
    "leadscore_ingest_turned_away_requests_total",
    "Requests answered with 503 before their body was read, because too many were in flight.",
)
