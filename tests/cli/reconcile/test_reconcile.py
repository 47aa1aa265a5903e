"""`leadscore reconcile` on a real database: silent where all is well, and it names whatever is broken."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.reconcile.findings import CHECKS, Findings
from services.cli.reconcile.walk import Wish, reconcile
from services.router import outbox
from services.router.outbox import Planned
from services.scorer.count import BatchCounter
from services.scorer.models import first_model
from services.scorer.models.in_force import ModelsInForce
from services.scorer.models.model_source import read as read_model
from services.scorer.people.decide import Decider
from shared import database as postgres
from shared.database import transaction
from shared.errors import Invalid, Transient
from shared.events import Machine
from shared.ids import LeadId, SystemIds, delivery_id
from shared.leads.find import find
from shared.leads.store.history import stored_histories
from shared.leads.store.present import decode_state
from shared.scoring.engine.state import LeadState
from tests.scorer.conftest import MODEL
from tests.scorer.identity.people import RULES, Town, seen

pytestmark = pytest.mark.asyncio

BOOK = """
INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner,
  started_at_offset, next_offset, counted, duplicate, quarantined, dead_lettered)
SELECT 'g', 't', 0, 1, 1, 'test', 10, 10 + count(*) + 2 + 1, count(*) FILTER (WHERE quarantine IS NULL), 2,
  count(*) FILTER (WHERE quarantine IS NOT NULL), 1 FROM events
