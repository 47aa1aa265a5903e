"""The page about the scorer: whether it is near the present, what becomes of records, what takes long."""

from typing import Final

from services.cli.dashboards.panels import Dashboard, Panel, Row

_PRESENT: Final = Row(
    title="Is it near the present?",
    panels=(
        Panel(
            title="From receipt to score",
            unit="s",
            line=5,
            queries={
                "half": "histogram_quantile(0.5, sum by (le)"
                " (rate(leadscore_scorer_event_to_score_seconds_bucket[$__rate_interval])))",
                "99 of 100": "histogram_quantile(0.99, sum by (le)"
                " (rate(leadscore_scorer_event_to_score_seconds_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            title="Records that wait in Kafka",
            unit="short",
            queries={"partition {{partition}}": "sum by (partition) (leadscore_scorer_lag_records)"},
        ),
        Panel(
            title="Age of the last committed record",
            unit="s",
            queries={"partition {{partition}}": "max by (partition) (leadscore_scorer_lag_seconds)"},
        ),
        Panel(
            title="Partitions",
            about="All of the topic must be read, none may be halted.",
            unit="none",
            queries={
                "of the topic": "max(leadscore_kafka_topic_partitions)",
                "read by {{instance}}": "leadscore_kafka_assigned_partitions",
                "halted on {{instance}}": "leadscore_scorer_halted_partitions",
            },
        ),
        Panel(
            title="Partitions given anew",
            unit="short",
            queries={"{{instance}}": "increase(leadscore_kafka_rebalances_total[10m])"},
        ),
        Panel(
            title="Model in force",
            about="One version, but for the moment of a publish.",
            unit="none",
            kind="stat",
            queries={
                "{{model}} {{version}}": "count by (model, version) (leadscore_scorer_model_info)",
            },
        ),
    ),
)
_RECORDS: Final = Row(
    title="What becomes of records",
    panels=(
        Panel(
            title="Records by result",
            unit="cps",
            queries={"{{result}}": "sum by (result) (rate(leadscore_scorer_events_total[$__rate_interval]))"},
        ),
        Panel(
            title="Quarantined by reason",
            unit="cps",
            queries={
                "{{reason}}": "sum by (reason)"
                " (rate(leadscore_scorer_quarantined_events_total[$__rate_interval])) > 0"
            },
        ),
        Panel(
            title="Dead letters",
            about="Unresolved now, and new by code.",
            unit="short",
            line=1,
            queries={
                "unresolved": "max(leadscore_scorer_unresolved_dead_letters)",
                "new, {{code}}": "sum by (code) (increase(leadscore_scorer_dead_letters_total[10m]))",
            },
        ),
        Panel(
            title="Corrected by what came later",
            unit="cps",
            queries={
                "{{change}}": "sum by (change)"
                " (rate(leadscore_scorer_corrected_events_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="The books",
            about="Since the first record: taken is the sum of the others.",
            unit="short",
            queries={"{{result}}": "max by (result) (leadscore_scorer_books_records)"},
        ),
        Panel(
            title="Who is who",
            unit="cps",
            queries={
                "merges {{result}}": "sum by (result)"
                " (rate(leadscore_scorer_merges_total[$__rate_interval]))",
                "regroups {{result}}": "sum by (result)"
                " (rate(leadscore_scorer_regroups_total[$__rate_interval]))",
                "identifiers {{status}}": "sum by (status)"
                " (rate(leadscore_scorer_identifiers_set_aside_total[$__rate_interval]))",
            },
        ),
    ),
)
_WORK: Final = Row(
    title="What takes long",
    panels=(
        Panel(
            title="One transaction",
            unit="s",
            queries={
                "half": "histogram_quantile(0.5, sum by (le)"
                " (rate(leadscore_scorer_batch_seconds_bucket[$__rate_interval])))",
                "99 of 100": "histogram_quantile(0.99, sum by (le)"
                " (rate(leadscore_scorer_batch_seconds_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            title="Records in one transaction",
            unit="short",
            queries={
                "half": "histogram_quantile(0.5, sum by (le)"
                " (rate(leadscore_scorer_batch_events_bucket[$__rate_interval])))"
            },
        ),
        Panel(
            title="Transactions tried again",
            unit="cps",
            queries={
                "{{reason}}": "sum by (reason) (rate(leadscore_scorer_batch_retries_total[$__rate_interval]))"
            },
        ),
        Panel(
            title="Leads computed from their history",
            unit="cps",
            queries={
                "{{reason}}": "sum by (reason) (rate(leadscore_scorer_refolds_total[$__rate_interval]))",
                "rescored {{purpose}}": "sum by (purpose)"
                " (rate(leadscore_scorer_rescored_leads_total[$__rate_interval]))",
            },
        ),
        Panel(
            title="Time: due leads",
            unit="s",
            line=300,
            queries={"the oldest has waited": "max(leadscore_scorer_sweep_lag_seconds)"},
        ),
        Panel(
            title="Oldest snapshot in Postgres",
            about="Rows that are updated often cannot be cleaned up behind it.",
            unit="s",
            line=3600,
            queries={"age": "max(leadscore_scorer_oldest_snapshot_seconds)"},
        ),
        Panel(
            title="Retention",
            about="Months of events made ahead, of three; visitors forgotten.",
            unit="short",
            line=1,
            queries={
                "months ahead": "max(leadscore_scorer_event_months_ahead)",
                "forgotten in an hour": "sum(increase(leadscore_scorer_forgotten_leads_total[1h]))",
            },
        ),
        Panel(
            title="Beside the path of events",
            unit="short",
            queries={
                "leads that lists do not show yet": "sum(leadscore_scorer_board_waiting_leads)",
                "leads that wait for their account": "max(leadscore_scorer_account_waiting_leads)",
                "accounts worked out a second": "sum(rate("
                "leadscore_scorer_account_looks_total[$__rate_interval]))",
                "due leads looked at a second": "sum(rate("
                "leadscore_scorer_swept_leads_total[$__rate_interval]))",
            },
        ),
    ),
)

DASHBOARD: Final = Dashboard(name="scorer", title="Leadscore scorer", rows=(_PRESENT, _RECORDS, _WORK))
