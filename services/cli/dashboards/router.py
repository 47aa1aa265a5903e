"""The page about the router: whether each destination gets its leads, and why not."""

from typing import Final

from services.cli.dashboards.panels import Dashboard, Panel, Row

_DESTINATIONS: Final = Row(
    title="Does each destination get its leads?",
    panels=(
        Panel(
            title="From the event to the destination",
            unit="s",
            line=300,
            queries={
                "{{destination}}, half": "histogram_quantile(0.5, sum by (destination, le)"
                " (rate(leadscore_router_event_to_delivery_seconds_bucket[$__rate_interval])))",
                "{{destination}}, 99 of 100": "histogram_quantile(0.99, sum by (destination, le)"
                " (rate(leadscore_router_event_to_delivery_seconds_bucket[$__rate_interval])))",
            },
        ),
        Panel(
            title="State",
            about="closed is healthy, open waits, disabled waits for a person, off has no address.",
            unit="none",
            kind="table",
            queries={
                "{{destination}} {{state}}": "max by (destination, state)"
                " (leadscore_router_destination_state) == 1"
            },
        ),
        Panel(
            title="Age of the oldest delivery that is not finished",
            unit="s",
            line=900,
            queries={"{{destination}}": "max by (destination) (leadscore_router_oldest_delivery_seconds)"},
        ),
        Panel(
            title="Deliveries that wait",
            unit="short",
            queries={"{{destination}}": "max by (destination) (leadscore_router_waiting_deliveries)"},
        ),
        Panel(
            title="Dead letters within an hour",
            unit="short",
            line=1,
            queries={
                "{{destination}} {{reason}}": "sum by (destination, reason)"
                " (increase(leadscore_router_dead_letters_total[1h])) > 0"
            },
        ),
        Panel(
            title="Given up for a newer state, or an objection",
            unit="cps",
            queries={
                "{{destination}}": "sum by (destination)"
                " (rate(leadscore_router_superseded_deliveries_total[$__rate_interval]))"
            },
        ),
    ),
)
_ATTEMPTS: Final = Row(
    title="Attempts",
    panels=(
        Panel(
            title="Attempts by result",
            unit="cps",
            queries={
                "{{destination}} {{result}}": "sum by (destination, result)"
                " (rate(leadscore_router_attempts_total[$__rate_interval])) > 0"
            },
        ),
        Panel(
            title="One attempt",
            unit="s",
            queries={
                "{{destination}}, 99 of 100": "histogram_quantile(0.99, sum by (destination, le)"
                " (rate(leadscore_router_attempt_seconds_bucket[$__rate_interval])))"
            },
        ),
        Panel(
            title="Outcomes that came too late",
            unit="cps",
            queries={
                "leases expired": "sum(rate(leadscore_router_leases_expired_total[$__rate_interval]))",
                "stale, {{destination}}": "sum by (destination)"
                " (rate(leadscore_router_stale_outcomes_total[$__rate_interval]))",
            },
        ),
    ),
)
_PLANNING: Final = Row(
    title="Planning",
    panels=(
        Panel(
            title="Transitions by result",
            unit="cps",
            queries={
                "{{result}}": "sum by (result) (rate(leadscore_router_transitions_total[$__rate_interval]))",
                "deliveries to {{destination}}": "sum by (destination)"
                " (rate(leadscore_router_deliveries_planned_total[$__rate_interval]))",
            },
        ),
        Panel(
            title="Transitions that wait to be planned",
            unit="short",
            line=1000,
            queries={"waiting": "max(leadscore_router_unplanned_transitions)"},
        ),
        Panel(
            title="One transaction that plans, and pauses for Postgres",
            unit="s",
            queries={
                "99 of 100 transactions": "histogram_quantile(0.99, sum by (le)"
                " (rate(leadscore_router_plan_seconds_bucket[$__rate_interval])))",
                "pauses a second, {{task}}": "sum by (task)"
                " (rate(leadscore_router_postgres_pauses_total[$__rate_interval]))",
            },
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    name="router", title="Leadscore router", rows=(_DESTINATIONS, _ATTEMPTS, _PLANNING)
)
