"""`python -m services.router`: the parts of the router, wired.

In: the environment, routing.yaml. Out: a process that plans and delivers until a signal.
Refuses to start with mistakes in its settings or its routing file: it lists all of them and exits with 2.
"""

import asyncio
import os
import random
import sys
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette

from services.router import metrics, route_file
from services.router.deliver import Courier, Terms
from services.router.destination import Kind, Services, Settings, kinds
from services.router.loop_health import LoopHealth
from services.router.plan import Planner
from services.router.reap import Reaper
from services.router.record_outcome import OutcomeRecorder
from services.router.retry import Schedule
from services.router.routing import Routing
from services.router.settings import RouterSettings
from services.router.wake import Bell, Ear
from shared import database, settings
from shared.clock import SystemClock
from shared.database_pool import show_pool
from shared.errors import Misconfigured
from shared.ids import SystemIds
from shared.kafka import connect
from shared.kafka.publish import KafkaPublisher, Publisher
from shared.lifecycle import BackgroundTask, HttpServer, Part, run
from shared.loop_lag import loop_lag
from shared.plugins import packages
from shared.telemetry import admin_app, configure_logging, log
from shared.traces import open_traces

if TYPE_CHECKING:
    from shared.traces.otel import Traces

_CLOCK = SystemClock()
_IDS = SystemIds()


class Means(NamedTuple):
    """What every courier uses."""

    pool: AsyncEngine
    publisher: Publisher
    traces: "Traces | None"


def main() -> int:
    """Run the router; the exit code is 0 after a signal, 2 for mistakes in the configuration."""
    try:
        configured = settings.load(RouterSettings)
        routing = route_file.load(
            configured.routing_file, os.environ, kinds(packages(configured.destinations))
        )
        configure_logging("router", configured.log_level)
        asyncio.run(_serve(configured, routing))
    except Misconfigured as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging may be part of what is misconfigured
        return 2
    return 0


async def _serve(configured: RouterSettings, routing: Routing) -> None:
    url = configured.database_url.get_secret_value()
    pool = database.engine(url, application="leadscore-router", pool_size=configured.database_pool)
    show_pool(pool)
    publisher = KafkaPublisher(connect.connection(configured, "leadscore-router"))
    try:
        await run(parts(configured, routing, pool, publisher, open_traces("router", configured)))
    finally:
        await pool.dispose()


def parts(
    configured: RouterSettings,
    routing: Routing,
    pool: AsyncEngine,
    publisher: Publisher,
    traces: "Traces | None" = None,
) -> list[Part]:
    """Every part of a router, in the order of their start."""
    announce(routing)
    couriers = [
        _courier(configured, one, routing.kinds[name], Means(pool, publisher, traces))
        for name, one in routing.destinations.items()
        if one.on
    ]
    tending = LoopHealth("tend", _CLOCK)
    tender = Reaper(pool, frozenset(routing.destinations), tending)
    planning = LoopHealth("plan", _CLOCK)
    bell = Bell()
    planner = Planner(
        pool,
        routing,
        batch=configured.plan_batch,
        pulse=planning,
        planned=partial(_ring, [courier.bell for courier in couriers]),
        traces=traces,
    )
    ear = Ear(configured.database_url.get_secret_value(), bell)
    admin = _admin({"planner": planning, "tender": tending}, couriers)
    needs_kafka = any(kind.needs_kafka for kind in routing.kinds.values())
    return [
        *([traces] if traces else []),
        *([publisher] if needs_kafka else []),
        HttpServer("admin", admin, host=configured.admin_host, port=configured.admin_port),
        loop_lag(),
        BackgroundTask("tend", tender.run),
        BackgroundTask("deliver", lambda: _together(couriers), stop_s=configured.drain_s + 2),
        BackgroundTask("plan", lambda: planner.run(bell, configured.poll_interval_s)),
        BackgroundTask("listen", ear.run),
    ]


def announce(routing: Routing) -> None:
    """Say which destinations there are and which of them are off."""
    metrics.announce(routing.active)
    for name, one in routing.destinations.items():
        if not one.on:
            metrics.set_state(name, "off")
            log("router.destination_off", level="warning", destination=name, why="its url is not set")


def _ring(bells: list[Bell]) -> None:
    for bell in bells:
        bell.ring()


async def _together(couriers: list[Courier]) -> None:
    """All couriers at once; they drain at the same time too."""
    async with asyncio.TaskGroup() as group:
        for courier in couriers:
            group.create_task(courier.run())


def _courier(
    configured: RouterSettings,
    one: Settings,
    kind: Kind,
    means: Means,
) -> Courier:
    policy = kind.policy(configured)
    terms = Terms(
        name=one.name,
        in_flight=one.in_flight,
        lease_s=configured.lease_s,
        send_s=configured.request_timeout_s,
        drain_s=configured.drain_s,
        poll_interval_s=configured.poll_interval_s,
        breaker=policy,
        wants=kind.wants,
    )
    recorder = OutcomeRecorder(
        destination=one.name,
        database=means.pool,
        schedule=Schedule(
            waits_s=configured.retry_waits_s,
            throttled_least_s=configured.throttled_least_s,
            retry_after_most_s=configured.retry_after_most_s,
        ),
        breaker=policy,
        clock=_CLOCK,
        jitter=random.random,
    )
    sender = kind.sender(one, Services(configured=configured, publisher=means.publisher, clock=_CLOCK))
    return Courier(terms, sender, recorder, clock=_CLOCK, ids=_IDS, traces=means.traces)


def _admin(pulses: Mapping[str, LoopHealth], couriers: list[Courier]) -> Starlette:
    """Readiness needs Postgres; liveness only that our loops turn."""
    live = {name: pulse.alive for name, pulse in pulses.items()}
    live |= {f"courier_{number}": courier.pulse.alive for number, courier in enumerate(couriers)}
    ready = {name: pulse.fresh for name, pulse in pulses.items()}
    return admin_app("router", version("leadscore"), live=live, ready={"routes": lambda: "", **ready})


if __name__ == "__main__":
    sys.exit(main())
