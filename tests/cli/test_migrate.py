"""Migrations: from nothing to the newest, back, and forth again."""

import asyncio
import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import make_url

from services.cli.migrate import at_head, downgrade, head, migrate, upgrade
from shared.errors import Misconfigured, Transient
from tests.waiting import until

HIDDEN = "a-password-that-nobody-prints"
SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'events\\_%'
ORDER BY table_name, column_name
"""
LONG = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'a long report' AND datname = current_database()
  AND xact_start < now() - interval '1 second'
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def execute(url: str, sql: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(run())


def test_down_and_up_again_gives_the_same_schema(database: str) -> None:
    """The whole way down leaves nothing of ours, and the way up again the same tables and indexes."""
    before = query(database, SHAPE), query(database, INDEXES)
    assert before[0]
    downgrade(database, "base")
    assert {row[0] for row in query(database, SHAPE)} == {"alembic_version"}
    upgrade(database)
    assert (query(database, SHAPE), query(database, INDEXES)) == before


def test_the_newest_revision_follows_from_the_one_before(database: str) -> None:
    """One step down and one step up: an upgrade of a running installation."""
    before = query(database, SHAPE)
    downgrade(database, "-1")
    upgrade(database)
    assert query(database, SHAPE) == before
    assert query(database, "SELECT version_num FROM alembic_version") == [(head(),)]


def test_two_migrators_at_once_do_not_meet(database: str) -> None:
    """Two processes that migrate at the same moment both end well: one waits for the other."""
    downgrade(database, "base")

    command = [sys.executable, "-m", "services.cli", "migrate"]
    running = [subprocess.Popen(command, env={**os.environ, "DATABASE_URL": database}) for _ in range(2)]
    assert [one.wait(timeout=60) for one in running] == [0, 0]
    assert query(database, "SELECT version_num FROM alembic_version") == [(head(),)]


def test_waiting_ends_when_the_schema_is_there(database: str) -> None:
    """A pod that waits goes on when the job has migrated, and changes nothing itself."""

    async def wait() -> None:
        waiting = asyncio.create_task(at_head(database))
        await asyncio.to_thread(downgrade, database, "-1")
        await asyncio.to_thread(upgrade, database)
        await waiting

    downgrade(database, "-1")
    with pytest.raises(Transient, match=rf"not at {head()}\. Run leadscore migrate"):
        asyncio.run(at_head(database, within_s=0))
    asyncio.run(wait())


def test_an_old_process_does_not_wait_for_its_own_schema(database: str) -> None:
    """A release that is rolled back runs on the newer schema: a revision that it does not know is enough."""

    async def stamp() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE alembic_version SET version_num = 'of the next release'")
        await connection.close()

    asyncio.run(stamp())
    asyncio.run(at_head(database, within_s=0))


def test_an_old_release_leaves_a_newer_schema_alone(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken back, it migrates before its start as ever: there is nothing to do, and that is no failure."""
    monkeypatch.setenv("DATABASE_URL", database)
    execute(database, "UPDATE alembic_version SET version_num = 'of the next release'")
    migrate(revision="head", wait=False)
    assert f"at of the next release, which is newer than this release ({head()})" in capsys.readouterr().out


def test_a_revision_that_is_none_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the newest one that there is."""
    monkeypatch.setenv("DATABASE_URL", database)
    with pytest.raises(Misconfigured, match=f"nothing to migrate to:.*\n.*9999.*newest revision is {head()}"):
        migrate(revision="9999", wait=False)


def test_a_table_that_is_read_is_waited_for(database: str) -> None:
    """By asking again: nobody else waits long behind a migration. Who holds it is said."""

    async def both(said: list[str], within_s: float) -> None:
        name = {"application_name": "a long report"}
        reader, watcher = (
            await asyncpg.connect(database, server_settings=name),
            await asyncpg.connect(database),
        )

        async def is_long() -> bool:
            return bool(await watcher.fetchval(LONG))

        try:
            async with reader.transaction():
                await reader.execute("SELECT count(*) FROM deliveries")
                await until(is_long)
                upgrading = asyncio.create_task(
                    asyncio.to_thread(upgrade, database, within_s=within_s, say=said.append)
                )
                await until(lambda: bool(said) or upgrading.done())
            await upgrading
        finally:
            await asyncio.gather(reader.close(), watcher.close())

    downgrade(database, "-1")
    told: list[str] = []
    with pytest.raises(Transient, match=r"in use by a long report \(pid \d+\)\. End them, or"):
        asyncio.run(both([], within_s=0))
    asyncio.run(both(told, within_s=60))
    assert [said.partition(" (")[0] for said in told] == ["waiting: a table is in use by a long report"]
    assert query(database, "SELECT version_num FROM alembic_version") == [(head(),)]


def test_an_empty_database_is_waited_for(database: str) -> None:
    """Before the first migration there is no revision at all."""
    downgrade(database, "base")
    with pytest.raises(Transient, match="The schema is at nothing"):
        asyncio.run(at_head(database, within_s=0))


@pytest.mark.parametrize(
    ("user", "name", "said"),
    [
        ("postgres", "not_there", 'database "not_there" does not exist'),
        ("nobody_of_ours", "postgres", 'role "nobody_of_ours" does not exist'),
    ],
)
def test_a_postgres_that_does_not_let_us_in_is_told(
    database: str, user: str, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with what Postgres says and where to look, and no traceback."""
    url = make_url(database).set(username=user, database=name).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(Transient, match=f"does not let us in: {said}. DATABASE_URL has"):
        migrate(revision="head", wait=False)


@pytest.mark.parametrize(
    "url", [f"'postgresql://a:{HIDDEN}@db/x'", "db.example.com", f"postgresql://a:{HIDDEN}@db:port/x"]
)
def test_what_is_no_url_is_a_mistake_and_stays_secret(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In quotes where nobody takes them off, a bare name, a port of letters: how it is written right."""
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(Misconfigured, match=r"DATABASE_URL is no URL:\n  postgresql://user:") as told:
        migrate(revision="head", wait=False)
    assert HIDDEN not in str(told.value)


def test_a_user_without_rights_cannot_migrate(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since PostgreSQL 15 only the owner of a database may create in it: said, with what would help."""
    role = f"tenant_{uuid4().hex[:8]}"
    downgrade(database, "base")
    execute(database, f"CREATE ROLE {role} LOGIN; DROP TABLE alembic_version")
    try:
        url = make_url(database).set(username=role).render_as_string(hide_password=False)
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(Misconfigured, match=r"permission denied for schema public\. ALTER DATABASE"):
            migrate(revision="head", wait=False)
    finally:
        execute(database, f"DROP ROLE {role}")


def test_events_have_their_months_ahead(database: str) -> None:
    """The present month and the next three have a partition; asking again makes nothing twice."""
    months = query(database, "SELECT count(*) FROM pg_class WHERE relname ~ '^events_[0-9]{4}_[0-9]{2}$'")
    assert months == [(4,)]
    assert query(database, "SELECT ensure_event_partitions(3)") == [(0,)]


@pytest.mark.parametrize("column", ["score", "state", "scored_at", "event_count", "last_seen_at", "due_at"])
def test_no_column_that_changes_per_event_is_indexed(database: str, column: str) -> None:
    """An index on a hot column of leads would end HOT updates (measured: +50 % CPU)."""
    definitions = [
        definition for name, definition in query(database, INDEXES) if " ON public.leads " in definition
    ]
    assert definitions
    assert not any(f"({column}" in definition or f", {column}" in definition for definition in definitions)
