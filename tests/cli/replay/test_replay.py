"""`leadscore replay` on a real database: nothing differs unless something is broken; that is mended."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.reconcile.walk import reconcile
from services.cli.replay.walk import Findings, Wish, replay
from services.scorer.count import BatchCounter
from services.scorer.models import change_model
from services.scorer.models.in_force import ModelsInForce
from shared import database as postgres
from shared.database import transaction
from shared.errors import Invalid
from shared.ids import LeadId, SystemIds
from shared.leads.find import find
from shared.scoring.file.read import load_model
from tests.scorer.conftest import AUTHOR, MODEL
from tests.scorer.identity.people import RULES, Town, seen

pytestmark = pytest.mark.asyncio

PEOPLE = 7
BREAK = "UPDATE leads SET score = score + 5 WHERE lead_id = ANY($1::uuid[])"
OTHER = MODEL.replace("points: 30", "points: 3").replace("name: test", "name: other")


@pytest_asyncio.fixture
async def town(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    """Seven known leads with a form each, one of them two leads that merged, and a visitor."""
    engine = postgres.engine(database, application="test", pool_size=3)
    counter = BatchCounter(models=ModelsInForce(), rules=RULES, topic="t", ids=SystemIds())
    made = Town(engine=engine, counter=counter, model=load_model(MODEL, file="test.yaml"))
    await publish(made, MODEL)
    await made.count(
        *(seen(n, user_id=f"u{n}", email=f"u{n}@a.example", name="form.submitted") for n in range(PEOPLE)),
        seen(20, anonymous_id="d", name="email.clicked"),
    )
    await made.count(seen(21, user_id="u0", anonymous_id="d"), seen(22, anonymous_id="d9"))
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", RULES.key.decode())
    yield made
    await engine.dispose()


async def publish(town: Town, text: str, *, silent: bool = False) -> None:
    async with transaction(town.engine) as connection:
        name = load_model(text, file="test.yaml").name
        number = await change_model.draft(connection, (name, text, {}), AUTHOR)
        await change_model.publish(connection, number, AUTHOR, silent=silent)


async def replayed(town: Town, **wish: Any) -> Findings:
    findings = Findings()
    await replay(town.engine, Wish(**wish), findings, lambda _findings, _total: None)
    return findings


async def off(town: Town) -> dict[str, int]:
    """What reconcile finds; there are no partitions, hence no books."""
    return {
        check: n for check, n in (await reconcile(town.engine)).numbers.items() if check != "books_events"
    }


async def leads_of(town: Town, *who: str) -> list[LeadId]:
    async with transaction(town.engine) as connection:
        return [await find(connection, one, RULES) for one in who]


async def row_of(town: Town, who: str) -> dict[str, Any]:
    (row,) = await town.fetch(
        "SELECT * FROM leads WHERE lead_id = ANY($1::uuid[])", await leads_of(town, who)
    )
    return row


def run(*argv: str, exit_code: int = 0) -> str:
    words = ["replay", *argv]
    done = CliRunner().invoke(
        application(COMMANDS, words), words, catch_exceptions=False, env={"COLUMNS": "200"}
    )
    assert done.exit_code == exit_code, done.output
    return done.stdout


async def test_every_lead_comes_out_as_it_is_stored(town: Town) -> None:
    """That is what P3 promises: nothing is different, and nothing is written."""
    before = await town.fetch("SELECT * FROM leads ORDER BY lead_id")
    found = await replayed(town)
    assert (found.done.leads, found.done.events, found.done.different, found.behind) == (8, 10, 0, 0)
    assert await town.fetch("SELECT * FROM leads ORDER BY lead_id") == before


async def test_what_is_different_is_told_and_mended(town: Town) -> None:
    """How many, by how much, in what; afterwards the database is as its events say."""
    await town.fetch(BREAK, await leads_of(town, "u1", "u2"))
    await town.fetch(
        "UPDATE leads SET event_count = 9 WHERE lead_id = ANY($1::uuid[])", await leads_of(town, "u3")
    )
    await town.fetch(
        "UPDATE leads l SET state = o.state FROM leads o WHERE l.lead_id = $1 AND o.lead_id = $2",
        *await leads_of(town, "u4", "d9"),
    )
    assert set(await off(town)) == {"score", "event_count", "state"}
    checked = await replayed(town, check=True)
    assert (checked.done.different, checked.done.points, checked.most_points) == (4, 10, 5)
    assert len(await off(town)) == 3
    assert sorted(one.points for one in checked.examples) == [-5, -5, 0, 0]
    assert (await replayed(town)).done.different == 4
    assert await off(town) == {}
    assert (await replayed(town)).done.different == 0


async def test_a_state_of_another_layout_is_written_anew_and_is_no_difference(town: Town) -> None:
    """What an older release kept is refolded now, not at the next event."""
    await town.fetch(
        "UPDATE leads SET state = 'of before' WHERE lead_id = ANY($1::uuid[])", await leads_of(town, "u1")
    )
    assert (await replayed(town)).done.different == 0
    assert bytes((await row_of(town, "u1"))["state"]) != b"of before"


async def test_moves_of_a_replay_are_silent_unless_told_otherwise(town: Town) -> None:
    """Somebody was no MQL by a fault of ours: recorded, and told only if somebody says so."""
    stage = (
        "UPDATE leads SET score = 0, ledger = (SELECT ledger FROM leads WHERE lead_id = $2), stage = 'lead' "
    )
    who = await leads_of(town, "u1", "u2")
    for lead, deliver in zip(who, (False, True), strict=True):
        await town.fetch("DELETE FROM transitions WHERE lead_id = $1", lead)
        await town.fetch(
            stage + ", stage_since = now() WHERE lead_id = $1", lead, (await leads_of(town, "d9"))[0]
        )
        found = await replayed(town, lead=lead, deliver=deliver)
        assert (found.done.leads, found.done.different) == (1, 1)
        made = await town.fetch("SELECT stage, silent FROM transitions WHERE lead_id = $1", lead)
        assert {row["silent"] for row in made} == {not deliver}
        assert made[-1]["stage"] == "mql"
    assert await off(town) == {}


@pytest.mark.parametrize("silent", [True, False])
async def test_leads_of_another_version_are_brought_to_the_active_one(town: Town, *, silent: bool) -> None:
    """As the walk after a publish does, whose moves are told as the publish said; a check leaves them out."""
    await publish(town, OTHER, silent=silent)
    checked = await replayed(town, check=True)
    assert (checked.done.leads, checked.behind, checked.version) == (0, 8, 2)
    found = await replayed(town)
    assert (found.done.leads, found.done.different, found.behind) == (8, 0, 8)
    moved = await town.fetch("SELECT silent FROM transitions WHERE cause = 'model'")
    assert len(moved) >= PEOPLE - 1
    assert {row["silent"] for row in moved} == {silent}
    assert await off(town) == {}


async def test_a_replay_goes_on_where_it_was_stopped(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stopped it; its numbers are of the whole. A finished one is begun anew."""
    monkeypatch.setattr("services.cli.reconcile.read.MOST_EVENTS", 1)
    await town.fetch(BREAK, await leads_of(town, *(f"u{n}" for n in range(PEOPLE))))
    findings = Findings()

    def stop(found: Findings, total: int) -> None:
        assert total == 8
        if found.done.leads == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replay(town.engine, Wish(), findings, stop)
    found = await replayed(town)
    assert (found.goes_on, found.leads_now, found.done.leads, found.done.different) == (True, 5, 8, 7)
    assert await off(town) == {}
    again = await replayed(town)
    assert (again.goes_on, again.done.leads, again.done.different) == (False, 8, 0)


