"""`leadscore up`: everything on this machine, with one command.

In: the environment, a data folder. Out: Kafka, Postgres, ingest, scorer and router, running until a signal.
Refuses to run twice on one data folder. `DATABASE_URL` or `KAFKA_BOOTSTRAP_SERVERS` set ⇒ that server is
yours, and is neither started nor stopped.

    Postgres ∥ Kafka → migrate → topics → ingest, scorer, router → ready

Stopped in reverse order. A part that dies is started again, after 0.25, 0.5, 1, 2, 4 s; the sixth death
within a minute, or one for wrong configuration, stops everything with exit code 1.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.cli import migrate, service_ports, topics
from services.cli.installation import Installation
from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from services.cli.local.process import Command, stop_leftover
from services.cli.supervise import Died, Service, keep, prefixed, ready, together
from services.cli.welcome import welcome
from shared.errors import LeadscoreError, Misconfigured
from shared.kafka import connect
from shared.settings import TopicSettings, load

_SERVICES: Final = ("ingest", "scorer", "router")
_READY_LIMIT_S: Final = 60.0
# First wishes; a port that somebody else has is replaced, and the new one is kept for the next start.
_POSTGRES_PORT: Final = 15432
_KAFKA_PORTS: Final = (19092, 19093)
_say = prefixed("up", 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What `up` works with.

    environment:  the user's own
    servers:      those that we start, by the variable that would name one of the user's
    """

    installation: Installation
    environment: Mapping[str, str]
    servers: dict[str, PostgresServer | KafkaServer]


def up() -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    sys.exit(asyncio.run(_until_signal(os.environ)))


async def _until_signal(environment: Mapping[str, str]) -> int:
    """Run; the exit code is 0 after a signal, 1 if something died, 2 if something is configured wrongly."""
    running = asyncio.create_task(_run(machine(environment)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _on_signal, running)
    try:
        await running
    except asyncio.CancelledError:
        _say("stopped")
        return 0
    except Misconfigured as error:
        _say(str(error))
        return 2
    except LeadscoreError as error:
        _say(str(error))
        return 1
    return 0


def _on_signal(running: asyncio.Task[None]) -> None:
    """Stop in order, once: a second Ctrl-C must not leave something running.

    When all is stopped, only threads may still be waited for (a jar on a slow network): then it ends at once.
    """
    if running.done():
        os._exit(0)
    if not running.cancelling():
        running.cancel()


def machine(environment: Mapping[str, str]) -> Machine:
    """What the environment asks for; nothing is started."""
    installation = Installation.of(environment)
    cache = Path(environment.get("LEADSCORE_CACHE") or ".cache") / "kafka"
    servers: dict[str, PostgresServer | KafkaServer] = {
        "DATABASE_URL": PostgresServer(
            installation.folder / "postgres", port=_POSTGRES_PORT, environment=environment
        ),
        "KAFKA_BOOTSTRAP_SERVERS": KafkaServer(
            installation.folder / "kafka", cache=cache, wished_ports=_KAFKA_PORTS, environment=environment
        ),
    }
    return Machine(
        installation=installation,
        environment=environment,
        servers={name: server for name, server in servers.items() if not environment.get(name)},
    )


async def _run(plan: Machine) -> None:
    """The recipe; whatever was started is stopped in reverse, however this ends."""
    began = time.monotonic()
    service_ports.given(plan.environment)  # refused before anything is started
    async with AsyncExitStack() as running:
        running.enter_context(plan.installation.claim())
        await _stop_leftovers(plan.installation)
        environment = await _start_servers(plan, running)
        await _prepare(environment)
        services = await _start_services(plan.installation, environment, running)
        running.callback(plan.installation.forget)
        plan.installation.note(_addresses(environment))
        print(welcome(plan.installation, environment, _origin(plan), time.monotonic() - began), flush=True)
        await together(*(keep(part, _say) for part in [*plan.servers.values(), *services]))


async def _stop_leftovers(installation: Installation) -> None:
    """Services of a killed supervisor hold their ports: they go before ports are chosen."""
    for name in _SERVICES:
        await stop_leftover(_command(installation, name, {}))


async def _start_servers(plan: Machine, running: AsyncExitStack) -> dict[str, str]:
    """Start the servers that are ours, at the same time; return the environment of the services."""
    for server in plan.servers.values():
        running.push_async_callback(server.stop)
    _say(
        f"starting {' and '.join(s.name for s in plan.servers.values())}"
        if plan.servers
        else "using your servers"
    )
    found = await together(*(server.start() for server in plan.servers.values()))
    return {
        **plan.installation.secrets(plan.environment),
        **plan.environment,
        **dict(zip(plan.servers, found, strict=True)),
        **service_ports.choose(plan.environment, plan.installation.folder / "ports.json", _say),
        "PYTHONUNBUFFERED": "1",
    }


async def _prepare(environment: Mapping[str, str]) -> None:
    """Bring tables and topics to where the services expect them."""
    await asyncio.to_thread(migrate.upgrade, environment["DATABASE_URL"])
    settings = load(TopicSettings, environment)
    where = connect.connection(settings, "leadscore-up")
    for line in await topics.ensure(where, connect.kept_topics(settings)):
        _say(line)


async def _start_services(
    installation: Installation, environment: Mapping[str, str], running: AsyncExitStack
) -> list[Service]:
    """Start them all; return when each of them says that it is ready.

    Raises Died if one ends, or is not ready in time.
    """
    services = []
    for number, name in enumerate(_SERVICES):
        service = Service(_command(installation, name, environment), prefixed(name, number))
        running.push_async_callback(service.stop)
        await service.start()
        services.append(service)
    await together(*(_until_ready(service, environment) for service in services))
    return services


async def _until_ready(service: Service, environment: Mapping[str, str]) -> None:
    url = f"http://127.0.0.1:{environment[f'LEADSCORE_{service.name.upper()}_ADMIN_PORT']}/readyz"
    ended = asyncio.create_task(service.wait())
    asked = asyncio.create_task(ready(url, _READY_LIMIT_S))
    try:
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise Died(
                f"{service.name} ended while it started (exit code {ended.result()}), see its lines above."
            )
        if said := asked.result():
            raise Died(f"{service.name} is not ready after {_READY_LIMIT_S:g} s: {url} says {said}")
    finally:
        ended.cancel()
        asked.cancel()


def _command(installation: Installation, name: str, environment: Mapping[str, str]) -> Command:
    return Command(
        name=name,
        argv=[sys.executable, "-m", f"services.{name}"],
        folder=installation.folder / "services",
        mark=f"services.{name}",
        stop_s=30.0,
        environment=environment,
    )


def _addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """What the other commands have to know."""
    return {
        name: environment[name] for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", *service_ports.WISHES)
    }


def _origin(plan: Machine) -> str:
    """Which Java runs Kafka; a thing to know when it does not."""
    kafka = plan.servers.get("KAFKA_BOOTSTRAP_SERVERS")
    return str(kafka.java) if isinstance(kafka, KafkaServer) else "yours"