"""
LETTER = """
INSERT INTO dead_letters (topic, partition, record_offset, code, message, key, value, headers)
VALUES ('t', 0, 11, 'not_an_event', 'not an event', '', 'x', '[]')
"""
BOT = Machine(reason="webdriver")


@pytest_asyncio.fixture
async def town(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """Six leads, one of them merged, with stages, deliveries, a conflict, a bot, and books that balance."""
    file = tmp_path / "scoring.yaml"
    file.write_text(MODEL, encoding="utf-8")
    engine = postgres.engine(database, application="test", pool_size=3)
    await first_model.ensure_first_model(engine, file)
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    made = Town(engine=engine, counter=counter, model=read_model(file).model)
    await made.count(
        seen(1, user_id="u1", email="a@a.example", anonymous_id="d1", traits={"company": "A"}),
        seen(2, user_id="u1", name="form.submitted"),
        seen(3, user_id="u2", email="b@b.example", name="form.submitted"),
        seen(4, user_id="u3", email="b@b.example"),
        seen(5, anonymous_id="d2", name="form.submitted"),
        seen(6, source="crm", kind="crm", user_id="c1", name="email.clicked"),
        seen(7, anonymous_id="d3", machine=BOT),
        seen(8, user_id="undefined"),
    )
    await made.count(
        seen(9, source="crm", kind="crm", user_id="c1", email="a@a.example", name="email.clicked"),
        seen(10, user_id="u1", name="email.clicked"),
        seen(11, user_id="u1"),
    )
    await deliver(made)
    async with transaction(engine) as connection:
        await connection.execute(BOOK)
        await connection.execute(LETTER)
    monkeypatch.setenv("DATABASE_URL", database)
    yield made
    await engine.dispose()


async def deliver(town: Town) -> None:
    """Plan every transition for two destinations; one of them has delivered, in order."""
    async with transaction(town.engine) as connection:
        rows = await connection.fetch("SELECT * FROM transitions WHERE planned_at IS NULL")
        made = [planned(row, destination) for row in rows for destination in ("crm", "queue")]
        await outbox.write(connection, made)
        await outbox.mark(connection, {row["transition_id"]: ["crm", "queue"] for row in rows})
        await connection.execute(
            "UPDATE deliveries SET state = 'delivered', finished_at = now() + sequence * interval '1 second' "
            "WHERE destination = 'crm'"
        )


def planned(row: Any, destination: str) -> Planned:
    return Planned(
        delivery_id=delivery_id(row["transition_id"], destination),
        destination=destination,
        transition_id=row["transition_id"],
        lead_id=row["lead_id"],
        sequence=row["sequence"],
        body=b"{}",
        error=None,
        event_received_at=None,
    )


async def numbers(town: Town) -> dict[str, int]:
    """What is off, by check."""
    return dict((await reconcile(town.engine)).numbers)


async def lead_of(town: Town, who: str) -> LeadId:
    async with transaction(town.engine) as connection:
        return await find(connection, who, RULES)


async def test_nothing_is_off_where_nothing_is_broken(town: Town) -> None:
    """Merged leads, quarantined events, events of nobody, conflicts and waiting deliveries are in order."""
    assert len(await town.fetch("SELECT FROM leads WHERE merged_into IS NOT NULL")) == 1
    assert len(await town.fetch("SELECT FROM identity_conflicts")) == 1
    found = await reconcile(town.engine)
    assert found.document()["faults"] == []
    assert (found.leads, found.events, found.whole, found.not_compared) == (6, 9, True, 0)
    assert found.transitions == len(await town.fetch("SELECT FROM transitions")) > 5


# Each breaks one thing in the world above; `$1` is the lead of u1, who has two transitions or more.
FAULTS = {
    "event_twice": "INSERT INTO events SELECT event_id, received_at + interval '1 day', occurred_at, "
    "lead_id, source, name, quarantine, body FROM events WHERE lead_id = $1 LIMIT 1",
    "event_count": "UPDATE leads SET event_count = event_count + 1 WHERE lead_id = $1",
    "score": "UPDATE leads SET score = score + 1 WHERE lead_id = $1",
    "score ": "UPDATE leads SET grade = 'D4' WHERE lead_id = $1",
    "score  ": """UPDATE leads SET dimensions = '{"fit": 1, "engagement": 1}' WHERE lead_id = $1""",
    "state": "UPDATE leads l SET state = o.state FROM leads o "
    "WHERE l.lead_id = $1 AND o.lead_id <> l.lead_id AND o.score > 0",
    "unreadable_event": "UPDATE events SET body = '{}' WHERE lead_id = $1",
    "receipts": "UPDATE transitions SET score = score + 1 WHERE lead_id = $1 AND sequence = 1",
    "receipts ": "UPDATE transitions SET receipts = '{}' WHERE lead_id = $1 AND sequence = 1",
    "sequence": "UPDATE transitions SET sequence = sequence + 100 WHERE lead_id = $1 AND sequence = 1",
    "ledger": "UPDATE leads SET stage = 'customer' WHERE lead_id = $1",
    "ledger  ": "UPDATE leads SET ledger = 'nonsense' WHERE lead_id = $1",
    "ledger ": "UPDATE transitions SET lead_id = gen_random_uuid() WHERE lead_id = $1",
    "delivery_missing": "DELETE FROM deliveries WHERE lead_id = $1 AND sequence = 1 AND destination = 'crm'",
    "delivery_unplanned": "UPDATE transitions SET planned_for = '{crm}' WHERE lead_id = $1 AND sequence = 1",
    "delivery_unplanned ": "UPDATE deliveries SET transition_id = gen_random_uuid() WHERE lead_id = $1",
    "delivery_unplanned  ": "UPDATE deliveries SET delivery_id = gen_random_uuid() "
    "WHERE lead_id = $1 AND sequence = 1 AND destination = 'crm'",
    "delivery_order": "UPDATE deliveries SET finished_at = now() + interval '1 day' "
    "WHERE lead_id = $1 AND sequence = 1 AND destination = 'crm'",
    "delivery_order ": "UPDATE deliveries SET state = 'delivered', finished_at = now() "
    "WHERE lead_id = $1 AND sequence = 2 AND destination = 'queue'",
    "books": "UPDATE partition_offsets SET next_offset = next_offset + 1 WHERE $1::uuid IS NOT NULL",
    "books_events": "UPDATE events SET quarantine = 'webdriver' WHERE lead_id = $1",
    "books_events ": "UPDATE partition_offsets SET counted = counted + 1, duplicate = duplicate - 1 "
    "WHERE $1::uuid IS NOT NULL",
    "books_dead_letters": "DELETE FROM dead_letters WHERE $1::uuid IS NOT NULL",
    "event_of_no_lead": "UPDATE events SET lead_id = gen_random_uuid() WHERE lead_id = $1",
    "event_of_no_lead ": "UPDATE events SET quarantine = NULL "
    "WHERE lead_id = '00000000-0000-0000-0000-000000000000' AND $1::uuid IS NOT NULL",
    "identifier_owner": "UPDATE identities SET lead_id = gen_random_uuid() WHERE lead_id = $1",
    "identifier_owner ": "UPDATE identities SET lead_id = (SELECT lead_id FROM leads "
    "WHERE merged_into IS NOT NULL) WHERE lead_id = $1",
    "merged_into": "UPDATE leads SET merged_into = gen_random_uuid() "
    "WHERE merged_into IS NOT NULL AND $1::uuid IS NOT NULL",
    "lead_counts": "UPDATE leads SET emails = emails + 1 WHERE lead_id = $1",
    "lead_counts ": "UPDATE leads SET known = NOT known WHERE lead_id = $1",
    "lead_counts  ": "UPDATE leads SET anonymous_ids = anonymous_ids + 1 WHERE lead_id = $1",
    "lead_counts   ": "UPDATE leads SET namespaces = 'product,hubspot' WHERE lead_id = $1",
    "conflict_sides": "UPDATE identities SET lead_id = (SELECT lead_id FROM identities WHERE (kind, value) "
    "IN (SELECT one_kind, one_value FROM identity_conflicts)) WHERE (kind, value) IN "
    "(SELECT other_kind, other_value FROM identity_conflicts) AND $1::uuid IS NOT NULL",
}


@pytest.mark.parametrize("name", FAULTS)
async def test_each_kind_of_fault_is_named(town: Town, name: str) -> None:
    """Something is broken by hand: the check with its name says so."""
    async with transaction(town.engine) as connection:
        await connection.execute(FAULTS[name], await find(connection, "u1", RULES))
    assert (await numbers(town)).get(name.strip(), 0) > 0


async def test_a_delivery_that_somebody_had_sent_again_may_come_late(town: Town) -> None:
    """It was given up, and younger ones were delivered meanwhile: no fault, somebody decided so."""
    async with transaction(town.engine) as connection:
        lead = await find(connection, "u1", RULES)
        await connection.execute(FAULTS["delivery_order"], lead)
        await connection.execute(
            "UPDATE deliveries SET retried_at = now() WHERE lead_id = $1 AND sequence = 1", lead
        )
    assert (await numbers(town)).get("delivery_order", 0) == 0


async def test_every_check_can_fail() -> None:
    """No check is without a fault that it was seen to find."""
    assert {name.strip() for name in FAULTS} == CHECKS.keys()


async def rewrite(town: Town, lead: LeadId, change: Callable[[LeadState], LeadState]) -> None:
    """Have another state be kept of a lead."""
    async with transaction(town.engine) as connection:
        state = decode_state(await connection.fetchval("SELECT state FROM leads WHERE lead_id = $1", lead))
        await connection.execute(
            "UPDATE leads SET state = $2 WHERE lead_id = $1", lead, change(state).encode()
        )


async def test_a_wrong_state_is_found_though_a_bound_hides_it_today(town: Town) -> None:
    """Twice the points in a dimension that is full: the score is the same now, and would not be in spring."""
    await town.count(*(seen(n, user_id="u9", name="email.clicked") for n in range(100, 110)))

    def doubled(state: LeadState) -> LeadState:
        click = state.rules["click"]
        rules = {**state.rules, "click": replace(click, value=2 * click.value)}
        return replace(state, rules=rules)

    await rewrite(town, await lead_of(town, "u9"), doubled)
    found = await reconcile(town.engine, Wish(sample=100))
    assert dict(found.numbers) == {"state": 1}


async def test_a_wrong_attribute_is_found_though_it_is_worth_as_much(town: Town) -> None:
    """Another company than the events say."""

    def renamed(state: LeadState) -> LeadState:
        company = replace(state.attributes["company"], value="B")
        return replace(state, attributes={**state.attributes, "company": company})

    await rewrite(town, await lead_of(town, "u1"), renamed)
    found = await reconcile(town.engine)
    assert found.document()["faults"][0]["examples"][0]["seen"] == "attributes"


async def test_a_state_of_another_layout_is_no_fault(town: Town) -> None:
    """It is refolded when it is next needed."""
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE leads SET state = 'from the future'")
    assert await numbers(town) == {}


async def test_a_lead_of_an_older_version_is_compared_under_its_own(town: Town) -> None:
    """Published and not walked to yet is no fault; a wrong number of then is."""
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE scoring_models SET state = 'retired'")
        await connection.execute(
            "INSERT INTO scoring_models (sha256, name, content, lists, state) "
            "SELECT 'x', name, replace(content, 'points: 15', 'points: 99'), lists, 'active' "
            "FROM scoring_models"
        )
    assert await numbers(town) == {}
    await town.count(seen(20, user_id="u2", name="email.clicked"))
    assert {"score", "state"}.isdisjoint(await numbers(town))
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE leads SET model_version = 2 WHERE model_version = 1")
    assert (await numbers(town))["score"] > 0


async def test_a_version_that_cannot_be_read_any_more_is_said(town: Town) -> None:
    """Its leads are looked at, without their scores."""
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE scoring_models SET content = 'nonsense: true'")
    found = await reconcile(town.engine)
    assert (found.not_compared, dict(found.numbers)) == (6, {})


async def test_a_decision_about_people_leaves_everything_in_order(town: Town) -> None:
    """Unmerged, split and released: the books know that events were set aside and taken back since."""
    device = RULES.anonymous_id("d2")
    assert device is not None
    async with transaction(town.engine) as connection:
        decider = Decider(connection=connection, counter=town.counter, made_by="test")
        await decider.two_people(await find(connection, "u1", RULES))
        assert await decider.nobodys_device(device) == 1
    await deliver(town)
    assert await numbers(town) == {}
    async with transaction(town.engine) as connection:
        decider = Decider(connection=connection, counter=town.counter, made_by="test")
        assert await decider.believe(device) == 1
    await deliver(town)
    assert await numbers(town) == {}


async def test_a_lead_that_changes_meanwhile_is_no_false_alarm(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event is counted after the leads were read and before their histories are."""

    async def read_late(connection: Any, leads: Any) -> Any:
        await town.count(seen(30, user_id="u1", name="email.clicked"))
        return await stored_histories(connection, leads)

    monkeypatch.setattr("services.cli.reconcile.read.stored_histories", read_late)
    found = await reconcile(town.engine, Wish(sample=100))
    assert (found.leads, dict(found.numbers)) == (5, {})


