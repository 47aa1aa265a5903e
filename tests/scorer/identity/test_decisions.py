"""What a person decides about people holds, for the past and for whatever comes later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.scorer.people.decide import Decider
from shared.database import transaction
from shared.errors import Invalid
from shared.events import Machine
from shared.ids import LeadId
from shared.leads.find import find
from tests.scorer.identity.people import RULES, Town, consistent, seen

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def deciding(town: Town) -> AsyncIterator[Decider]:
    async with transaction(town.engine) as connection:
        yield Decider(connection=connection, counter=town.counter, made_by="test")


async def lead_of(town: Town, who: str) -> LeadId:
    async with transaction(town.engine) as connection:
        return await find(connection, who, RULES)


async def leads_of(town: Town, *who: str) -> list[LeadId]:
    return [await lead_of(town, one) for one in who]


async def test_two_leads_are_made_one_against_the_evidence(town: Town) -> None:
    """Two user ids of the product, joined by hand, stay one whatever comes later."""
    await town.count(seen(1, user_id="u1"), seen(2, user_id="u2"))
    one, other = await leads_of(town, "u1", "u2")
    async with deciding(town) as decider:
        await decider.one_person(one, other)
    await town.count(seen(3, user_id="u1", email="x@x.example"), seen(4, user_id="u2", email="x@x.example"))
    assert len(set(await leads_of(town, "u1", "u2", "x@x.example"))) == 1
    await consistent(town)


async def test_a_lead_is_not_merged_with_itself(town: Town) -> None:
    """Two names of one lead are refused."""
    await town.count(seen(1, user_id="u1", email="x@x.example"))
    async with deciding(town) as decider:
        with pytest.raises(Invalid, match="one lead already"):
            await decider.one_person(*await leads_of(town, "u1", "x@x.example"))


async def test_a_visitor_is_nobody_to_merge(town: Town) -> None:
    """A device names no person: a decision about it would do nothing, so it is refused."""
    await town.count(seen(1, user_id="u1"), seen(2, anonymous_id="d"))
    for pair in (("u1", "d"), ("d", "u1")):
        async with deciding(town) as decider:
            with pytest.raises(Invalid, match="is a visitor"):
                await decider.one_person(*await leads_of(town, *pair))


async def merged_by_an_event(town: Town) -> tuple[LeadId, LeadId]:
    """A product's user and a CRM's contact, made one by an address; returns their leads of before."""
    await town.count(
        seen(1, user_id="u1", email="x@x.example"),
        seen(2, source="crm", kind="crm", user_id="c1"),
        seen(3, source="crm", kind="crm", user_id="c1", name="form.submitted"),
    )
    before = await leads_of(town, "u1", "c1")
    await town.count(seen(4, source="crm", kind="crm", user_id="c1", email="x@x.example"))
    assert len(set(await leads_of(town, "u1", "c1"))) == 1
    return before[0], before[1]


async def test_unmerge_gives_back_who_was_there(town: Town) -> None:
    """Both leads live again under their old ids, each with its own events and score."""
    user, contact = await merged_by_an_event(town)
    async with deciding(town) as decider:
        assert await decider.two_people(user) == contact
    assert await leads_of(town, "u1", "c1", "x@x.example") == [user, contact, user]
    counts = {row["lead_id"]: row["event_count"] for row in await town.fetch("SELECT * FROM leads")}
    assert counts == {user: 1, contact: 3}
    await consistent(town)


async def test_unmerge_holds_for_what_comes_later(town: Town) -> None:
    """The same evidence again joins nobody; events go where their strongest identifier points."""
    user, contact = await merged_by_an_event(town)
    async with deciding(town) as decider:
        await decider.two_people(user)
    await town.count(
        seen(5, source="crm", kind="crm", user_id="c1", email="x@x.example"),
        seen(6, email="x@x.example"),
        seen(7, user_id="u1"),
    )
    assert await leads_of(town, "u1", "c1") == [user, contact]
    counts = {row["lead_id"]: row["event_count"] for row in await town.fetch("SELECT * FROM leads")}
    assert counts == {user: 3, contact: 4}
    await consistent(town)


async def test_unmerge_tells_who_had_the_lead(town: Town) -> None:
    """The lead that is left has a transition that names the other one, in order with the ones before."""
    user, contact = await merged_by_an_event(town)
    async with deciding(town) as decider:
        await decider.two_people(user)
    told = await town.fetch("SELECT * FROM transitions WHERE cause = 'unmerged' ORDER BY lead_id")
    assert {row["lead_id"]: row["other_leads"] for row in told} == {user: [contact], contact: [user]}
    for lead in (user, contact):
        rows = await town.fetch("SELECT sequence FROM transitions WHERE lead_id = $1 ORDER BY 1", lead)
        assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))


async def test_merge_after_unmerge_lifts_the_decision(town: Town) -> None:
    """Who changes their mind has one lead again."""
    user, contact = await merged_by_an_event(town)
    async with deciding(town) as decider:
        await decider.two_people(user)
    async with deciding(town) as decider:
        await decider.one_person(user, contact)
    assert len(set(await leads_of(town, "u1", "c1", "x@x.example"))) == 1
    open_ = await town.fetch("SELECT verdict FROM identity_decisions WHERE undone_at IS NULL")
    assert [row["verdict"] for row in open_] == ["one"]
    await consistent(town)


async def test_a_visitor_is_taken_out_of_a_person(town: Town) -> None:
    """Somebody else had used the device before: its anonymous history is its own again, and stays so."""
    await town.count(seen(1, anonymous_id="d"), seen(2, anonymous_id="d"), seen(3, user_id="u1"))
    visitor, user = await leads_of(town, "d", "u1")
    await town.count(seen(4, user_id="u1", anonymous_id="d"))
    assert await lead_of(town, "d") == user
    async with deciding(town) as decider:
        assert await decider.two_people(user) == visitor
    counts = {row["lead_id"]: row["event_count"] for row in await town.fetch("SELECT * FROM leads")}
    assert counts == {user: 2, visitor: 2}
    await consistent(town)


async def test_a_visitor_taken_out_keeps_the_device(town: Town) -> None:
    """The person is known on it again, and what is done there anonymously stays the visitor's."""
    await town.count(seen(1, anonymous_id="d"), seen(2, user_id="u1"))
    visitor, user = await leads_of(town, "d", "u1")
    await town.count(seen(3, user_id="u1", anonymous_id="d"))
    async with deciding(town) as decider:
        await decider.two_people(user)
    await town.count(seen(4, user_id="u1", anonymous_id="d"))
    await town.count(seen(5, anonymous_id="d"))
    assert await lead_of(town, "d") == visitor
    counts = {row["lead_id"]: row["event_count"] for row in await town.fetch("SELECT * FROM leads")}
    assert counts == {user: 3, visitor: 2}
    await consistent(town)


