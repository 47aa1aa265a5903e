"""Every metric of the router. Labels are closed sets: destinations of routing.yaml, reasons, states."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.router.retry import REASONS

_LATENCY_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 600)

TRANSITIONS = Counter(
    "leadscore_router_transitions_total", "Transitions planned, by what became of them.", ["result"]
)
for _result in ("routed", "unrouted", "unplannable"):
    TRANSITIONS.labels(result=_result)

PLAN_SECONDS = Histogram(
    "leadscore_router_plan_seconds", "One transaction that plans a batch of transitions.", buckets=_LATENCY_S
)
PLANNED = Counter(
    "leadscore_router_deliveries_planned_total", "Deliveries written, by destination.", ["destination"]
)
ATTEMPTS = Counter(
    "leadscore_router_attempts_total",
    "Attempts to deliver: `delivered`, or why it failed.",
    ["destination", "result"],
)
ATTEMPT_SECONDS = Histogram(
    "leadscore_router_attempt_seconds",
    "One attempt, from sending to the destination's answer.",
    ["destination"],
    buckets=_LATENCY_S,
)
EVENT_TO_DELIVERY_SECONDS = Histogram(
    "leadscore_router_event_to_delivery_seconds",
    "From ingest receiving an event until the destination has the transition it caused.",
    ["destination"],
    buckets=_LATENCY_S,
)
DEAD_LETTERS = Counter(
    "leadscore_router_dead_letters_total",
    "Deliveries given up, kept with their body and the last error.",
    ["destination", "reason"],
)
SUPERSEDED = Counter(
    "leadscore_router_superseded_deliveries_total",
    "Deliveries given up because a newer state of the same lead was waiting, or the person objected.",
    ["destination"],
)
LEASES_EXPIRED = Counter(
    "leadscore_router_leases_expired_total",
    "Claimed deliveries whose router did not finish in time; they are sent again.",
)
STALE_OUTCOMES = Counter(
    "leadscore_router_stale_outcomes_total",
    "Outcomes that came after the delivery belonged to somebody else, and were ignored.",
    ["destination"],
)
WAITING = Gauge(
    "leadscore_router_waiting_deliveries",
    "Deliveries not finished yet: pending or under way.",
    ["destination"],
)
OLDEST_SECONDS = Gauge(
    "leadscore_router_oldest_delivery_seconds",
    "Age of the oldest delivery that is not finished, 0 if there is none.",
    ["destination"],
)
UNPLANNED = Gauge("leadscore_router_unplanned_transitions", "Transitions that wait to be planned.")
DESTINATION_STATE = Gauge(
    "leadscore_router_destination_state",
    "1 for the state a destination is in, 0 for the others.",
    ["destination", "state"],
)
DESTINATION_STATES: Final = ("closed", "half_open", "open", "disabled", "off")

POSTGRES_PAUSES = Counter(
    "leadscore_router_postgres_pauses_total", "Turns that paused because Postgres could not do it.", ["task"]
)
for _task in ("plan", "deliver", "tend"):
    POSTGRES_PAUSES.labels(task=_task)


def announce(destinations: Iterable[str]) -> None:
    """Make every series of these destinations exist, so that a rate has a beginning."""
    for destination in destinations:
        PLANNED.labels(destination=destination)
        STALE_OUTCOMES.labels(destination=destination)
        EVENT_TO_DELIVERY_SECONDS.labels(destination=destination)
        for result in ("delivered", *REASONS):
            ATTEMPTS.labels(destination=destination, result=result)
        for reason in ("unplannable", *REASONS):
            DEAD_LETTERS.labels(destination=destination, reason=reason)
        set_state(destination, "closed")


def set_state(destination: str, state: str) -> None:
    """Show a destination in this state and in no other."""
    for known in DESTINATION_STATES:
        DESTINATION_STATE.labels(destination=destination, state=known).set(known == state)
