"""What came of an attempt → the delivery's row and its destination's health, in one transaction.

In: a claimed delivery and the outcome of its attempt. Out: a row that is delivered, pending or dead.
Refuses the outcome of a claim that is not ours any more: the row belongs to whoever claimed it since.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.router import breaker, health, metrics, queue, retry
from services.router.breaker import Health
from services.router.queue import Delivery
from services.router.retry import Delivered, Disable, Failed, GiveUp, Outcome, RetryAt, Schedule, Verdict
from shared.clock import Clock
from shared.database import transaction
from shared.errors import Transient
from shared.telemetry import log

_AGAIN_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecorder:
    """Records outcomes of one destination.

    jitter:  random numbers, 0 ≤ number < 1
    """

    destination: str
    database: AsyncEngine
    schedule: Schedule
    breaker: breaker.Policy
    clock: Clock
    jitter: Callable[[], float]

    async def record(self, delivery: Delivery, outcome: Outcome, *, until_s: float) -> None:
        """Record the outcome, again and again while Postgres is away and the lease is ours.

        until_s: when the lease ends, on the monotonic clock; after it the delivery is sent again anyway
        """
        while True:
            try:
                return await self._record(delivery, outcome)
            except Transient as error:
                if self.clock.monotonic_s() + _AGAIN_S >= until_s:
                    log("router.outcome_lost", level="warning", why=str(error), **_names(delivery))
                    return None
            await asyncio.sleep(_AGAIN_S)

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        if isinstance(outcome, Delivered):
            async with transaction(self.database) as connection:
                # The destination first, as everywhere: two transactions never wait for each other.
                await health.heal(connection, self.destination)
                counted = await queue.finish(connection, delivery, outcome.status)
            self._tell_delivered(delivery, counted=counted)
            return
        async with transaction(self.database) as connection:
            verdict, counted = await self._record_failure(connection, delivery, outcome)
        self._tell_failed(delivery, outcome, verdict, counted=counted)

    async def _record_failure(
        self, connection: Any, delivery: Delivery, failed: Failed
    ) -> tuple[Verdict, bool]:
        now = await queue.now(connection)
        before = await health.lock(connection, self.destination)
        verdict = retry.decide(self.schedule, delivery.attempt, failed, now, self.jitter())
        after = health_after(self.breaker, before, failed, verdict, now)
        if after != before:
            await health.write(connection, self.destination, after)
        error = f"{failed.reason}: {failed.detail}"
        if isinstance(verdict, GiveUp):
            return verdict, await queue.mark_dead(connection, delivery, failed.status, error)
        at = verdict.at if isinstance(verdict, RetryAt) else now
        return verdict, await queue.retry_at(connection, delivery, at, failed.status, error)

    def _tell_delivered(self, delivery: Delivery, *, counted: bool) -> None:
        metrics.ATTEMPTS.labels(destination=self.destination, result="delivered").inc()
        if not counted:
            self._tell_stale(delivery)
        elif delivery.event_received_at is not None:
            took = self.clock.now() - delivery.event_received_at
            metrics.EVENT_TO_DELIVERY_SECONDS.labels(destination=self.destination).observe(
                max(0.0, took.total_seconds())
            )

    def _tell_failed(self, delivery: Delivery, failed: Failed, verdict: Verdict, *, counted: bool) -> None:
        metrics.ATTEMPTS.labels(destination=self.destination, result=failed.reason).inc()
        if not counted:
            self._tell_stale(delivery)
        elif isinstance(verdict, GiveUp):
            metrics.DEAD_LETTERS.labels(destination=self.destination, reason=failed.reason).inc()
            log("router.delivery_dead", level="error", reason=failed.reason, **_names(delivery))
        else:
            log(
                "router.attempt_failed",
                level="warning",
                reason=failed.reason,
                status=failed.status,
                next_at=verdict.at.isoformat() if isinstance(verdict, RetryAt) else None,
                **_names(delivery),
            )

    def _tell_stale(self, delivery: Delivery) -> None:
        metrics.STALE_OUTCOMES.labels(destination=self.destination).inc()
        log("router.outcome_stale", level="warning", **_names(delivery))


def health_after(
    policy: breaker.Policy, before: Health, failed: Failed, verdict: Verdict, now: datetime
) -> Health:
    """The destination's health after this failure (pure)."""
    if isinstance(verdict, Disable):
        return breaker.disabled(before, verdict.why, now)
    if failed.blames_destination:
        return breaker.after_failure(policy, before, now)
    return breaker.after_answer(before) if failed.status is not None else before


def _names(delivery: Delivery) -> dict[str, Any]:
    """What a log line says about a delivery: nothing about the person."""
    return {
        "delivery": str(delivery.delivery_id),
        "destination": delivery.destination,
        "attempt": delivery.attempt,
    }
