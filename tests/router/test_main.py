"""The router as a process: what it refuses, how it ends, what survives kill -9."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.router.conftest import ROUTING
from tests.router.receiver import SECRET, Receiver
from tests.router.situations import eventually_row, write_transition
from tests.waiting import until

WEBHOOK_ONLY = ROUTING.replace("  - {name: sales-queue, kind: kafka}\n", "").replace(
    "  - name: qualified\n    when: {stage: [mql, sql]}\n    to: [sales-queue]\n", ""
)
REPOSITORY = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def process(folder: Path, text: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m services.router` with this routing.yaml; gone afterwards."""
    file = folder / "routing.yaml"
    file.write_text(text, encoding="utf-8")
    one = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.router",
        env={
            "PATH": os.environ["PATH"],
            "LEADSCORE_ROUTER_ROUTING_FILE": str(file),
            "LEADSCORE_ROUTER_ADMIN_PORT": "0",
            **environment,
        },
        cwd=REPOSITORY,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield one
    finally:
        if one.returncode is None:
            one.kill()
        await one.communicate()


@pytest.mark.asyncio
async def test_mistakes_end_it_at_once_with_all_of_them(tmp_path: Path) -> None:
    """Exit code 2, file and line of each, no traceback."""
    text = ROUTING.replace("to: [crm]", "to: [crn]").replace("stage: sql}", "stage: squl}")
    async with process(tmp_path, text, URL="https://crm.example.com/", SECRET=SECRET) as one:
        _, told = await one.communicate()
    assert one.returncode == 2
    assert b'unknown destination "crn"' in told
    assert b'"squl"' in told
    assert b"Traceback" not in told


@pytest.mark.asyncio
async def test_wrong_settings_end_it_at_once(tmp_path: Path) -> None:
    """Each variable with what is wrong."""
    wrong = {"LEADSCORE_ROUTER_PLAN_BATCH": "0", "LEADSCORE_ROUTER_LEASE_S": "soon"}
    async with process(tmp_path, ROUTING, **wrong) as one:
        _, told = await one.communicate()
    assert one.returncode == 2
    assert b"LEADSCORE_ROUTER_PLAN_BATCH" in told
    assert b"LEADSCORE_ROUTER_LEASE_S" in told


@pytest.mark.asyncio
async def test_killed_between_send_and_complete_it_sends_the_same_id_again(
    database: str, receiver: Receiver, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """Kill -9 while the receiver has the body and the row does not say so: again, same webhook-id."""
    environment = {"DATABASE_URL": database, "URL": receiver.url, "SECRET": SECRET}
    receiver.hold = asyncio.Event()
    async with process(tmp_path, WEBHOOK_ONLY, **environment) as first:
        await write_transition(sql)
        await until(lambda: receiver.under_way == 1)
        first.send_signal(signal.SIGKILL)
        await first.wait()
    receiver.hold.set()
    await sql.execute("UPDATE deliveries SET lease_until = now() - interval '1 second'")
    async with process(tmp_path, WEBHOOK_ONLY, **environment) as second:
        await eventually_row(sql, "SELECT 1 FROM deliveries WHERE state = 'delivered'")
        second.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await second.wait() == 0
    assert len(receiver.got) == 2
    assert len({(got.id, got.body) for got in receiver.got}) == 1


@pytest.mark.asyncio
async def test_sigterm_under_load_makes_no_duplicates(
    database: str, receiver: Receiver, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """A rolling deploy: what was sent is recorded, the next process does the rest, each exactly once."""
    for _ in range(150):
        await write_transition(sql)
    environment = {"DATABASE_URL": database, "URL": receiver.url, "SECRET": SECRET}
    async with process(tmp_path, WEBHOOK_ONLY, **environment) as first:
        await until(lambda: len(receiver.got) > 20)
        first.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await first.wait() == 0
    assert await sql.fetchval("SELECT count(*) FROM deliveries WHERE state = 'claimed'") == 0
    so_far = len(receiver.got)
    assert so_far < 150
    async with process(tmp_path, WEBHOOK_ONLY, **environment):
        await eventually_row(
            sql, "SELECT 1 FROM deliveries HAVING count(*) FILTER (WHERE state = 'delivered') = 150"
        )
    assert len(receiver.got) == len({got.id for got in receiver.got}) == 150
