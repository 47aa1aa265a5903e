"""History through the real path: ingest's checks, Kafka, the scorer, Postgres, the router."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import asdict

from services.cli.imports import progress as kept
from shared.codec import decode
from tests.cli.imports.rows import ROWS, comma, jsonl
from tests.installation import CRM_KEY, PRODUCT_KEY, ROOT, Installation
from tests.waiting import until

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

PEOPLE = 300


def command(file: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", "import", str(file), "--source", "product", *options]


def environment(leadscore: Installation) -> dict[str, str]:
    return {**os.environ, **leadscore.scorer.environment}


async def run(leadscore: Installation, file: Path, *options: str, exit_code: int = 0) -> str:
    """`leadscore import …` as somebody types it."""
    done = await asyncio.to_thread(
        subprocess.run,
        command(file, *options),
        cwd=ROOT,
        env=environment(leadscore),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == exit_code, done.stderr
    return done.stdout


def history(number: int) -> list[dict[str, Any]]:
    """Years of deeds, in order of time; everybody says early who they are."""
    start = datetime(2022, 1, 1, tzinfo=UTC)
    return [
        {
            "event": "person.identified" if n < PEOPLE else "Report Exported",
            "user_id": f"u{n % PEOPLE}",
            "occurred_at": (start + timedelta(hours=n)).isoformat(),
            "properties": {"n": n},
            **({"traits": {"email": f"u{n % PEOPLE}@firm.example"}} if n < PEOPLE else {}),
        }
        for n in range(number)
    ]


async def test_killed_in_the_middle_and_imported_twice_it_counts_once(
    leadscore: Installation, tmp_path: Path
) -> None:
    """Kill -9 between two chunks, the same command again, then all of it once more."""
    number = 12_000
    file = jsonl(tmp_path / "history.jsonl", history(number))
    place = kept.beside(file, "product")
    process = await asyncio.create_subprocess_exec(
        *command(file, "--ahead", "1000"), cwd=ROOT, env=environment(leadscore)
    )
    await until(lambda: place.exists() and json.loads(place.read_bytes())["rows"] > 0, within_s=60)
    process.kill()
    await process.wait()
    done = json.loads(place.read_bytes())
    assert 0 < done["rows"] < number, "killed too late to interrupt anything"

    said = await run(leadscore, file)
    assert f"{number:,} rows, {number:,} events sent, 0 rejected" in said
    assert "imported already" in await run(leadscore, file)
    # A month and more later: the mark of the import, not its age, makes a copy a copy.
    await leadscore.fetch(
        "UPDATE events SET received_at = received_at - interval '300 days' WHERE event_id IN "
        "(SELECT event_id FROM events LIMIT 500) RETURNING 1"
    )
    assert f"{number:,} events sent" in await run(leadscore, file, "--again")
    await until(lambda: leadscore.taken(2 * number), within_s=120)
    books = await leadscore.books()
    assert (books["counted"], books["dead_lettered"], books["quarantined"]) == (number, 0, 0)
    rows = await leadscore.fetch("SELECT convert_from(body, 'UTF8') AS body FROM events")
    assert sorted(json.loads(row["body"])["properties"]["n"] for row in rows) == list(range(number))
    leads = await leadscore.fetch("SELECT event_count FROM leads WHERE merged_into IS NULL")
    assert [row["event_count"] for row in leads] == [number // PEOPLE] * PEOPLE
    assert await leadscore.off() == []


async def test_an_import_is_what_the_same_calls_would_have_been(
    leadscore: Installation, tmp_path: Path
) -> None:
    """What ingest makes of a call and what an import makes of the row are one event, but for the mark."""
    at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    call = {
        "event": "Report Exported",
        "userId": "u1",
        "messageId": "m1",
        "timestamp": at,
        "properties": {"pages": 3},
        "context": {
            "traits": {"email": "Ada@Engines.example"},
            "page": {"url": "https://x.example/?utm_source=y"},
        },
    }
    async with httpx.AsyncClient(auth=(PRODUCT_KEY, "")) as client:
        assert (await client.post(f"{leadscore.ingest}/v1/track", json=call)).status_code == 200
    await until(lambda: leadscore.counted(1), within_s=60)
    file = jsonl(
        tmp_path / "archive.jsonl", [{**call, "type": "track"}, {**call, "type": "track", "messageId": "m2"}]
    )
    await run(leadscore, file)
    await until(lambda: leadscore.taken(3), within_s=60)
    assert (await leadscore.books())["counted"] == 2
    live, imported = sorted(
        (decode(row["body"]) for row in await leadscore.fetch("SELECT body FROM events")),
        key=lambda event: event.imported or "",
    )
    differ = {name for name, value in asdict(live).items() if asdict(imported)[name] != value}
    assert differ == {"event_id", "received_at", "imported"}


async def qualify(leadscore: Installation, file: Path, *options: str) -> list[dict[str, Any]]:
    """Import a history that makes an MQL and a customer's deal; the transitions it made."""
    rows = [
        {**ROWS[0], "traits": {**ROWS[0]["traits"], "employees": 500, "title": "Head of Sales"}},
        *({**ROWS[2], "user_id": 7, "message_id": f"f{n}"} for n in range(3)),
    ]
    # All of one day, whenever the test runs: what a limit pays per day is paid once.
    morning = (datetime.now(UTC) - timedelta(days=1)).replace(hour=9)
    recent = [
        {**row, "occurred_at": (morning + timedelta(hours=n)).isoformat()} for n, row in enumerate(rows)
    ]
    await run(leadscore, jsonl(file, recent), *options)
    await until(lambda: leadscore.taken(len(rows)), within_s=60)
    return await leadscore.fetch("SELECT stage, silent, planned_for FROM transitions ORDER BY sequence")


