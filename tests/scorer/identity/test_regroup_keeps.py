"""A regroup keeps what is right: numbers of transitions, leads of people who stay who they are."""

from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from services.scorer.identify.evidence import evidence
from services.scorer.identify.facts import Held, Limits
from services.scorer.identify.parties import People, StoredEvent
from services.scorer.identify.regroup import regroup
from shared.events import Event
from shared.ids import LeadId
from shared.leads.identifiers import Identifier
from tests.scorer.identity.people import RULES, START, Town, consistent, seen

FIRST, SECOND, MERGED = (LeadId(UUID(int=number)) for number in (1, 2, 3))


def crm(number: int, user_id: str, email: str | None = None, *, name: str = "page.viewed") -> Event:
    return seen(number, source="crm", kind="crm", user_id=user_id, email=email, name=name)


@pytest.mark.asyncio
async def test_a_lead_loses_and_gains_people_at_once(town: Town) -> None:
    """Each lead's transitions count on without a gap, when one regroup takes out of it and puts into it."""
    await town.count(
        seen(11, user_id="u1", email="b@x.example"),
        seen(12, user_id="u1", email="c@x.example"),
        seen(10, user_id="u1", email="a@x.example"),
        crm(2, "c5", "a@x.example"),
    )
    await town.count(crm(20, "c9", name="form.submitted"), crm(13, "c9", "b@x.example"))
    await town.count(seen(1, user_id="u2", email="a@x.example"))
    assert set(map(frozenset, (await town.people()).values())) == {
        frozenset({"product:u1", "crm:c9", "b@x.example", "c@x.example"}),
        frozenset({"product:u2", "crm:c5", "a@x.example"}),
    }
    for row in await town.fetch(
        "SELECT array_agg(sequence ORDER BY 1) AS n FROM transitions GROUP BY lead_id"
    ):
        assert row["n"] == list(range(1, len(row["n"]) + 1))
    await consistent(town)


def test_who_came_back_keeps_the_lead() -> None:
    """A lead that holds what it once brought into another one stays as it is, whatever became of that one."""
    contact, user = (
        seen(1, source="mailer", kind="email", user_id="m1"),
        seen(2, user_id="u1", email="a@x.example"),
    )
    mailer, person, address = (
        _one(RULES.user_id("m1", "mailer")),
        _one(RULES.user_id("u1")),
        _one(RULES.address("a@x.example")),
    )
    people = People(
        live={FIRST: START, SECOND: START},
        merged={MERGED: SECOND},
        brought={MERGED: frozenset({address, mailer})},
        held={mailer: _held(FIRST, "mailer"), person: _held(SECOND, "product"), address: _held(SECOND, "")},
        events=[_stored(contact, FIRST), _stored(user, SECOND)],
        decisions=[],
    )
    numbers = count(9)
    found = regroup(people, Limits(), lambda: LeadId(UUID(int=next(numbers))))
    assert not found.changes


@pytest.mark.asyncio
async def test_a_device_counts_a_person_once(town: Town) -> None:
    """Two who turn out to be one are one of the people of a day, whichever batch told so."""
    await town.count(seen(0, anonymous_id="tablet", email="a@x.example"))
    await town.count(seen(1, anonymous_id="tablet", user_id="u1"))
    await town.count(seen(2, anonymous_id="tablet", email="b@x.example"))
    await town.count(seen(3, user_id="u1", email="a@x.example"))
    await town.count(seen(4, anonymous_id="tablet", email="c@x.example"))
    await town.count(seen(5, anonymous_id="tablet", email="d@x.example"), seen(6, anonymous_id="tablet"))
    rows = await town.fetch("SELECT status FROM identities WHERE kind = 'anonymous_id'")
    assert [row["status"] for row in rows] == ["in_use"]
    await consistent(town)


@pytest.mark.parametrize("number", range(8))
@pytest.mark.asyncio
async def test_the_address_that_was_sent_comes_first(town: Town, number: int) -> None:
    """Of two addresses of one event that cannot both be hers, she has the one in the field for it."""
    sent, as_id = f"sent{number}@x.example", f"id{number}@x.example"
    await town.count(
        seen(1, user_id="u1", email=sent),
        seen(2, user_id="u2", email=as_id),
        seen(3, source="mailer", kind="email", user_id=as_id, email=sent),
    )
    assert {"product:u1", f"mailer:{as_id}", sent} in (await town.people()).values()


def _one(found: Identifier | None) -> Identifier:
    assert found
    return found


def _held(lead: LeadId, namespace: str) -> Held:
    return Held(lead, START + timedelta(minutes=1), namespace=namespace)


def _stored(event: Event, lead: LeadId) -> StoredEvent:
    return StoredEvent(event.event_id, event.received_at, lead, True, evidence(event, RULES))
