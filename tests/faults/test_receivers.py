"""Rows 21, 22, 23 of the fault matrix: a router dies or freezes after sending; a receiver fails in every way.

Rows 24 and 25 (addresses that must not be called, secrets that change) are in tests/router: docs/faults.md.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

import psutil
import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse

from tests.faults.aftermath import all_is_well, told_twice
from tests.faults.report import Row
from tests.faults.seed import ROUNDS
from tests.faults.traffic import Traffic, flowing, visit
from tests.faults.watching import counted_more
from tests.installation import Hit, Installation, Service
from tests.ports import free_port
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.servers, pytest.mark.timeout(240 + 120 * ROUNDS)]

# Short times, so that a minute sees what otherwise takes days.
_LEASE_S: Final = "13"
_HASTE: Final = {
    "LEADSCORE_ROUTER_REQUEST_TIMEOUT_S": "3",
    "LEADSCORE_ROUTER_LEASE_S": _LEASE_S,
    "LEADSCORE_ROUTER_RETRY_WAITS_S": ",".join(["0.2"] * 50),
    "LEADSCORE_ROUTER_THROTTLED_LEAST_S": "0.2",
    "LEADSCORE_ROUTER_RETRY_AFTER_MOST_S": "1",
    "LEADSCORE_ROUTER_BREAKER_OPEN_S": "0.5",
}
_WAITING: Final = """
SELECT count(*) FILTER (WHERE destination = 'crm')::int AS crm,
       count(*) FILTER (WHERE destination = 'sales-queue')::int AS queue
FROM deliveries WHERE state IN ('pending', 'claimed')
"""
_HUGE_CHUNK: Final = b"x" * 1024 * 1024
_HUGE_CHUNKS: Final = 200


def _hasty(leadscore: Installation) -> Service:
    """The router, in haste; not started."""
    router = leadscore.services["router"]
    router.environment = {**router.environment, **_HASTE}
    return router


class Holding:
    """A receiver that has a request and does not answer it."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()

    async def answer(self, _: Hit) -> Response:
        self.held.set()
        await self.go_on.wait()
        return Response()


@pytest.mark.slow
@pytest.mark.fault(21, "a router killed -9 after sending, before it is noted")
async def test_row_21_a_router_killed_after_sending(
    leadscore: Installation, chance: Random, row: Row
) -> None:
    """The receiver is told again after the lease, with the same webhook-id: to it, it is one message."""
    router = _hasty(leadscore)
    await leadscore.start()
    # Enough people that in each round somebody qualifies.
    traffic = Traffic(leadscore, chance, make=partial(visit, people=60 * ROUNDS))
    for _ in range(ROUNDS):
        holding = Holding()
        leadscore.receiver.answer = holding.answer
        await traffic.send(300)
        await holding.held.wait()
        await router.kill()
        holding.go_on.set()
        leadscore.receiver.answer = None
        await router.start()
        await all_is_well(row, leadscore, traffic)
    row.note(kills=ROUNDS, told=len(leadscore.receiver.hits), told_twice=told_twice(leadscore))
    assert told_twice(leadscore) >= 1


@pytest.mark.slow
@pytest.mark.fault(22, "a router frozen beyond its lease while the receiver has its request")
async def test_row_22_a_lease_ends_in_the_middle(leadscore: Installation, chance: Random, row: Row) -> None:
    """The other router sends; what the frozen one notes afterwards is ignored, and the order holds."""
    frozen = _hasty(leadscore)
    admin = free_port()
    other = replace(
        frozen,
        environment={**frozen.environment, "LEADSCORE_ROUTER_ADMIN_PORT": str(admin)},
        log=frozen.log.with_suffix(".other.log"),
        admin_port=admin,
    )
    await leadscore.start()
    leadscore.services["another router"] = other
    holding = Holding()
    leadscore.receiver.answer = holding.answer
    async with flowing(leadscore, chance) as traffic:
        await holding.held.wait()
        frozen.freeze()
        holding.go_on.set()
        leadscore.receiver.answer = None
        await other.start()
        told = len(leadscore.receiver.hits)
        await until(lambda: told_twice(leadscore) >= 1, within_s=60)
        frozen.thaw()
        await counted_more(leadscore, 100)
    await all_is_well(row, leadscore, traffic)
    row.note(told_before=told, told=len(leadscore.receiver.hits), told_twice=told_twice(leadscore))


async def _refused(_: Hit) -> Response:
    return Response(status_code=500)


async def _throttled(_: Hit) -> Response:
    return Response(status_code=429, headers={"retry-after": "86400"})


async def _moved(_: Hit) -> Response:
    return Response(status_code=301, headers={"location": "http://127.0.0.1:1/elsewhere"})


async def _slow(_: Hit) -> Response:
    await asyncio.sleep(5)
    return Response()


async def _huge(_: Hit) -> Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(_HUGE_CHUNKS):
            yield _HUGE_CHUNK

    return StreamingResponse(body())


_MANNERS: Final[dict[str, Callable[[Hit], Awaitable[Response]]]] = {
    "500": _refused,
    "429 for a day": _throttled,
    "301": _moved,
    "too slow": _slow,
    "200 MB": _huge,
}


@pytest.mark.slow
@pytest.mark.fault(23, "a receiver that fails in every way")
async def test_row_23_a_storm_of_failures(leadscore: Installation, chance: Random, row: Row) -> None:
    """It is tried again in order until it takes everything; memory stays, the sales queue is not held up."""
    router = _hasty(leadscore)
    await leadscore.start()
    answered: Counter[str] = Counter()

    async def badly(hit: Hit) -> Response:
        name = chance.choice(list(_MANNERS))
        answered[name] += 1
        return await _MANNERS[name](hit)

    leadscore.receiver.answer = badly
    before = psutil.Process(router.pid).memory_info().rss
    async with flowing(leadscore, chance) as traffic:
        await until(lambda: set(answered) == set(_MANNERS), within_s=120)
        # A moment in which nothing waits for the queue, while the webhook has not been told.
        await until(lambda: _only_the_webhook_waits(leadscore), within_s=30)
    after = psutil.Process(router.pid).memory_info().rss
    leadscore.receiver.answer = None
    await all_is_well(row, leadscore, traffic)
    row.note(**{name.replace(" ", "_"): number for name, number in answered.items()})
    row.note(memory_mib=f"{before >> 20} → {after >> 20}")
    assert after - before < _HUGE_CHUNKS * len(_HUGE_CHUNK) / 4


async def _only_the_webhook_waits(leadscore: Installation) -> bool:
    [waiting] = await leadscore.fetch(_WAITING)
    return bool(waiting["crm"]) and not waiting["queue"]
