"""What was counted and sent to sales before the verdict is taken back: points, stage, and the news of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from services.router import __main__ as router
from services.router import route_file
from services.router.settings import RouterSettings
from services.scorer.people.decide_events import EventDecider
from services.scorer.store.histories import By
from shared.database import transaction
from shared.events import Event
from shared.ids import EventId
from shared.leads.event_list import listed
from shared.leads.trouble import quarantined
from shared.lifecycle import run
from shared.testing import MemoryBroker
from tests.router import situations
from tests.router.receiver import SECRET, Receiver, listening
from tests.scorer.judge.mails import (
    ADA,
    GATEWAY,
    WINDOWS,
    MailTown,
    clicked,
    delivered,
    happened,
    orders,
    scan,
    sent_form,
    viewed,
)
from tests.waiting import until

pytestmark = pytest.mark.asyncio

DAY = 86_400.0
ROUTING = """
version: 1
destinations:
  - name: crm
    kind: webhook
    url: ${URL}
    secrets: ["${SECRET}"]
    allow_http: true
    allow_networks: [127.0.0.0/8]
  - name: leads-only
    kind: webhook
    url: ${URL}/leads
    secrets: ["${SECRET}"]
    allow_http: true
    allow_networks: [127.0.0.0/8]
routes:
  - {name: qualified, when: {stage: mql}, to: [crm]}
  - {name: leads, when: {stage: lead, previous_stage: mql}, to: [leads-only]}
