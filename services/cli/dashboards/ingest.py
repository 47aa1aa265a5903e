"""The page about ingest: who sends what, how it is answered, what Kafka takes."""

from typing import Final

from services.cli.dashboards.panels import Dashboard, Panel, Row

_REQUESTS: Final = Row(
    title="Requests",
    panels=(
        Panel(
            title="Requests by status",
            unit="reqps",
            queries={
                "{{status}}": "sum by (status) (rate(leadscore_ingest_requests_total[$__rate_interval]))",
                "turned away": "sum(rate(leadscore_ingest_turned_away_requests_total[$__rate_interval]))",
            },
        ),
        Panel(
            title="Time until the answer",
            about="Kafka's acknowledgement included.",
            unit="s",
            queries={
                "half": "histogram_quantile(0.5, sum by (le)"
                " (rate(leadscore_ingest_request_seconds_bucket[$__rate_interval])))",
                "99 of 100": "histogram_quantile(0.99, sum by (le)"
                " (rate(leadscore_ingest_request_seconds_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            title="Requests by route",
            unit="reqps",
            queries={"{{route}}": "sum by (route) (rate(leadscore_ingest_requests_total[$__rate_interval]))"},
        ),
    ),
)
_EVENTS: Final = Row(
    title="Events",
    panels=(
        Panel(
            title="Accepted by source",
            unit="cps",
            queries={
                "{{source}}": "sum by (source) "
                "(rate(leadscore_ingest_accepted_events_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="Rejected by source and code",
            about="Kept on leads.rejected.v1 with the reason.",
            unit="cps",
            queries={
                "{{source}} {{code}}": "sum by (source, code)"
                " (rate(leadscore_ingest_rejected_events_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="Marked as a machine's",
            about="Accepted, kept, and not counted.",
            unit="cps",
            queries={
                "{{source}} {{reason}}": "sum by (source, reason)"
                " (rate(leadscore_ingest_marked_events_total[$__rate_interval]))"
            },
        ),
    ),
)
_KAFKA: Final = Row(
    title="Kafka, and how full we are",
    panels=(
        Panel(
            title="Records by outcome",
            unit="cps",
            queries={
                "{{topic}} {{result}}": "sum by (topic, result)"
                " (rate(leadscore_kafka_produced_records_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="Time until all in-sync replicas have them",
            unit="s",
            queries={
                "{{job}}, 99 of 100": "histogram_quantile(0.99, sum by (job, le)"
                " (rate(leadscore_kafka_produce_seconds_bucket[$__rate_interval])))"
            },
        ),
        Panel(
            title="Requests in flight",
            about="At LEADSCORE_INGEST_MAX_IN_FLIGHT the next are turned away.",
            unit="short",
            queries={"{{instance}}": "leadscore_ingest_in_flight_requests"},
        ),
        Panel(
            title="Size of bodies",
            unit="bytes",
            queries={
                "half": "histogram_quantile(0.5, sum by (le)"
                " (rate(leadscore_ingest_body_bytes_bucket[$__rate_interval])))",
                "99 of 100": "histogram_quantile(0.99, sum by (le)"
                " (rate(leadscore_ingest_body_bytes_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            title="Bodies with half an emoji",
            about="A cut surrogate pair was replaced; the sender cuts text in the middle of a character.",
            unit="cps",
            queries={"bodies": "sum(rate(leadscore_ingest_half_characters_total[$__rate_interval]))"},
        ),
    ),
)

DASHBOARD: Final = Dashboard(name="ingest", title="Leadscore ingest", rows=(_REQUESTS, _EVENTS, _KAFKA))
