"""The page for whoever was woken: whether the three objectives hold, and where the trouble is."""

from typing import Final

from services.cli.dashboards.panels import Dashboard, Panel, Row

_OBJECTIVES: Final = Row(
    title="Do the objectives hold?",
    panels=(
        Panel(
            title="Requests that ingest did not answer well",
            about="5xx and turned away; the objective is 0.1 %.",
            unit="percentunit",
            line=0.001,
            queries={
                "last hour": "leadscore:ingest_errors:ratio_rate1h",
                "last three days": "leadscore:ingest_errors:ratio_rate3d",
            },
        ),
        Panel(
            title="Events scored later than 5 s after receipt",
            about="The objective is 1 %.",
            unit="percentunit",
            line=0.01,
            queries={
                "last hour": "leadscore:late_scores:ratio_rate1h",
                "last three days": "leadscore:late_scores:ratio_rate3d",
            },
        ),
        Panel(
            title="Leads that destinations got later than 5 min, or not",
            about="The objective is 1 % for each destination.",
            unit="percentunit",
            line=0.01,
            queries={
                "{{destination}}, last hour": "leadscore:late_deliveries:ratio_rate1h",
                "{{destination}}, last three days": "leadscore:late_deliveries:ratio_rate3d",
            },
        ),
    ),
)
_TROUBLE: Final = Row(
    title="What is wrong?",
    panels=(
        Panel(
            title="Alerts that fire",
            about="Each has a section in docs/runbook.md by its name.",
            unit="none",
            kind="table",
            columns=12,
            queries={
                "{{alertname}}": 'count by (alertname, severity) (ALERTS{alertname=~"Leadscore.+",'
                'alertstate="firing"})'
            },
        ),
        Panel(
            title="Processes that answer",
            unit="none",
            kind="stat",
            columns=6,
            queries={"{{job}}": 'sum by (job) (up{job=~"leadscore-.+"})'},
        ),
        Panel(
            title="Versions that run",
            unit="none",
            kind="stat",
            columns=6,
            queries={"{{service}} {{version}}": "count by (service, version) (leadscore_build_info)"},
        ),
    ),
)
_CONSERVATION: Final = Row(
    title="Is every event accounted for? (P6)",
    panels=(
        Panel(
            title="Events: accepted, and what became of records",
            unit="cps",
            queries={
                "accepted by ingest": "sum(rate(leadscore_ingest_accepted_events_total[$__rate_interval]))",
                "{{result}}": "sum by (result) (rate(leadscore_scorer_events_total[$__rate_interval]))",
            },
        ),
        Panel(
            title="Records in flight",
            about="In Kafka, and not yet taken by a scorer.",
            unit="short",
            queries={"waiting": "leadscore:lag_records:sum"},
        ),
        Panel(
            title="Records of which nobody knows what became",
            about="Both must be 0: by the books in Postgres, and of the last hour from ingest to scorer.",
            unit="short",
            line=1,
            queries={
                "by the books": "max(leadscore_scorer_books_unbalanced_records)",
                "accepted and not taken": "clamp_min(leadscore:missing_records:increase1h, 0)",
            },
        ),
    ),
)
_MACHINE: Final = Row(
    title="Do the processes have what they need?",
    panels=(
        Panel(
            title="CPU",
            unit="percentunit",
            columns=6,
            queries={
                "{{job}} {{instance}}": "rate(process_cpu_seconds_total"
                '{job=~"leadscore-.+"}[$__rate_interval])'
            },
        ),
        Panel(
            title="Memory",
            unit="bytes",
            columns=6,
            queries={"{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"leadscore-.+"}'},
        ),
        Panel(
            title="Event loop late (nine of ten looks)",
            unit="s",
            line=0.25,
            columns=6,
            queries={
                "{{job}} {{instance}}": "histogram_quantile(0.9, sum by (job, instance, le) "
                "(rate(leadscore_event_loop_lag_seconds_bucket[$__rate_interval])))"
            },
        ),
        Panel(
            title="Postgres connections in use",
            unit="percentunit",
            line=1,
            columns=6,
            queries={
                "{{job}} {{instance}}": "leadscore_database_pool_in_use_connections"
                " / leadscore_database_pool_size_connections"
            },
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    name="overview",
    title="Leadscore overview",
    rows=(_OBJECTIVES, _TROUBLE, _CONSERVATION, _MACHINE),
)
