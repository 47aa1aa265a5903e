"""`leadscore person object`: what it sends, what becomes of it, what `lead show` and `lead find` say."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.person.objection import Wish, decide, send
from services.cli.reconcile.walk import reconcile
from services.scorer.count import BatchCounter, decode_records
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from shared import database as postgres
from shared.codec import encode
from shared.errors import Invalid
from shared.events import Event
from shared.ids import SystemIds, event_id
from shared.kafka.stream import Received
from shared.leads.find import find
from shared.leads.identifiers import IdentityRules
from shared.testing import MemoryBroker
from tests.cli.commands import run

CONFIG = Path(__file__).resolve().parents[3] / "deploy" / "config"
KEY = "an identity key for objections"
RULES = IdentityRules(key=KEY.encode())
EMAIL = "ada@engines.example"


def event(message: str, name: str = "form.submitted", **fields: object) -> Event:
    at = datetime.now(UTC) - timedelta(hours=1)
    return Event(
        event_id=event_id("web", message),
        source="web",
        kind="form",
        name=name,
        occurred_at=at,
        received_at=at,
        **fields,  # type: ignore[arg-type]
    )


async def count(pool: AsyncEngine, events: list[Event]) -> None:
    """What the scorer does with these."""
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    records = [
        Received(partition=0, offset=n, timestamp_ms=0, key=b"", value=encode(one))
        for n, one in enumerate(events)
    ]
    async with postgres.transaction(pool) as connection:
        now = await connection.fetchval("SELECT now()")
        await counter.count(connection, decode_records(records), now=now)


@pytest_asyncio.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """Ada asked for a demo, as a user of the product and with her address; the CRM has a contact."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", KEY)
    engine = postgres.engine(database, application="test", pool_size=3)
    await first_model.ensure_first_model(engine, CONFIG / "scoring.yaml")
    await count(
        engine,
        [
            event("f", user_id="user-1", email=EMAIL, consent={"marketing": True, "ads": False}),
            event("c", user_id="c-9", namespace="crm", email=EMAIL),
        ],
    )
    yield engine
    off = (await reconcile(engine)).document()["faults"]
    # Nothing came from partitions, so that there are no books.
    assert [fault for fault in off if fault["check"] != "books_events"] == []
    await engine.dispose()


async def shown(*words: str) -> str:
    return await asyncio.to_thread(run, *words)


async def objected(pool: AsyncEngine, who: str, *, withdraw: bool = False) -> list[Event]:
    """What the command sends for this, counted."""
    wish = Wish(who=who, by="Eva", note="a letter", withdraw=withdraw)
    _, events = await decide(pool, wish, RULES)
    broker = MemoryBroker()
    await broker.start()
    await send(broker, "events", events)
    assert [record.value for record in broker.on("events")] == [encode(one) for one in events]
    await count(pool, events)
    return events


@pytest.mark.asyncio
async def test_who_objects_is_shown_as_such(pool: AsyncEngine) -> None:
    """Score 0, since when, and the consent that was given; a list of leads says so too."""
    (sent,) = await objected(pool, EMAIL)
    assert (sent.name, sent.email, sent.user_id, sent.source) == ("person.objected", EMAIL, None, "leadscore")
    assert sent.properties == {"by": "Eva", "note": "a letter"}
    said = await shown("lead", "show", EMAIL)
    assert all(word in said for word in ("Objected", "nothing is counted", "marketing", "not given"))
    whole = json.loads(await shown("lead", "show", EMAIL, "--json"))
    assert (whole["score"], whole["consent"]) == (0, {"marketing": True, "ads": False})
    assert whole["objected"] is not None
    assert [line["rule"] for line in whole["receipts"]] == ["objection"]
    assert "objected" in await shown("lead", "find", "engines")
    (found,) = json.loads(await shown("lead", "find", "engines", "--json"))["leads"]
    assert found["objected"] is True
    explained = await shown("model", "explain", EMAIL)
    assert "Objected" in explained


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("who", "named"),
    [
        (EMAIL.upper(), {"email": EMAIL.upper()}),
        ("user-1", {"user_id": "user-1", "namespace": "product"}),
        ("crm:c-9", {"user_id": "c-9", "namespace": "crm"}),
        ("lead", {"email": EMAIL}),
    ],
)
async def test_the_objection_names_whom_somebody_asked_for(
    pool: AsyncEngine, who: str, named: dict[str, str]
) -> None:
    """So that it stays with them, should the lead turn out to be two people; else the surest identifier."""
    if who == "lead":
        async with postgres.transaction(pool) as connection:
            who = str(await connection.fetchval("SELECT lead_id FROM leads"))
    (sent,) = await objected(pool, who)
    names = ("user_id", "namespace", "email", "anonymous_id")
    assert {name: value for name in names if (value := getattr(sent, name))} == named


@pytest.mark.asyncio
async def test_it_names_nobody_else(pool: AsyncEngine) -> None:
    """Two users give one address, which stays with the first: an objection of the second says her user id."""
    await count(pool, [event("second", user_id="user-2", email=EMAIL)])
    async with postgres.transaction(pool) as connection:
        [first, second] = [str(await find(connection, who, RULES)) for who in ("user-1", "user-2")]
    assert first != second
    (sent,) = await objected(pool, second)
    assert (sent.user_id, sent.email) == ("user-2", None)
    stands = {who: json.loads(await shown("lead", "show", who, "--json")) for who in (first, second)}
    assert (stands[first]["objected"], stands[second]["objected"] is not None) == (None, True)


@pytest.mark.asyncio
async def test_an_objection_that_would_count_for_nobody_is_refused(pool: AsyncEngine) -> None:
    """A shared device brings nothing to its lead; somebody has to decide first."""
    lead = await set_aside(pool, "shared", anonymous_id="tablet")
    with pytest.raises(Invalid, match="is somebody else's by now, or set aside"):
        await objected(pool, lead)


@pytest.mark.asyncio
async def test_a_suspended_address_objects(pool: AsyncEngine) -> None:
    """What is no evidence of who is who still says who objects."""
    lead = await set_aside(pool, "suspended", email="one@crowd.example")
    await objected(pool, "one@crowd.example")
    assert json.loads(await shown("lead", "show", lead, "--json"))["objected"] is not None


async def set_aside(pool: AsyncEngine, status: str, **who: str) -> str:
    """The lead of somebody whose only identifier is not believed."""
    await count(pool, [event("alone", **who)])
    async with postgres.transaction(pool) as connection:
        lead = str(await find(connection, next(iter(who.values())), RULES))
        await connection.execute("UPDATE identities SET status = $2 WHERE lead_id = $1", lead, status)
    return lead


@pytest.mark.asyncio
async def test_taking_it_back_lifts_every_objection(pool: AsyncEngine) -> None:
    """One event for each whom an objection named; then the lead is scored again."""
    await objected(pool, EMAIL)
    await count(pool, [event("o", "person.objected", user_id="user-1", namespace="product")])
    with pytest.raises(Invalid, match="objected already"):
        await objected(pool, EMAIL)
    sent = await objected(pool, EMAIL, withdraw=True)
    assert {(one.email, one.user_id) for one in sent} == {(EMAIL, None), (None, "user-1")}
    assert json.loads(await shown("lead", "show", EMAIL, "--json"))["objected"] is None
    with pytest.raises(Invalid, match="does not object"):
        await objected(pool, EMAIL, withdraw=True)


@pytest.mark.asyncio
async def test_nobody_cannot_object(pool: AsyncEngine) -> None:
    """There has to be a lead."""
    with pytest.raises(Invalid, match="no lead has the address"):
        await objected(pool, "nobody@engines.example")