async def test_history_wakes_nobody(leadscore: Installation, tmp_path: Path) -> None:
    """What an import moves is recorded; what somebody does later is told as ever."""
    made = await qualify(leadscore, tmp_path / "history.jsonl")
    assert made[-1]["stage"] == "mql"
    assert {row["silent"] for row in made} == {True}
    call = {"event": "lead.qualified", "userId": "c1", "context": {"traits": {"email": ROWS[2]["email"]}}}
    async with httpx.AsyncClient(auth=(CRM_KEY, "")) as client:
        assert (await client.post(f"{leadscore.ingest}/v1/track", json=call)).status_code == 200
    await until(lambda: bool(leadscore.receiver.hits), within_s=60)
    (told,) = [json.loads(hit.body)["data"] for hit in leadscore.receiver.hits]
    assert (told["previous_stage"], told["stage"]) == ("mql", "sql")
    assert await leadscore.off() == []


async def test_history_may_wake_everybody(leadscore: Installation, tmp_path: Path) -> None:
    """`--deliver`: destinations are told what it moves, as of any event."""
    made = await qualify(leadscore, tmp_path / "history.jsonl", "--deliver")
    assert {row["silent"] for row in made} == {False}
    await until(lambda: bool(leadscore.receiver.hits), within_s=60)
    assert json.loads(leadscore.receiver.hits[0].body)["data"]["stage"] == "mql"


async def test_two_formats_are_one_history(leadscore: Installation, tmp_path: Path) -> None:
    """The table after the lines adds nothing; its bad row is kept beside it, and the exit code says so."""
    await run(leadscore, jsonl(tmp_path / "history.jsonl"))
    table = comma(tmp_path / "history.csv")
    with table.open("a") as file:
        file.write("nobody,,,\n")
    assert "1 rejected" in await run(leadscore, table, exit_code=1)
    await until(lambda: leadscore.taken(2 * len(ROWS)), within_s=60)
    books = await leadscore.books()
    assert (books["counted"], books["duplicate"]) == (len(ROWS), len(ROWS))
    (line,) = (tmp_path / "history.csv.product.rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == {"event": "nobody"}