async def test_a_late_event_on_a_shared_device_is_put_in_its_time(town: Town) -> None:
    """Each anonymous event is of whoever was known last before it; the device is of whoever came last."""
    ada: dict[str, Any] = {"email": "ada@x.example"}
    bo: dict[str, Any] = {"email": "bo@x.example"}
    device: dict[str, Any] = {"anonymous_id": "d"}
    await town.count(seen(1, **ada, **device), seen(6, **device), seen(10, **ada, **device), seen(3, **bo))
    await town.count(seen(5, **bo, **device))
    first, second = await leads_of(town, "ada@x.example", "bo@x.example")
    await town.count(seen(11, **device))
    whose = await town.whose()
    assert [whose[seen(number).event_id] for number in (6, 11)] == [second, first]
    await consistent(town)


async def test_a_late_event_of_the_last_user_takes_the_device(town: Town) -> None:
    """What the other did since was on another device."""
    ada: dict[str, Any] = {"email": "ada@x.example"}
    bo: dict[str, Any] = {"email": "bo@x.example"}
    await town.count(seen(1, **ada, anonymous_id="d"), seen(10, **ada, anonymous_id="phone"))
    await town.count(seen(5, **bo, anonymous_id="d"))
    await town.count(seen(11, anonymous_id="d"))
    assert await lead_of(town, "d") == await lead_of(town, "bo@x.example")
    await consistent(town)


async def test_a_person_is_taken_out_before_a_visitor(town: Town) -> None:
    """A device that became known since hides nobody from unmerge; the visitor is taken out by its own id."""
    user, contact = await merged_by_an_event(town)
    await town.count(seen(5, anonymous_id="d"))
    visitor = await lead_of(town, "d")
    await town.count(seen(6, user_id="u1", anonymous_id="d"))
    async with deciding(town) as decider:
        assert await decider.two_people(user) == contact
        assert await decider.two_people(visitor) == visitor
    assert await leads_of(town, "u1", "c1", "d") == [user, contact, visitor]
    await consistent(town)


async def test_a_visitor_of_whom_nothing_is_left_stays_merged(town: Town) -> None:
    """The device serves somebody else by now: that is said, and nothing is changed."""
    await town.count(seen(1, anonymous_id="d"), seen(2, user_id="u1"))
    user = await lead_of(town, "u1")
    await town.count(seen(3, user_id="u1", anonymous_id="d"), seen(4, user_id="u2", anonymous_id="d"))
    with pytest.raises(Invalid, match="nothing was changed"):
        async with deciding(town) as decider:
            await decider.two_people(user)
    assert await town.fetch("SELECT FROM identity_decisions") == []
    await consistent(town)


async def test_nobody_was_ever_merged(town: Town) -> None:
    """A lead that is one person has nobody to take out."""
    await town.count(seen(1, user_id="u1"))
    async with deciding(town) as decider:
        with pytest.raises(Invalid, match="nobody was merged"):
            await decider.two_people(await lead_of(town, "u1"))


