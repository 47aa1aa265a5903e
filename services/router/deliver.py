"""claim → send → settle, for one destination.

In: deliveries that are due. Out: deliveries that arrived, wait for another attempt, or are dead letters.
Refuses to hold a transaction while it sends, and to send what may belong to another router by now.

At least once (P5): between the receiver's answer and the row that says so a crash can come. The lease then
ends, and the same delivery goes out again with the same id.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import breaker, health, metrics, queue, traced
from services.router.breaker import HEALTHY, Health
from services.router.destination import Sender, Wants
from services.router.loop_health import LoopHealth
from services.router.queue import Delivery
from services.router.record_outcome import OutcomeRecorder
from services.router.retry import Failed, Outcome
from services.router.wake import Bell
from shared.clock import Clock
from shared.database import transaction
from shared.errors import Transient
from shared.ids import Ids
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.traces.otel import Traces

_LEVELS: Final = {"closed": "info", "half_open": "info", "open": "warning", "disabled": "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How one destination is served.

    in_flight:  deliveries at the same time at most
    lease_s:    how long a claim lasts
    send_s:     how long one attempt can last; shorter than the lease
    wants:      every transition, or only the newest that waits
    drain_s:    what deliveries under way get when we stop
    """

    name: str
    in_flight: int
    lease_s: float
    send_s: float
    drain_s: float
    poll_interval_s: float
    breaker: breaker.Policy
    wants: Wants = "every"


class Courier:
    """Delivers to one destination, several at a time, never two of one lead."""

    def __init__(  # noqa: PLR0913 - the parts it is wired of
        self,
        terms: Terms,
        destination: Sender,
        recorder: OutcomeRecorder,
        *,
        clock: Clock,
        ids: Ids,
        traces: "Traces | None" = None,
    ) -> None:
        self.bell = Bell()
        self.pulse = LoopHealth("deliver", clock)
        self._terms = terms
        self._destination = destination
        self._recorder = recorder
        self._database: AsyncEngine = recorder.database
        self._clock = clock
        self._ids = ids
        self._traces = traces
        self._under_way: set[asyncio.Task[None]] = set()
        self._shown = HEALTHY.state

    async def run(self) -> None:
        """Deliver until cancelled; then let what is under way finish."""
        try:
            while True:
                await _uncut(self._turn())
                await self.bell.wait(self._terms.poll_interval_s)
        finally:
            await self._drain()
            await self._destination.stop()

    async def claim(self) -> list[Delivery]:
        """Claim as many deliveries as may start now, in one short transaction."""
        free = self._terms.in_flight - len(self._under_way)
        if free < 1:
            return []
        async with transaction(self._database) as connection:
            known = await health.read(connection, self._terms.name)
            self._show(known)
            if known.state == "closed":
                return await self._take(connection, free)
            return await self._take_on_trial(connection)

    async def deliver(self, delivery: Delivery, claimed_at_s: float) -> None:
        """Send one claimed delivery and record what came of it.

        claimed_at_s: on the monotonic clock, not later than the claim itself
        """
        until_s = claimed_at_s + self._terms.lease_s
        if self._clock.monotonic_s() > until_s - self._terms.send_s:
            # We were frozen between claim and send: the lease could end while the receiver still reads.
            log("router.claim_too_old", level="warning", destination=self._terms.name)
            return
        with metrics.ATTEMPT_SECONDS.labels(destination=self._terms.name).time():
            outcome = await self._sent(delivery)
        await self._recorder.record(delivery, outcome, until_s=until_s)

    async def _turn(self) -> None:
        """Start what may start; each end rings for the next turn."""
        claimed_at_s = self._clock.monotonic_s()
        try:
            claimed = await self.claim()
        except Transient as error:
            self.pulse.miss(str(error))
            return
        self.pulse.beat()
        for delivery in claimed:
            task = asyncio.create_task(self.deliver(delivery, claimed_at_s))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    async def _take(self, connection: Any, limit: int) -> list[Delivery]:
        if self._terms.wants == "latest":
            metrics.SUPERSEDED.labels(destination=self._terms.name).inc(
                await queue.supersede(connection, self._terms.name)
            )
        return await queue.claim(
            connection,
            self._terms.name,
            limit=limit,
            token=self._ids.fresh(),
            lease_s=self._terms.lease_s,
        )

    async def _take_on_trial(self, connection: Any) -> list[Delivery]:
        """One delivery, if the breaker lets one try; nobody else gets another until it is over."""
        now = await queue.now(connection)
        known = await health.lock(connection, self._terms.name)
        trying = breaker.on_trial(self._terms.breaker, known, now)
        claimed = await self._take(connection, 1) if trying is not None else []
        if trying is not None and claimed:
            await health.write(connection, self._terms.name, trying)
            self._show(trying)
        return claimed

    def _show(self, known: Health) -> None:
        """Tell about a destination's state when it changes, whichever router changed it."""
        if known.state == self._shown:
            return
        metrics.set_state(self._terms.name, known.state)
        log(
            "router.destination_changed",
            level=_LEVELS[known.state],
            destination=self._terms.name,
            state=known.state,
            previous_state=self._shown,
            why=known.disabled_why,
            failures=known.failures,
        )
        self._shown = known.state

    async def _sent(self, delivery: Delivery) -> Outcome:
        span = traced.attempt(self._traces, delivery)
        outcome = await self._attempted(traced.within(span, delivery))
        if span is not None:
            traced.end(span, outcome)
        return outcome

    async def _attempted(self, delivery: Delivery) -> Outcome:
        try:
            return await self._destination.send(delivery)
        except Exception as error:  # noqa: BLE001 - see below
            # A defect of ours with one delivery: it retries and dies visibly, its neighbours go on.
            log("router.send_broke", level="error", exc_info=error, destination=self._terms.name)
            return Failed(reason="internal", detail=type(error).__name__)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self.bell.ring()
        if not task.cancelled() and (error := task.exception()) is not None:
            log("router.settle_broke", level="error", exc_info=error, destination=self._terms.name)

    async def _drain(self) -> None:
        """Wait for what is under way; what takes too long is sent again after its lease."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=self._terms.drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
            log("router.drain_cut", level="warning", destination=self._terms.name, deliveries=len(late))


async def _uncut(turn: Coroutine[Any, Any, None]) -> None:
    """Run a turn to its end even when cancelled: what a cut one had claimed would wait for its lease."""
    task = asyncio.create_task(turn)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