async def test_a_replay_of_long_ago_is_begun_anew(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it saw then says nothing about today."""
    monkeypatch.setattr("services.cli.replay.walk.MOST_LEADS", 2)

    def stop(_findings: Findings, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replay(town.engine, Wish(check=True), Findings(), stop)
    await town.fetch("UPDATE replays SET started_at = now() - interval '8 days'")
    found = await replayed(town, check=True)
    assert (found.goes_on, found.leads_now, found.done.leads) == (False, 8, 8)


async def test_an_event_that_cannot_be_read_costs_its_lead_alone(town: Town) -> None:
    """It is named, and left as it is; all others are mended, also where a version was published meanwhile."""
    [broken] = await leads_of(town, "u3")
    await town.fetch("UPDATE events SET body = '{}' WHERE lead_id = $1", broken)
    await town.fetch(BREAK, await leads_of(town, "u1", "u2", "u3"))
    for different in (3, 1):
        found = await replayed(town)
        assert (found.done.leads, found.done.different) == (8, different)
        [told] = [one for one in found.examples if one.unreadable]
        assert (told.lead, told.difference.partition(":")[0]) == (broken, "unreadable")
    await publish(town, OTHER)
    found = await replayed(town)
    assert (found.behind, found.done.different, len(found.examples)) == (8, 1, 1)
    behind = "SELECT lead_id FROM leads WHERE merged_into IS NULL AND model_version <> $1"
    assert await town.fetch(behind, found.version) == [{"lead_id": broken}]


async def test_a_publish_meanwhile_ends_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the leads under one version and half under another would be no answer."""
    monkeypatch.setattr("services.cli.reconcile.read.MOST_EVENTS", 1)
    told = 0

    def meanwhile(_found: Findings, _total: int) -> None:
        nonlocal told
        told += 1

    tasks: list[asyncio.Task[None]] = []
    bring = "services.cli.replay.walk._next"
    from services.cli.replay import walk

    next_leads = walk._next

    async def publishing(*given: Any) -> list[LeadId]:
        if told == 2 and not tasks:
            tasks.append(asyncio.create_task(publish(town, OTHER)))
            await tasks[0]
        return await next_leads(*given)

    monkeypatch.setattr(bring, publishing)
    with pytest.raises(Invalid, match="version 2 was published meanwhile"):
        await replay(town.engine, Wish(), Findings(), meanwhile)


async def test_the_command_says_what_came_of_it(town: Town) -> None:
    """A sentence where all is well; a table, and 1 of a check, where something is different."""
    said = await asyncio.to_thread(run)
    assert said.startswith("8 leads, 10 events under version 1")
    assert "every lead came out as it was stored" in said
    lead = await leads_of(town, "u1")
    await town.fetch(BREAK, lead)
    said = await asyncio.to_thread(lambda: run("--check", exit_code=1))
    assert (
        "1 leads came out different, by 5.0 points of score on average, 5 at most; nothing was written"
        in said
    )
    assert str(lead[0]) in said
    assert "-5" in said
    assert "written anew" in await asyncio.to_thread(run, "--lead", "u1@a.example")
    assert await off(town) == {}
