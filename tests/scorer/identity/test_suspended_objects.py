"""An objection is never lost because an identifier is not believed any more."""

import pytest

from services.scorer.identify.facts import Limits
from services.scorer.people.decide import Decider
from services.scorer.store import conflicts
from shared.database import transaction
from shared.events import Event
from tests.scorer.identity.people import RULES, Town, consistent, seen

pytestmark = pytest.mark.asyncio

ADDRESS = "ada@x.example"
POSTS = [seen(10 + number, email=ADDRESS, anonymous_id=f"browser{number}") for number in range(8)]


def objects(number: int, **who: str) -> Event:
    return seen(number, source="crm", kind="crm", name="person.objected", **who)


async def told(town: Town) -> list[str]:
    """What destinations hear of objections, in order."""
    rows = await town.fetch("SELECT cause FROM transitions WHERE cause LIKE 'objec%' ORDER BY sequence")
    return [row["cause"] for row in rows]


async def suspended(town: Town) -> int:
    return len(await town.fetch("SELECT 1 FROM identities WHERE status = 'suspended'"))


@pytest.mark.parametrize("batches", ["one batch", "one by one"])
async def test_nobody_ends_an_objection_by_posting_forms(town: Town, batches: str) -> None:
    """While a person objects their address stays theirs, however many browsers name it in an hour."""
    town.counter.limits = Limits(ties_per_hour=5)
    await town.count(seen(1, user_id="u1", email=ADDRESS, name="form.submitted"))
    after = [objects(2, email=ADDRESS), *POSTS]
    for batch in [after] if batches == "one batch" else [[event] for event in after]:
        await town.count(*batch)
    assert await suspended(town) == 0
    assert await told(town) == ["objected"]
    assert await town.fetch("SELECT score FROM leads WHERE merged_into IS NULL") == [{"score": 0}]
    await consistent(town)


async def test_an_objection_that_was_taken_back_protects_nothing(town: Town) -> None:
    """The address that ties a crowd is suspended, as of anybody else."""
    town.counter.limits = Limits(ties_per_hour=5)
    withdrawn = seen(3, source="crm", kind="crm", name="person.objection_withdrawn", email=ADDRESS)
    await town.count(objects(2, email=ADDRESS), withdrawn)
    await town.count(*POSTS)
    assert await suspended(town) == 1


@pytest.mark.parametrize("device", [None, "d"])
async def test_a_suspended_address_still_objects(town: Town, device: str | None) -> None:
    """The objection is its owner's, whoever uses the device it came from; a regroup leaves it there.

    The person has it once the address is believed again, and named with them.
    """
    town.counter.limits = Limits(ties_per_hour=5)
    await town.count(seen(1, user_id="u1", email=ADDRESS), seen(2, email="bo@x.example", anonymous_id="d"))
    await town.count(*POSTS)
    assert await suspended(town) == 1
    event = objects(30, email=ADDRESS, **({"anonymous_id": device} if device else {}))
    await town.count(event)
    owner = "SELECT lead_id FROM identities WHERE status = 'suspended'"
    (before,) = await town.fetch(owner)
    assert (await town.whose())[event.event_id] == before["lead_id"]
    async with transaction(town.engine) as connection:
        await conflicts.request(connection, [[row["lead_id"]] for row in await connection.fetch(_LIVE)])
    await town.regroup.work_off()
    assert (await town.whose())[event.event_id] == before["lead_id"]
    async with transaction(town.engine) as connection:
        await _believe(Decider(connection=connection, counter=town.counter, made_by="test"))
    await town.count(seen(40, user_id="u1", email=ADDRESS))
    user = RULES.user_id("u1")
    assert user is not None
    rows = await town.fetch(
        "SELECT lead_id, score FROM identities JOIN leads USING (lead_id) WHERE value = $1", user.value
    )
    assert rows == [{"lead_id": (await town.whose())[event.event_id], "score": 0}]


_LIVE = "SELECT lead_id FROM leads WHERE merged_into IS NULL"


async def _believe(decider: Decider) -> None:
    address = RULES.address(ADDRESS)
    assert address is not None
    await decider.believe(address)
