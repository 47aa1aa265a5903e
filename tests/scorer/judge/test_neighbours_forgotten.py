"""Who had neighbours is forgotten after a hundred days; that no person clicked is not."""

from datetime import timedelta

import pytest

from services.scorer.people.decide_events import EventDecider
from services.scorer.store import domain_clicks
from services.scorer.store.histories import By
from shared.database import transaction
from shared.events import Event
from shared.ids import EventId
from tests.scorer.judge.mails import MailTown, clicked, happened, sent_form

pytestmark = pytest.mark.asyncio

PEOPLE = [f"{name}@kunde.example" for name in ("bo", "cy", "di")]
CROWD = [clicked(600 + n, who=who) for n, who in enumerate(PEOPLE)]
LATER = [happened(f"later {who}", "meeting.booked", 7_200, email=who) for who in PEOPLE]
HELD = {one.extra["message"]: "neighbours" for one in CROWD}


async def forgotten(town: MailTown) -> None:
    """A crowd that was caught, a hundred days ago, with another event of each."""
    await town.count(*CROWD, *LATER)
    assert await town.not_counted() == HELD
    async with transaction(town.engine) as connection:
        await connection.execute(
            "UPDATE domain_clicks SET noted_at = now() - $1::interval", timedelta(days=101)
        )
        await domain_clicks.clean(connection)
    assert await town.fetch("SELECT 1 FROM domain_clicks") == []


async def decide(town: MailTown, event: Event, *, release: bool = False) -> None:
    async with transaction(town.engine) as connection:
        decider = EventDecider(connection=connection, counter=town.counter, by=By(name="test"))
        await (decider.release if release else decider.quarantine)(EventId(event.event_id))


async def test_a_whole_judgement_releases_no_scan(town: MailTown) -> None:
    """Somebody decides about another event of a lead, and takes that back: the click stays out of it."""
    await forgotten(town)
    await decide(town, LATER[0])
    assert await town.not_counted() == {**HELD, LATER[0].extra["message"]: "by_hand"}
    await decide(town, LATER[0], release=True)
    assert await town.not_counted() == HELD
    await town.clean()


async def test_people_who_turn_out_to_be_one_had_neighbours_all_the_same(town: MailTown) -> None:
    """A merge judges all of both: what was caught stays so."""
    await forgotten(town)
    logins = [
        happened(f"login {one}", "person.identified", 9_000, kind="product", email=one, user_id="u1")
        for one in PEOPLE[:2]
    ]
    await town.count(*logins)
    assert len(await town.fetch("SELECT 1 FROM leads WHERE merged_into IS NOT NULL")) == 1
    assert await town.not_counted() == HELD
    await town.clean()


async def test_a_proof_releases_it_and_so_does_somebody(town: MailTown) -> None:
    """A form within 30 days says that a person was there; what is released by hand stays so."""
    await forgotten(town)
    await town.count(sent_form(86_400, who=PEOPLE[0]))
    await decide(town, CROWD[1], release=True)
    assert await town.not_counted() == {CROWD[2].extra["message"]: "neighbours"}
    await decide(town, LATER[1])
    assert CROWD[1].extra["message"] not in await town.not_counted()
    await town.clean()
