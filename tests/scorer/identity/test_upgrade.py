"""A database of the release before namespaces, with merged leads in it, goes on working.

stored/revision_0002.json holds every row that commit 936ff44 wrote for: a contact of the CRM with an address;
a user of the product with an anonymous past; a merge of a visitor with somebody known by mail; a user id that
is an address; two users who share an address; a contact of the CRM without one; a user whom the CRM knew by
the product's id.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.cli.migrate import downgrade, upgrade
from services.scorer.count import BatchCounter
from services.scorer.models.in_force import ModelsInForce
from services.scorer.people.decide import Decider
from shared import database as postgres
from shared.database import transaction
from shared.ids import LeadId, SystemIds
from shared.leads.find import find
from shared.scoring.file.read import load_model
from tests.scorer.conftest import MODEL
from tests.scorer.identity.people import RULES, Town, consistent, seen

STORED = json.loads((Path(__file__).parent / "stored" / "revision_0002.json").read_text())
LATER = 1000

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def old_town(database: str) -> AsyncIterator[Town]:
    """The stored database, upgraded."""
    await asyncio.to_thread(downgrade, database, "0002")
    connection = await asyncpg.connect(database)
    for table, rows in STORED.items():
        await connection.execute(
            f"INSERT INTO {table} OVERRIDING SYSTEM VALUE "
            f"SELECT * FROM json_populate_recordset(NULL::{table}, $1::json)",
            json.dumps(rows),
        )
    for table, column in (("lead_merges", "merge_id"), ("scoring_models", "version")):
        await connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), 1000)")
    await connection.close()
    await asyncio.to_thread(upgrade, database)
    engine = postgres.engine(database, application="test", pool_size=4)
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    yield Town(engine=engine, counter=counter, model=load_model(MODEL, file="test.yaml"))
    await engine.dispose()


async def lead_of(town: Town, who: str) -> LeadId:
    async with transaction(town.engine) as connection:
        return await find(connection, who, RULES)


async def living(town: Town) -> int:
    return len(await town.fetch("SELECT 1 FROM leads WHERE merged_into IS NULL"))


async def test_everybody_is_found_as_before(old_town: Town) -> None:
    """By address, user id, anonymous id, and the CRM's id, which had no namespace."""
    for who in ("bo@firma.example", "user-1", "a1", "d7", "eva@firma.example", "crm-9", "user-6"):
        await lead_of(old_town, who)
    assert await living(old_town) == 8


async def test_a_contact_of_the_crm_is_known_by_its_id(old_town: Town) -> None:
    """An event with the CRM's id alone goes to the old lead; the id gets its namespace."""
    before = [await lead_of(old_town, who) for who in ("crm-9", "crm-10")]
    await old_town.count(
        seen(LATER, source="crm", kind="crm", user_id="crm-9"),
        seen(LATER + 1, source="crm", kind="crm", user_id="crm-10"),
    )
    assert [await lead_of(old_town, who) for who in ("crm:crm-9", "crm:crm-10")] == before
    assert await living(old_town) == 8
    await consistent(old_town)


async def test_a_crm_that_used_the_products_ids_goes_on(old_town: Town) -> None:
    """What was one person by the same id in both systems stays one, also when its history is looked at."""
    before = await lead_of(old_town, "user-7")
    for number in range(2):
        await old_town.count(
            seen(LATER + number, source="crm", kind="crm", namespace="crm", user_id="user-7"),
            seen(LATER + 10 + number, namespace="product", user_id="user-7", previous_id="old-7"),
        )
    assert await lead_of(old_town, "crm:user-7") == await lead_of(old_town, "product:user-7") == before
    rows = await old_town.fetch("SELECT event_count FROM leads WHERE lead_id = $1", before)
    assert rows == [{"event_count": 6}]
    await consistent(old_town)


async def test_a_new_contact_is_not_an_old_user_of_the_same_number(old_town: Town) -> None:
    """An id that only the product had is nobody's in the CRM."""
    before = await lead_of(old_town, "user-1")
    await old_town.count(seen(LATER, source="crm", kind="crm", namespace="crm", user_id="user-1"))
    assert await lead_of(old_town, "product:user-1") == before
    assert await lead_of(old_town, "crm:user-1") != before
    await consistent(old_town)


async def test_the_product_may_name_the_same_person(old_town: Town) -> None:
    """Who had only the CRM's id, which was taken for the product's, gets one of the product as well."""
    before = await lead_of(old_town, "bo@firma.example")
    await old_town.count(seen(LATER, user_id="user-9", email="bo@firma.example"))
    assert await lead_of(old_town, "user-9") == before
    rows = await old_town.fetch("SELECT namespaces FROM leads WHERE lead_id = $1", before)
    assert rows == [{"namespaces": "crm,product"}]
    await consistent(old_town)


async def test_an_address_as_user_id_becomes_an_address(old_town: Town) -> None:
    """The old user id is found by its next event, and from then on by every spelling."""
    await old_town.count(seen(LATER, user_id="Lea@Firma.example"), seen(LATER + 1, email="lea@firma.example"))
    assert await living(old_town) == 8
    rows = await old_town.fetch(
        "SELECT event_count FROM leads WHERE lead_id = $1", await lead_of(old_town, "lea@firma.example")
    )
    assert rows == [{"event_count": 3}]


async def test_a_merge_of_before_can_be_undone(old_town: Town) -> None:
    """The visitor who was merged with somebody known is its own lead again, with its event."""
    known = await lead_of(old_town, "eva@firma.example")
    (gone,) = [row["lead_id"] for row in STORED["leads"] if row["merged_into"]]
    async with transaction(old_town.engine) as connection:
        decider = Decider(connection=connection, counter=old_town.counter, made_by="test")
        assert str(await decider.two_people(known)) == gone
    assert str(await lead_of(old_town, "d7")) == gone
    assert await living(old_town) == 9
    await consistent(old_town)


async def test_old_evidence_counts_like_new(old_town: Town) -> None:
    """Somebody who logs in as both users of a shared address joins nobody; the conflict is on record."""
    await old_town.count(seen(LATER, user_id="user-6", email="fam@firma.example"))
    assert len(await old_town.fetch("SELECT 1 FROM identity_conflicts")) == 1
    assert await lead_of(old_town, "fam@firma.example") == await lead_of(old_town, "user-5")
