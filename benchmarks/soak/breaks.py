"""What breaks during a soak, one thing after the other, drawn from a seed.

In: the running installation and its servers. Out: which fault happened how often, and how long it took until
events were counted again. A service that ends by itself is started again, as a supervisor does, and noted.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import asyncpg

from services.cli.local.kafka import KafkaServer
from services.cli.local.postgres import PostgresServer
from shared.errors import LeadscoreError
from tests.faults.conftest import World, kill
from tests.faults.watching import SESSION_S
from tests.installation import Service
from tests.waiting import until

_PAUSE_S: Final = (20.0, 60.0)
_DOWN_S: Final = (0.0, 5.0)
_FROZEN_S: Final = (SESSION_S + 2, SESSION_S + 10)
_BACK_S: Final = 180.0
_LOOK_S: Final = 0.5
_CUT: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name LIKE 'leadscore-%' AND pid <> pg_backend_pid()
"""


@dataclass(slots=True)
class Broken:
    """Faults so far.

    number:     fault → how often
    longest_s:  fault → the longest time from its beginning until everybody was ready and events were counted
    revived:    services that ended by themselves
    """

    world: World
    chance: Random
    tell: Callable[[str], None]
    number: Counter[str] = field(default_factory=Counter)
    longest_s: dict[str, float] = field(default_factory=dict)
    revived: Counter[str] = field(default_factory=Counter)
    _down_on_purpose: set[str] = field(default_factory=set)

    async def go_on(self, seconds: float) -> None:
        """Break something, wait until all is well, pause; for so long."""
        end = time.monotonic() + seconds
        faults = list(self._faults())
        while True:
            pause_s = self.chance.uniform(*_PAUSE_S)
            if time.monotonic() + pause_s >= end:
                return
            await asyncio.sleep(pause_s)
            await self._one(*self.chance.choice(faults))

    async def revive(self) -> None:
        """Start whatever ended by itself; never returns."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for service in self._services():
                ended = service.process is not None and service.process.returncode is not None
                if ended and str(service.log) not in self._down_on_purpose:
                    self.revived[service.name] += 1
                    await self._start(service)

    async def _one(self, name: str, fault: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        with suppress(ProcessLookupError):  # it has just ended by itself: `revive` starts and notes it
            await fault()
        await until(self._all_ready, within_s=_BACK_S)
        before = await self._counted()
        await until(lambda: self._counted_since(before), within_s=_BACK_S)
        took_s = time.monotonic() - began
        self.number[name] += 1
        self.longest_s[name] = max(took_s, self.longest_s.get(name, 0.0))
        self.tell(f"{time.strftime('%H:%M:%S')} {name}: back after {took_s:.0f} s")

    def _faults(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        leadscore = self.world.leadscore
        scorers = (leadscore.scorer, *leadscore.more_scorers)
        for service in (*leadscore.services.values(), *leadscore.more_scorers):
            yield f"{service.name} killed -9", lambda service=service: self._killed(service)  # type: ignore[misc]
            yield f"{service.name} restarted", lambda service=service: self._restarted(service)  # type: ignore[misc]
        for service in (*scorers, leadscore.services["router"]):
            yield f"{service.name} frozen", lambda service=service: self._frozen(service)  # type: ignore[misc]
        for server, name in ((self.world.kafka, "Kafka"), (self.world.postgres, "Postgres")):
            yield f"{name} killed -9", lambda server=server: self._server_killed(server)  # type: ignore[misc]
        yield "connections to Postgres cut", self._cut

    async def _killed(self, service: Service) -> None:
        await self._down(service, service.kill)

    async def _restarted(self, service: Service) -> None:
        await self._down(service, service.stop)

    async def _down(self, service: Service, stop: Callable[[], Awaitable[object]]) -> None:
        self._down_on_purpose.add(str(service.log))
        try:
            await stop()
            await asyncio.sleep(self.chance.uniform(*_DOWN_S))
            await self._start(service)
        finally:
            self._down_on_purpose.discard(str(service.log))

    async def _frozen(self, service: Service) -> None:
        service.freeze()
        await asyncio.sleep(self.chance.uniform(*_FROZEN_S))
        service.thaw()

    async def _server_killed(self, server: KafkaServer | PostgresServer) -> None:
        await kill(server)
        await asyncio.sleep(self.chance.uniform(*_DOWN_S))
        await server.start()

    async def _cut(self) -> None:
        await self.world.leadscore.fetch(_CUT)

    async def _start(self, service: Service) -> None:
        """Start it; one that ends because its servers are away is `revive`'s."""
        try:
            await service.start()
        except AssertionError as error:
            self.tell(f"{service.name} did not start: {str(error)[-300:]}")

    async def _counted(self) -> int:
        """Events counted so far; a Postgres that has just come back is asked again."""
        while True:
            try:
                return (await self.world.leadscore.books())["counted"]
            except (LeadscoreError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(_LOOK_S)

    async def _counted_since(self, before: int) -> bool:
        return await self._counted() > before

    async def _all_ready(self) -> bool:
        try:
            return all([await service.is_ready() for service in self._services()])
        except AssertionError:
            return False

    def _services(self) -> tuple[Service, ...]:
        leadscore = self.world.leadscore
        return (*leadscore.services.values(), *leadscore.more_scorers)
