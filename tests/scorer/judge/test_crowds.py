"""Which clicks of a company had neighbours, among very many at one moment too."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.scorer.judge.thresholds import NEIGHBOUR_S
from services.scorer.store import domain_clicks
from services.scorer.store.domain_clicks import Click
from shared.database import transaction
from shared.ids import EventId, LeadId, event_id
from tests.scorer.judge.mails import T0, MailTown

pytestmark = pytest.mark.asyncio

NOBODY_IS_CROWDED = 1_000_000


def click(number: int, recipient: int, at_s: float, company: bytes = b"firma") -> Click:
    one = event_id("mail", f"{company!r} {number}")
    name = recipient.to_bytes(16, "big")
    at = T0 + timedelta(seconds=at_s)
    return Click(event_id=one, domain=company, recipient=name, lead=LeadId(one), at=at)


async def note_blindly(town: MailTown, clicks: Sequence[Click]) -> None:
    """Note clicks as batches do that cannot see each other."""
    async with transaction(town.engine) as connection:
        await domain_clicks.note(connection, clicks, NOBODY_IS_CROWDED)


async def look(town: MailTown, most: int = 500) -> set[LeadId]:
    """Whose are found crowded by one look."""
    async with transaction(town.engine) as connection:
        return {lead for lead, _ in await domain_clicks.look(connection, most, 3) or ()}


def by_definition(clicks: Sequence[Click]) -> set[EventId]:
    """Clicks around which three recipients of their company clicked."""
    near = timedelta(seconds=NEIGHBOUR_S)
    return {
        one.event_id
        for one in clicks
        if len({n.recipient for n in clicks if n.domain == one.domain and abs(n.at - one.at) <= near}) >= 3
    }


async def marked(town: MailTown) -> set[EventId]:
    return {EventId(row["event_id"]) for row in await town.fetch(CROWDED)}


CROWDED = "SELECT event_id FROM domain_clicks WHERE crowded"


async def test_a_gateway_that_scans_a_whole_company_is_found(town: MailTown) -> None:
    """200 employees with three links each within three seconds: one look finds all of them, in its time."""
    scan = [click(n, n % 200, n * 0.005) for n in range(600)]
    await note_blindly(town, scan)
    assert await look(town) == {one.lead for one in scan}


async def test_what_was_found_is_not_found_again(town: MailTown) -> None:
    """The second half of a scan is looked at later: only who has not been judged yet is told."""
    scan = [click(n, n, 1) for n in range(6)]
    await note_blindly(town, scan[:3])
    assert await look(town) == {one.lead for one in scan[:3]}
    await note_blindly(town, scan[3:])
    assert await look(town) == {one.lead for one in scan[3:]}


@pytest.mark.parametrize("late_s", [0, 6])
async def test_a_late_click_crowds_one_in_the_middle(town: MailTown, late_s: float) -> None:
    """It and one on the other side are 6 seconds apart; the one between, looked at long ago, is near both."""
    early = [click(1, 1, 6 - late_s), click(2, 2, 3)]
    await note_blindly(town, early)
    assert await look(town) == set()
    await note_blindly(town, [click(3, 3, late_s)])
    assert await look(town) == {early[1].lead}


@pytest.mark.parametrize("seed", range(5))
async def test_any_clicks_are_marked_by_the_definition(town: MailTown, seed: int) -> None:
    """Many or few, at whole seconds, of two companies, noted and looked at in any pieces."""
    chance = random.Random(seed)
    clicks = [
        click(n, chance.randint(1, 5), chance.randint(0, 120), chance.choice([b"firma", b"kunde"]))
        for n in range(chance.choice([20, 60, 100]))
    ]
    half = len(clicks) // 2
    await note_blindly(town, clicks[:half])
    await look(town, most=7)
    await note_blindly(town, clicks[half:])
    while await town.fetch("SELECT 1 FROM domain_clicks WHERE NOT looked"):
        await look(town, most=7)
    assert await marked(town) == by_definition(clicks)


async def test_a_batch_marks_its_own_by_all_that_it_sees(town: MailTown) -> None:
    """Clicks of others are left to the look: who notes holds no lock of theirs."""
    clicks = [click(1, 1, 0), click(2, 2, 3), click(3, 3, 3), click(4, 4, 60)]
    await note_blindly(town, clicks[:1])
    async with transaction(town.engine) as connection:
        await domain_clicks.note(connection, clicks[1:], 3)
    assert await marked(town) == {one.event_id for one in clicks[1:3]}
