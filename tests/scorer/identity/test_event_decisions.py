"""A person decides that an event does not count, or counts after all: points, people and books follow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.cli.reconcile.walk import reconcile
from services.scorer.people.decide_events import EventDecider
from services.scorer.store.histories import By
from shared.database import transaction
from shared.errors import Invalid
from shared.events import Event, Machine
from shared.ids import EventId, LeadId, event_id
from shared.leads.event_list import listed
from shared.leads.find import find
from tests.scorer.identity.people import RULES, Town, seen

pytestmark = pytest.mark.asyncio

BOT = Machine(reason="webdriver")
BOOK = """
INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner,
  started_at_offset, next_offset, counted, quarantined)
SELECT 'g', 't', (SELECT count(*) FROM partition_offsets), 1, 1, 'test', 0, $1::bigint + $2::bigint, $1, $2
"""


@asynccontextmanager
async def deciding(town: Town) -> AsyncIterator[EventDecider]:
    async with transaction(town.engine) as connection:
        yield EventDecider(
            connection=connection, counter=town.counter, by=By(name="test", note="looked at it")
        )


async def count(town: Town, *events: Event, quarantined: int = 0) -> None:
    """Count these, and write it into the books."""
    await town.count(*events)
    async with transaction(town.engine) as connection:
        await connection.execute(BOOK, len(events) - quarantined, quarantined)


async def row_of(town: Town, who: str) -> dict[str, Any]:
    async with transaction(town.engine) as connection:
        lead = await find(connection, who, RULES)
    return (await town.fetch("SELECT * FROM leads WHERE lead_id = $1", lead))[0]


async def in_order(town: Town) -> None:
    """Nothing is off, the books included."""
    assert (await reconcile(town.engine)).document()["faults"] == []


def message(number: int) -> EventId:
    return event_id("product", f"m{number}")


async def test_points_are_taken_back_and_given_again(town: Town) -> None:
    """The score is that of the other events, then as before; the stage follows; the log says who."""
    await count(
        town, seen(1, user_id="u1", name="form.submitted"), seen(2, user_id="u1", name="email.clicked")
    )
    before = await row_of(town, "u1")
    async with deciding(town) as decider:
        assert await decider.quarantine(message(1)) == before["lead_id"]
    after = await row_of(town, "u1")
    assert (before["event_count"], before["stage"]) == (2, "mql")
    assert (after["event_count"], after["stage"]) == (1, "lead")
    assert after["score"] < before["score"]
    await in_order(town)
    async with deciding(town) as decider:
        await decider.release(message(1))
    again = await row_of(town, "u1")
    assert (again["score"], again["event_count"]) == (before["score"], 2)
    await in_order(town)
    changes = await town.fetch(
        "SELECT reason_before, reason, made_by, note FROM quarantine_changes ORDER BY 1"
    )
    assert [tuple(one.values()) for one in changes] == [
        ("by_hand", None, "test", "looked at it"),
        (None, "by_hand", "test", "looked at it"),
    ]


async def test_without_its_evidence_a_tie_is_undone(town: Town) -> None:
    """An event that joined two people is taken out: they are two again; released, they are one."""
    await count(
        town,
        seen(1, user_id="u1", email="x@x.example"),
        seen(2, source="crm", kind="crm", user_id="c1", name="email.clicked"),
    )
    tie = seen(3, source="crm", kind="crm", user_id="c1", email="x@x.example")
    await count(town, tie)
    assert (await row_of(town, "u1"))["event_count"] == 3
    async with deciding(town) as decider:
        await decider.quarantine(tie.event_id)
    assert (await row_of(town, "u1"))["event_count"] == 1
    assert (await row_of(town, "crm:c1"))["event_count"] == 1
    await in_order(town)
    async with deciding(town) as decider:
        await decider.release(tie.event_id)
    assert (await row_of(town, "crm:c1"))["event_count"] == 3
    await in_order(town)


async def test_what_a_machine_was_thought_to_do_counts_once_released(town: Town) -> None:
    """A lead of whom only quarantined events are known is scored by the released one, device and all."""
    bot = seen(1, user_id="u1", email="x@x.example", anonymous_id="d1", name="form.submitted", machine=BOT)
    await count(town, bot, quarantined=1)
    async with deciding(town) as decider:
        lead = await decider.release(bot.event_id)
    row = await row_of(town, "x@x.example")
    assert (row["lead_id"], row["event_count"], row["stage"]) == (lead, 1, "mql")
    assert (await row_of(town, "d1"))["lead_id"] == lead
    await in_order(town)
    await town.count(bot)
    assert (await row_of(town, "u1"))["event_count"] == 1


async def test_a_released_event_is_evidence_of_when_it_happened(town: Town) -> None:
    """Of two who share an address it belongs to whom it was named with first, though that is known last."""
    await count(town, seen(1, user_id="u2", email="x@x.example", machine=BOT), quarantined=1)
    await count(town, seen(5, user_id="u1"), seen(6, user_id="u2"))
    async with transaction(town.engine) as connection:
        await connection.execute("DELETE FROM identities WHERE kind = 'email'")
    await count(town, seen(7, user_id="u1", email="x@x.example"))
    assert (await row_of(town, "x@x.example"))["lead_id"] == (await row_of(town, "u1"))["lead_id"]
    async with deciding(town) as decider:
        await decider.release(message(1))
    assert (await row_of(town, "x@x.example"))["lead_id"] == (await row_of(town, "u2"))["lead_id"]
    await in_order(town)


async def test_a_visitors_event_stays_where_it_was(town: Town) -> None:
    """Whose device it was then has it, though the device serves somebody else by now."""
    await count(town, seen(1, anonymous_id="d1", user_id="u1"))
    await count(town, seen(2, anonymous_id="d1", name="form.submitted", machine=BOT), quarantined=1)
    await count(town, seen(3, anonymous_id="d1", user_id="u2"))
    async with deciding(town) as decider:
        assert await decider.release(message(2)) == (await row_of(town, "u1"))["lead_id"]
    assert ((await row_of(town, "u1"))["event_count"], (await row_of(town, "u2"))["event_count"]) == (2, 1)
    await in_order(town)


async def test_an_event_of_nobody_goes_to_whom_it_names(town: Town) -> None:
    """One set aside with its device goes to the device's lead; one of a suspended id to its address."""
    await count(town, seen(1, user_id="shop"), seen(2, user_id="u2"))
    async with transaction(town.engine) as connection:
        await connection.execute(
            "UPDATE identities SET status = 'suspended' WHERE lead_id = $1",
            (await row_of(town, "shop"))["lead_id"],
        )
    await count(town, seen(3, user_id="shop", name="form.submitted"), quarantined=1)
    async with deciding(town) as decider:
        with pytest.raises(Invalid, match="suspended_identifier"):
            await decider.release(message(3))
    async with transaction(town.engine) as connection:
        await connection.execute("UPDATE identities SET status = 'in_use'")
    async with deciding(town) as decider:
        assert await decider.release(message(3)) == (await row_of(town, "shop"))["lead_id"]
    assert (await row_of(town, "shop"))["event_count"] == 2
    await in_order(town)