"""
# Company address 12, company 4, size 8, title 8: 32 points of fit, 13 below the line of an MQL.
WHO = {"email": ADA, "company": "Firma", "employees": 250, "title": "Head of Sales"}
KNOWN = happened("known", "person.identified", -9.0, kind="crm", source="crm", email=ADA, traits=WHO)
MAILS = [delivered(4 * DAY, mail="m1"), delivered(5 * DAY, mail="m2")]
SCANS = [*scan(4 * DAY + 1, 6, mail="m1"), *scan(5 * DAY + 1, 6, mail="m2")]


@asynccontextmanager
async def routed(database: str, receiver: Receiver) -> AsyncIterator[None]:
    """A whole router on this database, with the receiver as the CRM."""
    settings = RouterSettings.model_validate({"DATABASE_URL": database, "admin_port": 0, "drain_s": 2})
    routing = route_file.parse(ROUTING, {"URL": receiver.url, "SECRET": SECRET})
    async with situations.engine(database) as pool:
        stopping = asyncio.Event()
        whole = asyncio.create_task(
            run(router.parts(settings, routing, pool, MemoryBroker()), stopping=stopping)
        )
        try:
            yield
        finally:
            stopping.set()
            await whole


async def stages(town: MailTown) -> list[tuple[str, str, str]]:
    rows = await town.fetch("SELECT previous_stage, stage, cause FROM transitions ORDER BY lead_id, sequence")
    return [(row["previous_stage"], row["stage"], row["cause"]) for row in rows]


async def stage(town: MailTown) -> str:
    (row,) = await town.fetch("SELECT stage FROM leads WHERE merged_into IS NULL")
    return str(row["stage"])


async def test_six_links_at_delivery_on_two_days_make_nobody_an_mql(reference_town: MailTown) -> None:
    """Who fits with 32 points is a lead, whatever the order: if it was an MQL meanwhile, it was corrected."""
    for batches in orders([KNOWN, *MAILS, *SCANS]):
        await reference_town.in_batches(batches)
        assert (await stage(reference_town), await reference_town.score()) == ("lead", 32)
        assert len(await reference_town.not_counted()) == 12
        await reference_town.clean()


async def test_all_at_once_sales_never_hears_of_it(reference_town: MailTown) -> None:
    """The verdict is there before the points are."""
    await reference_town.count(KNOWN, *MAILS, *SCANS)
    assert await stages(reference_town) == [("visitor", "lead", "identified")]


async def test_a_destination_that_had_the_lead_hears_that_it_was_none(
    reference_town: MailTown, database: str
) -> None:
    """Two clicks arrive first: MQL, posted to the CRM. The rest follows: lead.corrected, with the why."""
    async with listening() as receiver, routed(database, receiver):
        await reference_town.count(KNOWN, SCANS[0])
        await reference_town.count(SCANS[6])
        assert await stage(reference_town) == "mql"
        await until(lambda: len(receiver.got) == 1)
        await reference_town.count(*MAILS, *SCANS)
        await until(lambda: len(receiver.got) == 3)
    assert await stages(reference_town) == [
        ("visitor", "lead", "identified"),
        ("lead", "mql", "score"),
        ("mql", "lead", "corrected"),
    ]
    crm = [one.content for one in receiver.got if one.path == "/hook"]
    assert [(one["type"], one["data"]["sequence"]) for one in crm] == [
        ("lead.stage_changed", 2),
        ("lead.corrected", 3),
    ]
    corrected = crm[1]["data"]
    assert (corrected["stage"], corrected["previous_stage"], corrected["score"]) == ("lead", "mql", 32)
    assert (corrected["cause"], corrected["corrected"]) == ("corrected", ["many_links"])
    (other,) = [one.content for one in receiver.got if one.path != "/hook"]
    assert other["type"] == "lead.stage_changed", "who never had the lead hears of its stage only"
    await reference_town.clean()


async def test_what_a_lead_has_earned_otherwise_is_not_taken_back(reference_town: MailTown) -> None:
    """A contact request makes the MQL as well: the clicks are taken back, the stage stays, nobody is told."""
    demo = happened(
        "demo", "form.submitted", 5 * DAY + 90, kind="form", source="forms", email=ADA,
        properties={"form": "contact"},
    )  # fmt: skip
    await reference_town.count(KNOWN, SCANS[0], SCANS[6])
    await reference_town.count(demo)
    assert await stage(reference_town) == "mql"
    before = await reference_town.score()
    await reference_town.count(*MAILS, *SCANS)
    assert await stage(reference_town) == "mql"
    assert await reference_town.score() < before
    assert ("mql", "lead", "corrected") not in await stages(reference_town)
    await reference_town.clean()


async def test_who_is_released_by_a_proof_is_qualified_again(town: MailTown) -> None:
    """A quick click is taken back when its delivery is told, and counts again after a form."""
    quick = [clicked(3.0, "/a"), clicked(DAY + 3, "/b", mail="m2")]
    await town.count(*quick)
    assert await stage(town) == "lead"
    await town.count(clicked(3 * DAY, "/c", mail="m3"))
    assert await stage(town) == "mql"
    await town.count(delivered(0), delivered(DAY, mail="m2"))
    assert (await stage(town), len(await town.not_counted())) == ("lead", 2)
    await town.count(sent_form(2 * DAY))
    assert (await stage(town), await town.not_counted()) == ("mql", {})
    assert [cause for _, _, cause in await stages(town)] == ["identified", "score", "corrected", "score"]
    await town.clean()


async def decide(town: MailTown, event: Event, *, release: bool = False) -> None:
    async with transaction(town.engine) as connection:
        by = By(name="test", note="looked at it")
        decider = EventDecider(connection=connection, counter=town.counter, by=by)
        await (decider.release if release else decider.quarantine)(EventId(event.event_id))


async def test_a_sales_fact_that_is_quarantined_takes_its_stage_back(reference_town: MailTown) -> None:
    """A deal won by mistake: the lead stands where its other events lead; released, it is a customer."""
    won = happened("won", "deal.won", DAY, kind="crm", source="crm", email=ADA, properties={"deal_id": "7"})
    await reference_town.count(KNOWN, won)
    assert await stage(reference_town) == "customer"
    await decide(reference_town, won)
    assert await stage(reference_town) == "lead"
    (row,) = await reference_town.fetch("SELECT * FROM transitions WHERE cause = 'corrected'")
    assert (row["previous_stage"], row["corrected"]) == ("customer", ["by_hand"])
    await reference_town.clean()
    await decide(reference_town, won, release=True)
    assert await stage(reference_town) == "customer"
    await reference_town.clean()


async def test_what_a_person_decided_stands(town: MailTown) -> None:
    """A click that somebody released counts whatever is found later; one quarantined by hand does not."""
    links = scan(1, 7)
    await town.count(delivered(), *links)
    await decide(town, links[0], release=True)
    kept = clicked(30 * 60)
    await town.count(kept)
    await decide(town, kept)
    await town.count(clicked(1, "/one-more", ip=GATEWAY, agent=WINDOWS), sent_form(DAY))
    reasons = await town.not_counted()
    assert links[0].extra["message"] not in reasons
    assert reasons[kept.extra["message"]] == "by_hand"
    assert sum(reason == "many_links" for reason in reasons.values()) == 7
    await town.clean()


async def test_the_signals_are_shown_with_the_event_and_the_lead(town: MailTown) -> None:
    """Whoever looks is told what speaks against each event, with its numbers."""
    await town.count(delivered(), *scan(1, 7))
    (row,) = await town.fetch("SELECT lead_id FROM leads")
    async with transaction(town.engine) as connection:
        events = await listed(connection, row["lead_id"], counting=False)
        (why,) = await quarantined(connection, row["lead_id"])
    expected = (
        "7 links of one message within 10 s of its delivery",
        "7 links of one message at the same moment",
    )
    assert set(expected) <= set(events[0].signals)
    assert (why.reason, why.number, set(expected) <= set(why.signals)) == ("many_links", 7, True)


async def test_leads_that_become_one_are_judged_together(town: MailTown) -> None:
    """A quick click of an address, a visit of a user: a login says that they are one; the click counts."""
    quick = clicked(4.0)
    events: Sequence[Event] = (
        delivered(),
        quick,
        viewed(20.0),
        happened("login", "person.identified", DAY, kind="product", source="web", user_id="u1", email=ADA),
    )
    for batches in orders(events):
        await town.in_batches(batches)
        assert await town.not_counted() == {}
        await town.clean()
