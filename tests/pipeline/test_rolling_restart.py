"""A new release, one half after the other, while senders go on: what operators do on any Tuesday.

Two ingests behind a balancer that asks /readyz, two scorers, two routers. The balancer is ours: it knows who
is ready and keeps connections open, as nginx or a service of Kubernetes does.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from shared.topics import Topics
from tests.installation import PRODUCT_KEY, Installation, Servers, Service, running
from tests.ports import free_port
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(180)]

_LOOK_S: Final = 0.1
_PACE_S: Final = 0.005
_DRAIN_S: Final = "1"


@dataclass(slots=True)
class Balancer:
    """Gives each request to the next ingest that is ready.

    answers: status → how often; 0 is no answer
    """

    ingests: list[tuple[Service, str]]
    answers: Counter[int] = field(default_factory=Counter)
    _turn: int = 0
    ready: list[str] = field(default_factory=list)

    async def look(self) -> None:
        """Note who is ready; never returns."""
        while True:
            self.ready = [url for service, url in self.ingests if await _ready(service)]
            await asyncio.sleep(_LOOK_S)

    async def send(self, client: httpx.AsyncClient, number: int) -> None:
        """One event; whoever gets no 200 has been let down."""
        self._turn += 1
        url = self.ready[self._turn % len(self.ready)]
        body = {"userId": f"u{number % 50}", "event": "Feature Used", "messageId": f"rolling-{number}"}
        try:
            answer = await client.post(f"{url}/v1/track", auth=(PRODUCT_KEY, ""), json=body)
        except httpx.HTTPError:
            self.answers[0] += 1
        else:
            self.answers[answer.status_code] += 1

    async def flow(self, first: int) -> None:
        """One sender on connections of its own; never returns."""
        async with httpx.AsyncClient() as client:
            number = first
            while True:
                await self.send(client, number)
                number += _SENDERS
                await asyncio.sleep(_PACE_S)


_SENDERS: Final = 4


async def _ready(service: Service) -> bool:
    """Whether it says so; one that has ended is not."""
    try:
        return await service.is_ready()
    except AssertionError:
        return False


@asynccontextmanager
async def _beside(*coroutines: Any) -> AsyncIterator[None]:
    async with AsyncExitStack() as ends:
        for coroutine in coroutines:
            ends.callback(asyncio.create_task(coroutine).cancel)
        yield


def _twin(service: Service, **ports: str) -> Service:
    """Another process of this service."""
    admin = free_port()
    environment = {**service.environment, f"LEADSCORE_{service.name.upper()}_ADMIN_PORT": str(admin), **ports}
    log = service.log.with_suffix(".twin.log")
    return replace(service, environment=environment, log=log, admin_port=admin)


async def test_a_rolling_restart_answers_every_request(
    database: str, topics: Topics, kafka_server: str, tmp_path: Path
) -> None:
    """Half of the processes are restarted, then the others: each request gets its 200, each event counts."""
    async with running(Servers(kafka=kafka_server, database=database), topics, tmp_path) as leadscore:
        ingest, router = leadscore.services["ingest"], leadscore.services["router"]
        ingest.environment = {**ingest.environment, "LEADSCORE_INGEST_DRAIN_S": _DRAIN_S}
        port = free_port()
        leadscore.services["another ingest"] = _twin(ingest, LEADSCORE_INGEST_PORT=str(port))
        leadscore.services["another router"] = _twin(router)
        leadscore.services["another scorer"] = _twin(leadscore.scorer)
        services = list(leadscore.services.values())
        await leadscore.start()
        another = (leadscore.services["another ingest"], f"http://127.0.0.1:{port}")
        balancer = Balancer([(ingest, leadscore.ingest), another])
        async with _beside(balancer.look()):
            await until(lambda: len(balancer.ready) == 2)
            async with _beside(*(balancer.flow(first) for first in range(_SENDERS))):
                for half in (services[:3], services[3:]):
                    await _answered_more(balancer, 200)
                    codes = await asyncio.gather(*(service.stop() for service in half))
                    assert codes == [0, 0, 0], [service.log.read_text()[-1000:] for service in half]
                    await asyncio.gather(*(service.start() for service in half))
                await _answered_more(balancer, 200)
        assert set(balancer.answers) == {200}, balancer.answers
        await _every_event_counts_once(leadscore, balancer.answers[200])


async def _answered_more(balancer: Balancer, requests: int) -> None:
    wanted = balancer.answers.total() + requests
    await until(lambda: balancer.answers.total() >= wanted, within_s=60)


async def _every_event_counts_once(leadscore: Installation, answered: int) -> None:
    """The senders' last requests may have been cut off by us, unanswered: those may count too."""
    await until(lambda: leadscore.counted(answered), within_s=60)
    books = await leadscore.books()
    assert answered <= books["counted"] <= answered + _SENDERS
    assert books["duplicate"] == books["dead_lettered"] == 0
    assert await leadscore.off() == []
