"""A look at neighbours that breaks our code: it loses no event, and holds nobody else up."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from services.scorer.judge.judge import Judge
from services.scorer.judge.thresholds import Thresholds
from shared.database import transaction
from shared.leads.identifiers import IdentityRules
from tests.books import balanced
from tests.scorer.conftest import KEY, Scorer, World, event
from tests.scorer.identity.people import decoded
from tests.scorer.judge.mails import MailTown, clicked

pytestmark = pytest.mark.asyncio

KUNDE, OTHER = "kunde.example", "other.example"
BREAK = """
UPDATE leads SET ledger = 'broken' WHERE lead_id = (
  SELECT lead_id FROM events WHERE convert_from(body, 'UTF8')::jsonb ->> 'email' = $1 LIMIT 1)
"""


async def crowd_unseen(town: MailTown, company: str) -> list[str]:
    """Three of a company click, in batches of which none looks at the others; returns their messages."""
    made = [clicked(600, who=f"{name}@{company}") for name in ("bo", "cy", "di")]
    for one in made:
        async with transaction(town.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            await town.counter.count(connection, [decoded(one)], now=now)
            # As if the other two were not committed yet.
            await connection.execute("UPDATE domain_clicks SET crowded = false")
            await connection.execute("UPDATE events SET quarantine = NULL")
            await connection.execute("DELETE FROM event_verdicts")
    return [one.extra["message"] for one in made]


async def test_a_lead_that_breaks_us_is_passed_by(town: MailTown) -> None:
    """One lead with an unreadable ledger: its neighbours are judged, and so is every other company."""
    broken, *others = await crowd_unseen(town, KUNDE)
    others += await crowd_unseen(town, OTHER)
    await town.fetch(BREAK, f"bo@{KUNDE}")
    with capture_logs() as lines:
        await town.neighbours.work_off()
    assert set(await town.not_counted()) == set(others)
    assert await town.fetch("SELECT 1 FROM domain_clicks WHERE NOT (looked AND crowded)") == []
    told = [(line["event"], line["error"]) for line in lines if line["log_level"] == "error"]
    assert told == [("scorer.neighbours_broke", "DecodeError"), ("scorer.neighbour_passed_by", "DecodeError")]
    assert broken not in str(lines)


async def test_who_was_passed_by_is_judged_with_its_next_event(town: MailTown) -> None:
    """Its click stays marked: once the lead can be read again, whatever is new of it finds that."""
    made = await crowd_unseen(town, KUNDE)
    (before,) = await town.fetch(
        f"{BREAK} RETURNING lead_id, (SELECT ledger FROM leads l WHERE l.lead_id = leads.lead_id) AS ledger",
        f"bo@{KUNDE}",
    )
    await town.neighbours.work_off()
    await town.fetch("UPDATE leads SET ledger = $2 WHERE lead_id = $1", before["lead_id"], before["ledger"])
    await town.count(clicked(900, who=f"bo@{KUNDE}"))
    assert await town.not_counted() == dict.fromkeys(made, "neighbours")


async def test_trouble_with_postgres_is_no_leads_fault(town: MailTown) -> None:
    """Somebody holds a lead for too long: nobody is passed by, the clicks are looked at later."""
    made = await crowd_unseen(town, KUNDE)
    async with transaction(town.engine) as connection:
        await connection.execute("SELECT FROM leads FOR UPDATE")
        with capture_logs() as lines:
            await town.neighbours.work_off()
    assert [line["event"] for line in lines] == ["scorer.neighbours_postponed"]
    assert await town.not_counted() == {}
    await town.neighbours.work_off()
    assert await town.not_counted() == dict.fromkeys(made, "neighbours")


async def ended(scorer: Scorer) -> BaseException | None:
    """What ended this scorer's loop."""
    assert scorer.task is not None
    await asyncio.wait({scorer.task}, timeout=20)
    task, scorer.task = scorer.task, None
    return task.exception()


@pytest.mark.parametrize("part", ["neighbours", "regroup"])
async def test_what_a_batch_asks_for_cannot_undo_it(
    world: World, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks after the commit may end the process; what was counted is no dead letter besides."""

    async def breaks(**_others: object) -> None:
        raise ZeroDivisionError

    scorer = world.scorer()
    scorer.consumer.counter.judge = Judge(Thresholds(), IdentityRules(key=KEY))
    monkeypatch.setattr(getattr(scorer.consumer, part), "work_off", breaks)
    await scorer.start()
    await world.send([event("b", user_id="b", email="x@x.example")])
    await world.until_taken(1)
    earlier = event("a", user_id="a", email="x@x.example", name="email.clicked", age=timedelta(hours=1))
    await world.send([earlier])
    assert isinstance(await ended(scorer), ZeroDivisionError)
    books = await world.books()
    assert balanced(books)
    assert (books["counted"], books["dead_lettered"]) == (2, 0)
    await world.scorer().start()
    await world.send([event("later", user_id="c")])
    books = await world.until_taken(3)
    assert (books["counted"], books["duplicate"], books["dead_lettered"]) == (3, 0, 0)
