"""Two at once on the same people: a decision and a batch, a regroup and whatever breaks it."""

import asyncio

import pytest

from services.scorer.people.decide import Decider
from shared.database import transaction
from tests.scorer.identity.people import RULES, Town, consistent, decoded, seen
from tests.waiting import until

pytestmark = pytest.mark.asyncio

_WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_a_device_is_split_while_a_batch_gives_it_away(town: Town) -> None:
    """The batch comes first: the decision is about the lead that has the device then, and events go on."""
    tablet = RULES.anonymous_id("tablet")
    assert tablet

    async def split() -> int:
        async with transaction(town.engine) as connection:
            decider = Decider(connection=connection, counter=town.counter, made_by="test")
            return await decider.nobodys_device(tablet)

    async def waits() -> bool:
        return bool(await town.fetch(_WAITING))

    await town.count(seen(1, anonymous_id="tablet"), seen(2, user_id="u1"))
    async with transaction(town.engine) as connection:
        now = await connection.fetchval("SELECT now()")
        known = decoded(seen(3, user_id="u1", anonymous_id="tablet"))
        await town.counter.count(connection, [known], now=now)
        decision = asyncio.create_task(split())
        await until(waits)
    assert await decision == 1
    await town.count(seen(4, user_id="u1", anonymous_id="tablet"))
    await consistent(town)
