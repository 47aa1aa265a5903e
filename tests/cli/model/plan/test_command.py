"""`leadscore model plan` on a real Postgres: what it foretells is what happens."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from services.cli.model.plan import crew, processes
from services.scorer.models import first_model
from shared import database as postgres
from shared.errors import Invalid, Misconfigured
from shared.events import Machine
from tests.cli.model.conftest import Run, count, rescored
from tests.scorer.conftest import KEY, MODEL, event

DEARER = MODEL.replace("points: 15", "points: 32").replace("half_life: 14d", "half_life: 7d")
ROUTES = """
version: 1
destinations:
  - {name: sales, kind: kafka}
  - {name: crm, kind: webhook, url: "${LEADSCORE_CRM_WEBHOOK_URL}", secrets: ["${LEADSCORE_WEBHOOK_SECRET}"]}
routes:
  - {name: qualified, when: {stage: mql}, to: [sales, crm]}
"""


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A file in which a click is worth more, and a page view fades sooner."""
    written = tmp_path / "draft.yaml"
    written.write_text(DEARER)
    return written


@pytest_asyncio.fixture
async def people(database: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Thirty people who did this and that, two of whom turned out to be one; visitors; machines."""
    happened = [
        event(
            f"{person}-{act}", name=name, email=f"p{person}@example.com", age=timedelta(days=person % 9 + act)
        )
        for person in range(30)
        for act, name in enumerate(
            ("page.viewed", "email.clicked", "form.submitted", "page.viewed")[: person % 5]
        )
    ]
    happened += [event(f"v{n}", anonymous_id=f"cookie-{n}") for n in range(7)]
    happened += [
        event("m1", name="email.clicked", anonymous_id="shared", age=timedelta(days=5)),
        event("m2", name="person.identified", anonymous_id="shared", email="p6@example.com"),
        event("bot", name="email.clicked", email="p7@example.com", machine=Machine(reason="scanner")),
        *(
            event(
                f"trap{n}", name="form.submitted", email=f"bot{n}@example.com", machine=Machine(reason="trap")
            )
            for n in range(3)
        ),
    ]
    engine = postgres.engine(database, application="test", pool_size=1)
    await first_model.ensure_first_model(engine, file)
    await count(engine, happened)
    await engine.dispose()
    routing = tmp_path / "routing.yaml"
    routing.write_text(ROUTES)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("LEADSCORE_IDENTITY_KEY", KEY.decode())
    monkeypatch.setenv("LEADSCORE_ROUTER_ROUTING_FILE", str(routing))
    monkeypatch.chdir(tmp_path)
    for name in ("LEADSCORE_CRM_WEBHOOK_URL", "LEADSCORE_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return database


async def fetch(database: str, sql: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def leads(database: str) -> dict[str, tuple[str, int, str]]:
    rows = await fetch(database, "SELECT * FROM leads WHERE known AND merged_into IS NULL")
    return {str(row["lead_id"]): (row["stage"], row["score"], row["grade"]) for row in rows}


def planned(run: Run, *argv: str) -> dict[str, Any]:
    ended = run("model", "plan", *argv, "--json", "plan.json", "--no-html")
    assert ended.exit_code == 0, ended.exception or ended.output
    found: dict[str, Any] = json.loads(Path("plan.json").read_bytes())
    return found


def test_what_the_plan_foretells_is_what_publishing_does(people: str, draft: Path, run: Run) -> None:
    """Stage by stage, score by score, grade by grade, and as many transitions as the burst says."""
    plan = planned(run, str(draft))
    before = asyncio.run(leads(people))
    assert run("model", "publish", str(draft), "--route", "--no-wait").exit_code == 0
    asyncio.run(rescored(people))
    after = asyncio.run(leads(people))

    flow = Counter((before[lead][0], after[lead][0]) for lead in before)
    foretold = {(was, now): n for was, ways in plan["matrix"].items() for now, n in ways.items() if n}
    assert foretold == flow
    assert plan["moved"] == sum(n for (was, now), n in flow.items() if was != now) > 3
    assert (plan["leads"], plan["compared"]["anonymous"]) == (len(before), 7)
    for mover in plan["movers"]:
        assert mover["scores"] == [before[mover["lead"]][1], after[mover["lead"]][1]]
        assert mover["grades"] == [before[mover["lead"]][2], after[mover["lead"]][2]]
    caused = asyncio.run(fetch(people, "SELECT stage FROM transitions WHERE cause = 'model'"))
    [queue] = [load for load in plan["load"] if load["queue"] == "sales"]
    assert queue["burst"] == sum(row["stage"] == "mql" for row in caused) > 3


def test_a_draft_equal_to_the_active_model_changes_nothing(people: str, file: Path, run: Run) -> None:
    """Said in words, with exit code 0; another spelling of the same model is the same model."""
    file.write_text(MODEL + "\n# a comment\n")
    ended = run("model", "plan", str(file))
    assert ended.exit_code == 0
    assert "Publishing this changes nothing" in " ".join(ended.output.split())
    assert planned(run, str(file))["changes_nothing"] is True


def test_the_number_of_workers_changes_nothing(people: str, draft: Path, run: Run) -> None:
    """One worker and three find the same, but for the moment of looking."""
    one, three = planned(run, str(draft), "--workers", "1"), planned(run, str(draft), "--workers", "3")
    one["compared"].pop("at")
    three["compared"].pop("at")
    assert one == three


def test_a_page_is_written_and_named(people: str, draft: Path, run: Run) -> None:
    """By default plan.html here; the text says what and where."""
    told = " ".join(run("model", "plan", str(draft)).output.split())
    assert "If you publish this now: " in told
    assert "The page with plots: plan.html" in told
    assert "off: no address here" in told
    assert Path("plan.html").read_text().startswith("<!doctype html>")


def test_addresses_only_for_those_who_ask(people: str, draft: Path, run: Run) -> None:
    """Nothing that is written holds an address unless --emails is given."""
    ended = run("model", "plan", str(draft), "--json", "plan.json")
    for written in (ended.output, Path("plan.html").read_text(), Path("plan.json").read_text()):
        assert "@example.com" not in written
    run("model", "plan", str(draft), "--emails")
    assert "@example.com" in Path("plan.html").read_text()


def test_without_days_there_is_no_load(people: str, draft: Path, run: Run) -> None:
    """--days 0 asks what happens at once; queues are told with their burst."""
    plan = planned(run, str(draft), "--days", "0")
    assert [(load["days"], load["burst"] > 0) for load in plan["load"]] == [([], True)] * 2


@pytest.mark.parametrize("named", ["99", "nowhere.yaml"])
def test_a_draft_that_is_not_there_is_refused(people: str, run: Run, named: str) -> None:
    """An unknown version or file ends with a message, and nothing is replayed."""
    assert isinstance(run("model", "plan", named).exception, Invalid | Misconfigured)


def test_a_worker_that_dies_ends_the_plan(
    people: str, draft: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message tells the exit code; nothing is left waiting."""
    monkeypatch.setattr(processes, "MODULE", "this_module_does_not_exist")
    ended = run("model", "plan", str(draft))
    assert isinstance(ended.exception, crew.WorkerDiedError)
    assert "ended with code 1" in str(ended.exception)
