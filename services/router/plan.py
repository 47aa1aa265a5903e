"""transitions → decide → render → deliveries, one transaction per batch.

In: the wake-up bell. Out: rows in `deliveries`, and a ring for whoever delivers.
Refuses to lose a transition (P5): it is marked as planned in the transaction that wrote its deliveries, and
one that cannot be read or rendered becomes a dead letter for every destination that would have got it.
An objection gives up what waits of its lead, in the transaction that plans what is told of it; what was not
planned by then is told nobody.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import metrics, outbox, traced
from services.router.decide import decide
from services.router.destination import Wants
from services.router.loop_health import LoopHealth
from services.router.outbox import Planned
from services.router.render import Language
from services.router.routing import Routing
from services.router.wake import Bell
from shared.database import transaction
from shared.errors import Invalid, Transient
from shared.ids import TransitionId, delivery_id
from shared.leads.transition_row import ABOUT_OBJECTION, TransitionRow, read
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.traces.otel import Traces

Bodies = dict[tuple[Callable[[TransitionRow, Language], bytes], Language], bytes]
"""What is rendered already, by whom and in which language"""


class Planner:
    """Plans whatever the scorer has written, for ever.

    batch:    transitions per transaction at most
    planned:  called when there is something to deliver
    """

    def __init__(  # noqa: PLR0913 - the parts it is wired of
        self,
        database: AsyncEngine,
        routing: Routing,
        *,
        batch: int,
        pulse: LoopHealth,
        planned: Callable[[], None],
        traces: "Traces | None" = None,
    ) -> None:
        self._database = database
        self._routing = routing
        self._batch = batch
        self._pulse = pulse
        self._planned = planned
        self._traces = traces

    async def run(self, bell: Bell, poll_interval_s: float) -> None:
        """Plan until cancelled; pause while Postgres is away."""
        while True:
            try:
                idle = not await self.turn()
                self._pulse.beat()
            except Transient as error:
                self._pulse.miss(str(error))
                idle = True
            if idle:
                await bell.wait(poll_interval_s)

    async def turn(self) -> int:
        """Plan one batch; the number of transitions planned."""
        with metrics.PLAN_SECONDS.time():
            async with transaction(self._database) as connection:
                claimed = await outbox.claim(connection, self._batch)
                objected = [row for row in claimed if row["cause"] == "objected"]
                cancelled = await outbox.cancel(connection, objected)
                rows = await outbox.with_who_had_it(connection, claimed)
                with traced.planning(self._traces, rows) as told:
                    planned = {row["transition_id"]: list(plan(row, self._routing)) for row in told}
                    deliveries = [one for some in planned.values() for one in some]
                    await outbox.write(connection, deliveries)
                    await outbox.mark(connection, _destinations(planned))
        if deliveries:
            self._planned()
        _account(rows, deliveries)
        for destination in cancelled:
            metrics.SUPERSEDED.labels(destination=destination).inc()
        return len(rows)


def _destinations(planned: Mapping[TransitionId, list[Planned]]) -> dict[TransitionId, list[str]]:
    return {one: [each.destination for each in some] for one, some in planned.items()}


def plan(row: Mapping[str, Any], routing: Routing) -> Iterator[Planned]:
    """The deliveries of one row of transitions."""
    try:
        transition = read(row)
    except Invalid as error:
        # Nobody can say any more which routes it would have met.
        yield from (
            _planned(row, (name, routing.kinds[name].wants), b"", error) for name in sorted(routing.active)
        )
        return
    if row.get("objected") and transition.cause not in ABOUT_OBJECTION:
        return  # it waited for us while the person objected: nothing more is told of before
    bodies: Bodies = {}
    had_it = [name for name in sorted(row.get("had_it", ())) if name in routing.active]
    for name in had_it:
        yield _render_for(transition, row, name, routing, bodies)
    if transition.cause in ABOUT_OBJECTION:
        return  # whoever never had the lead is not told that there is one
    bodies, unknown = {}, msgspec.structs.replace(transition, other_leads=[], corrected=[])
    for name in decide(transition, routing.routes, routing.active):
        # Whoever never had the lead is told where it stands, not what it was part of or was thought to be.
        if name not in had_it:
            yield _render_for(unknown, row, name, routing, bodies)


def _render_for(
    transition: TransitionRow,
    row: Mapping[str, Any],
    name: str,
    routing: Routing,
    bodies: Bodies,
) -> Planned:
    """The delivery for one destination; `bodies` remembers what is rendered already."""
    language, kind = routing.destinations[name].language, routing.kinds[name]
    try:
        if (kind.render, language) not in bodies:
            bodies[kind.render, language] = kind.render(transition, language)
    except Invalid as error:
        return _planned(row, (name, kind.wants), b"", error)
    return _planned(row, (name, kind.wants), bodies[kind.render, language], None)


def _planned(row: Mapping[str, Any], to: tuple[str, Wants], body: bytes, error: Invalid | None) -> Planned:
    destination, wants = to
    return Planned(
        delivery_id=delivery_id(row["transition_id"], destination),
        destination=destination,
        transition_id=row["transition_id"],
        lead_id=row["lead_id"],
        sequence=row["sequence"],
        body=body,
        error=None if error is None else f"{error.code}: {error.message}",
        event_received_at=row["event_received_at"],
        wants=wants,
        traceparent=row.get("traceparent"),
    )


def _account(rows: list[Mapping[str, Any]], deliveries: list[Planned]) -> None:
    """Count what was committed."""
    broken = {one.transition_id for one in deliveries if one.error is not None}
    routed = {one.transition_id for one in deliveries} - broken
    metrics.TRANSITIONS.labels(result="routed").inc(len(routed))
    metrics.TRANSITIONS.labels(result="unplannable").inc(len(broken))
    metrics.TRANSITIONS.labels(result="unrouted").inc(len(rows) - len(routed) - len(broken))
    for one in deliveries:
        metrics.PLANNED.labels(destination=one.destination).inc()
        if one.error is not None:
            metrics.DEAD_LETTERS.labels(destination=one.destination, reason="unplannable").inc()
            log(
                "router.delivery_dead",
                level="error",
                delivery=str(one.delivery_id),
                destination=one.destination,
                reason="unplannable",
            )