async def test_an_event_that_names_nobody_is_refused(town: Town) -> None:
    """There is no lead for it; it stays as it is."""
    await count(town, seen(1, user_id="undefined"), quarantined=1)
    async with deciding(town) as decider:
        with pytest.raises(Invalid, match="nobody"):
            await decider.release(message(1))
    async with transaction(town.engine) as connection:
        (one,) = await listed(connection, None)
    assert (one.quarantine, one.made_by) == ("nobody", None)


async def test_a_sales_fact_counts_where_it_happened(town: Town) -> None:
    """A released `lead.moved` of before moves the lead as if it had come late."""
    await count(town, seen(1, user_id="u1", name="form.submitted"))
    fact = seen(
        2,
        user_id="u1",
        kind="crm",
        source="product",
        name="lead.moved",
        machine=BOT,
        properties={"stage": "recycled"},
    )
    await count(town, fact, quarantined=1)
    before = (await row_of(town, "u1"))["stage"]
    async with deciding(town) as decider:
        await decider.release(fact.event_id)
    assert (before, (await row_of(town, "u1"))["stage"]) == ("mql", "recycled")
    await in_order(town)


async def test_a_crowd_is_scored_without_being_grouped_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lead with more events than a regroup takes: its points are taken back all the same."""
    await count(town, *(seen(n, user_id="u1", name="email.clicked") for n in range(5)))
    monkeypatch.setattr("services.scorer.people.gather.MOST_EVENTS", 3)
    before = await row_of(town, "u1")
    async with deciding(town) as decider:
        await decider.quarantine(message(1))
    after = await row_of(town, "u1")
    assert (after["event_count"], after["score"] < before["score"]) == (4, True)
    await in_order(town)


async def test_only_what_changes_something_is_done(town: Town) -> None:
    """An unknown id, an event that counts, one that does not: each with a sentence."""
    await count(town, seen(1, user_id="u1"))
    async with deciding(town) as decider:
        with pytest.raises(Invalid, match="there is no event"):
            await decider.quarantine(message(99))
        with pytest.raises(Invalid, match="counts already"):
            await decider.release(message(1))
        await decider.quarantine(message(1))
        with pytest.raises(Invalid, match="does not count already"):
            await decider.quarantine(message(1))


async def test_the_list_says_why_and_by_whom(town: Town) -> None:
    """Newest first, those of merged leads too; what somebody changed has a name and a note."""
    await count(town, *(seen(n, user_id="u1") for n in range(3)))
    async with deciding(town) as decider:
        await decider.quarantine(message(1))
    lead = LeadId((await row_of(town, "u1"))["lead_id"])
    async with transaction(town.engine) as connection:
        every = await listed(connection, lead)
        (one,) = await listed(connection, lead, counting=False)
        assert [each.event_id for each in every] == [message(2), message(1), message(0)]
        assert (await listed(connection, lead, most=1))[0].event_id == message(2)
    assert (one.event_id, one.quarantine, one.made_by, one.note) == (
        message(1),
        "by_hand",
        "test",
        "looked at it",
    )


async def test_an_event_of_a_lead_that_was_merged_long_ago_takes_the_stage_back(town: Town) -> None:
    """Its row says the visitor that the device was; what falls is the lead that it is one with."""
    await count(town, seen(1, user_id="u1"))
    await count(town, seen(2, anonymous_id="d2", name="form.submitted"))
    await count(town, seen(3, user_id="u1", anonymous_id="d2"))
    assert (await row_of(town, "u1"))["stage"] == "mql"
    async with deciding(town) as decider:
        await decider.quarantine(message(2))
    assert (await row_of(town, "u1"))["stage"] == "lead"
    told = await town.fetch("SELECT cause, corrected FROM transitions ORDER BY recorded_at DESC LIMIT 1")
    assert told[0]["cause"] == "corrected"
    await in_order(town)
