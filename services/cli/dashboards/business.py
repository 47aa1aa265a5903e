"""The page for marketing and sales: what came in, who qualified, what sales got."""

from typing import Final

from services.cli.dashboards.panels import Dashboard, Panel, Row

_LEADS: Final = Row(
    title="Leads",
    panels=(
        Panel(
            title="Entered a stage within the last day",
            unit="short",
            kind="stat",
            columns=12,
            queries={"{{stage}}": "sum by (stage) (increase(leadscore_scorer_transitions_total[1d]))"},
        ),
        Panel(
            title="Handed over within the last day",
            about="Deliveries that the destination took.",
            unit="short",
            kind="stat",
            columns=12,
            queries={
                "{{destination}}": "sum by (destination)"
                ' (increase(leadscore_router_attempts_total{result="delivered"}[1d]))'
            },
        ),
        Panel(
            title="Moves an hour",
            unit="short",
            columns=12,
            queries={
                "{{previous_stage}} → {{stage}}": "sum by (previous_stage, stage)"
                " (increase(leadscore_scorer_transitions_total[1h]))"
            },
        ),
        Panel(
            title="Moves of accounts an hour",
            unit="short",
            columns=12,
            queries={
                "{{previous_stage}} → {{stage}}": "sum by (previous_stage, stage)"
                " (increase(leadscore_scorer_account_transitions_total[1h]))"
            },
        ),
    ),
)
_SOURCES: Final = Row(
    title="Where events come from, and which count",
    panels=(
        Panel(
            title="Events an hour by source",
            about="A source that falls silent is seen here first.",
            unit="short",
            queries={"{{source}}": "sum by (source) (increase(leadscore_ingest_accepted_events_total[1h]))"},
        ),
        Panel(
            title="Share that counts",
            about="The others are duplicates, machines' or nobody's.",
            unit="percentunit",
            queries={
                "counted": 'sum(increase(leadscore_scorer_events_total{result="counted"}[1h]))'
                " / sum(increase(leadscore_scorer_events_total[1h]))"
            },
        ),
        Panel(
            title="Not counted, by reason",
            unit="short",
            queries={
                "{{reason}}": "sum by (reason) (increase(leadscore_scorer_quarantined_events_total[1h])) > 0"
            },
        ),
    ),
)
_SPEED: Final = Row(
    title="How fast sales hears",
    panels=(
        Panel(
            title="From the event to the destination, 95 of 100",
            unit="s",
            columns=12,
            queries={
                "{{destination}}": "histogram_quantile(0.95, sum by (destination, le)"
                " (rate(leadscore_router_event_to_delivery_seconds_bucket[1h])))"
            },
        ),
        Panel(
            title="Transitions that no route wants, a day",
            about="Many of them may be right: routing.yaml decides who hears of what.",
            unit="short",
            columns=12,
            queries={
                "{{result}}": "sum by (result) (increase(leadscore_router_transitions_total[1d]))",
            },
        ),
    ),
)

DASHBOARD: Final = Dashboard(name="business", title="Leadscore business", rows=(_LEADS, _SOURCES, _SPEED))