async def test_a_device_is_split_and_released(town: Town) -> None:
    """Its anonymous events belong to nobody, those of the past too; released, they count again."""
    tablet = RULES.anonymous_id("tablet")
    assert tablet is not None
    await town.count(
        seen(1, anonymous_id="tablet"),
        seen(2, anonymous_id="tablet", email="a@a.example"),
        seen(3, anonymous_id="tablet"),
    )
    async with deciding(town) as decider:
        assert await decider.nobodys_device(tablet) == 2
    await town.count(seen(4, anonymous_id="tablet"))
    lead = await lead_of(town, "a@a.example")
    assert (await town.fetch("SELECT event_count FROM leads WHERE lead_id = $1", lead))[0]["event_count"] == 1
    assert len(await town.fetch("SELECT 1 FROM events WHERE quarantine = 'shared_device'")) == 3
    async with deciding(town) as decider:
        assert await decider.believe(tablet) == 3
    assert (await town.fetch("SELECT event_count FROM leads WHERE lead_id = $1", lead))[0]["event_count"] == 4
    await consistent(town)


async def test_a_split_device_releases_no_machine(town: Town) -> None:
    """What a machine did on the device stays out when the device is believed again."""
    tablet = RULES.anonymous_id("tablet")
    assert tablet is not None
    bot = Machine(reason="webdriver")
    await town.count(seen(1, anonymous_id="tablet"), seen(2, anonymous_id="tablet", machine=bot))
    async with deciding(town) as decider:
        assert await decider.nobodys_device(tablet) == 1
    await town.count(seen(3, anonymous_id="tablet", machine=bot))
    async with deciding(town) as decider:
        assert await decider.believe(tablet) == 1
    rows = await town.fetch("SELECT quarantine, count(*)::int AS n FROM events GROUP BY 1 ORDER BY 1")
    assert rows == [{"quarantine": "webdriver", "n": 2}, {"quarantine": None, "n": 1}]
    changes = await town.fetch(
        "SELECT reason_before, reason, made_by FROM quarantine_changes ORDER BY change_id"
    )
    assert [tuple(row.values()) for row in changes] == [
        (None, "shared_device", "test"),
        ("shared_device", None, "test"),
    ]


async def test_only_what_was_set_aside_is_released(town: Town) -> None:
    """An identifier in use, and one that nobody has."""
    await town.count(seen(1, user_id="u1"))
    for name in ("u1", "u2"):
        one = RULES.user_id(name)
        assert one is not None
        async with deciding(town) as decider:
            with pytest.raises(Invalid, match="neither suspended nor"):
                await decider.believe(one)


async def test_a_crowd_is_taken_apart(town: Town) -> None:
    """An id that ties strangers is suspended, and they are people of their own; released, it ties anew."""
    shop = [seen(n, user_id="webshop", email=f"guest{n}@x.example") for n in range(1, 13)]
    await town.count(seen(0, user_id="webshop"))
    for event in shop:
        await town.count(event)
    webshop = RULES.user_id("webshop")
    assert webshop is not None
    rows = await town.fetch("SELECT status FROM identities WHERE value = $1", webshop.value)
    assert rows == [{"status": "suspended"}]
    guests = [f"guest{n}@x.example" for n in range(1, 13)]
    assert len(set(await leads_of(town, *guests))) == 12
    async with deciding(town) as decider:
        await decider.believe(webshop)
    await town.count(seen(500, user_id="webshop", email=guests[0]))
    assert len(set(await leads_of(town, "webshop", guests[0]))) == 1
    assert len(set(await leads_of(town, *guests))) == 12


async def test_an_objection_stays_with_whom_it_belongs_to(town: Town) -> None:
    """While two are one, the lead objects; taken apart, only the one who objected does, and is told once."""
    user, contact = await merged_by_an_event(town)
    await town.count(seen(5, email="x@x.example", name="person.objected"), seen(6, user_id="u1"))
    assert await scores(town) == {user: 0}
    async with deciding(town) as decider:
        await decider.two_people(user)
    found = await scores(town)
    assert found[user] == 0
    assert found[contact] > 0
    await town.count(seen(7, source="crm", kind="crm", user_id="c1"), seen(8, user_id="u1"))
    assert (await scores(town))[user] == 0
    causes = await town.fetch("SELECT lead_id, cause FROM transitions WHERE cause LIKE 'objec%'")
    assert [(row["lead_id"], row["cause"]) for row in causes] == [(user, "objected")]
    await consistent(town)


async def scores(town: Town) -> dict[LeadId, int]:
    rows = await town.fetch("SELECT lead_id, score FROM leads WHERE merged_into IS NULL")
    return {row["lead_id"]: row["score"] for row in rows}


async def test_leads_of_which_nothing_counts_stay_visitors(town: Town) -> None:
    """Programs named them: made one by hand, they are still nobody to tell sales about."""
    bots = [
        seen(
            n, user_id=f"u{n}", email=f"u{n}@x.example", name="form.submitted", machine=Machine(reason="bot")
        )
        for n in (1, 2)
    ]
    await town.count(*bots)
    one, other = await leads_of(town, "u1", "u2")
    async with deciding(town) as decider:
        await decider.one_person(one, other)
    assert await town.fetch("SELECT stage FROM leads WHERE merged_into IS NULL") == [{"stage": "visitor"}]
    assert await town.fetch("SELECT FROM transitions") == []