async def test_leads_are_looked_at_in_portions_and_from_anywhere(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the portions; after a stop those before are not looked at again."""
    monkeypatch.setattr("services.cli.reconcile.read.MOST_EVENTS", 1)
    leads = sorted(row["lead_id"] for row in await town.fetch("SELECT lead_id FROM leads"))
    found = await reconcile(town.engine)
    assert (found.leads, found.events, found.reached) == (6, 9, str(leads[-1]))
    assert (await reconcile(town.engine, Wish(after=leads[3]))).leads == 2
    some = await reconcile(town.engine, Wish(sample=2))
    assert (some.leads, some.whole) == (2, False)


def run(*argv: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        application(COMMANDS, ["reconcile"]), ["reconcile", *argv], env={"COLUMNS": "200"}
    )
    return done.exit_code, done.stdout


async def test_the_command_says_what_is_off_and_ends_with_1(town: Town) -> None:
    """0 and a sentence where nothing is; else a table or JSON with the number and the lead."""
    code, said = await asyncio.to_thread(run)
    assert (code, "everything is as promised" in said) == (0, True)
    lead = await lead_of(town, "u1")
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE leads SET score = score + 1 WHERE lead_id = $1", lead)
    code, said = await asyncio.to_thread(run)
    assert (code, str(lead) in said.replace("\n", ""), "P3" in said) == (1, True, True)
    code, said = await asyncio.to_thread(run, "--sample", "50", "--json")
    (fault,) = json.loads(said)["faults"]
    assert (code, fault["check"], fault["number"], fault["examples"][0]["subject"]) == (
        1,
        "score",
        1,
        str(lead),
    )
    assert (await asyncio.to_thread(run, "--from", str(lead)))[0] in {0, 1}


async def test_a_stop_says_how_to_go_on(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres goes away in the middle: the lead that was reached is printed, and what is off until there."""
    monkeypatch.setattr("services.cli.reconcile.read.MOST_EVENTS", 1)
    first = "SELECT lead_id FROM leads ORDER BY lead_id LIMIT 1"
    await town.fetch(f"UPDATE leads SET score = score + 1 WHERE lead_id = ({first})")
    looks = iter(range(3))

    async def until_away(connection: Any, leads: Any) -> Any:
        if next(looks) == 2:
            raise Transient("Postgres is away")
        return await stored_histories(connection, leads)

    monkeypatch.setattr("services.cli.reconcile.read.stored_histories", until_away)
    words = ["reconcile"]
    done = await asyncio.to_thread(CliRunner().invoke, application(COMMANDS, words), words)
    second = (await town.fetch("SELECT lead_id FROM leads ORDER BY lead_id OFFSET 1 LIMIT 1"))[0]["lead_id"]
    assert isinstance(done.exception, Transient)
    assert f"leadscore reconcile --from {second}" in done.stderr
    assert "P3" in done.stdout


async def test_what_it_goes_on_from_has_to_be_a_lead(town: Town) -> None:
    """A sentence, instead of beginning anew."""
    with pytest.raises(Invalid, match="takes a lead's id"):
        application(COMMANDS, ["reconcile"])(["reconcile", "--from", "lead-17"])


async def test_examples_are_few_and_the_number_is_whole() -> None:
    """A million faults of one kind fill no screen."""
    found = Findings()
    found.add_many("score", 1_000_000, [])
    assert found.document()["faults"][0]["number"] == 1_000_000
