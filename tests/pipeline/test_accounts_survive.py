"""Accounts are right, whatever is killed: the Segment SDK sends, scorers die while accounts look."""

import asyncio

import pytest
from segment.analytics.client import Client

from services.scorer.models import change_model
from services.scorer.store.models import Author
from shared import database as postgres
from tests.installation import PRODUCT_KEY, Installation
from tests.scorer.account_world import SECTION
from tests.scorer.conftest import MODEL
from tests.waiting import until

PEOPLE = 1_200
COMPANIES = 60


def send_all(host: str) -> None:
    """Everybody says who they are and uses the product; every third names their company by its id."""
    client = Client(PRODUCT_KEY, host=host, max_queue_size=5 * PEOPLE)
    for person in range(PEOPLE):
        address = f"person-{person}@company-{person % COMPANIES}.example"
        client.identify(user_id=f"user-{person}", traits={"email": address}, message_id=f"i{person}")
        client.track(user_id=f"user-{person}", event="Feature Used", message_id=f"t{person}")
        if person % 3 == 0:
            client.group(user_id=f"user-{person}", group_id=f"id-{person % 30}", message_id=f"g{person}")
    client.flush()
    client.join()


async def publish(leadscore: Installation) -> None:
    """Make a model with accounts the one that scores."""
    engine = postgres.engine(leadscore.database, application="test", pool_size=1)
    async with postgres.transaction(engine) as connection:
        number = await change_model.draft(connection, ("test", MODEL + SECTION, {}), Author(name="test"))
        await change_model.publish(connection, number, Author(name="test"), silent=False)
    await engine.dispose()


@pytest.mark.asyncio
async def test_four_killed_scorers_leave_every_account_right(leadscore: Installation) -> None:
    """Whoever said an account id belongs there, the others to their domain; no move is written twice."""

    async def members(number: int) -> bool:
        return len(await leadscore.fetch("SELECT FROM account_members")) >= number

    async def at_rest() -> bool:
        return not await leadscore.fetch("SELECT FROM account_queue") and await members(PEOPLE)

    await publish(leadscore)
    sending = asyncio.create_task(asyncio.to_thread(send_all, leadscore.ingest))
    for kill_at in (1, 200, 500, 900):
        await until(lambda at=kill_at: members(at), within_s=60)  # type: ignore[misc]
        await leadscore.scorer.kill()
        await leadscore.scorer.start()
    await asyncio.wait_for(sending, 60)
    await until(lambda: leadscore.taken(2 * PEOPLE + PEOPLE // 3), within_s=60)
    await until(at_rest, within_s=60)

    rows = await leadscore.fetch("SELECT kind, name, people, sequence FROM accounts WHERE people > 0")
    wanted = {f"company-{n}.example": PEOPLE // COMPANIES for n in range(COMPANIES) if n % 3}
    wanted |= {f"id-{n}": PEOPLE // 30 for n in range(0, 30, 3)}
    assert {row["name"]: row["people"] for row in rows} == wanted
    gaps = await leadscore.fetch(
        "SELECT account_id FROM account_transitions GROUP BY account_id HAVING count(*) <> max(sequence)"
    )
    assert gaps == []
    assert await leadscore.scorer.metric("leadscore_scorer_account_waiting_leads") == 0
