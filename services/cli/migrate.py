"""`leadscore migrate`: bring the schema to a revision.

In: a database URL and a revision. Out: tables as deploy/migrations describes them. A schema of a newer
release is left alone: this one runs on it, so that the newer one can be taken back.
Refuses to run twice at the same time: a second migrator waits for the first (advisory lock). And to make
everybody wait behind it: a lock that a long reader holds is asked for again and again, for two seconds each.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from asyncpg import InsufficientPrivilegeError, LockNotAvailableError, UndefinedTableError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import engine, transaction
from shared.deployed import DEPLOY
from shared.errors import Misconfigured, Transient
from shared.settings import DatabaseSettings, load

_WAIT_S: Final = 600.0
_LOOK_S: Final = 1.0
_IN_USE: Final = """
SELECT string_agg(format('%s (pid %s)', coalesce(nullif(application_name, ''), usename), pid), ', ') FROM (
  SELECT application_name, usename, pid FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < now() - interval '1 second'
  ORDER BY xact_start LIMIT 3
) AS longest
"""
MIGRATIONS = DEPLOY / "migrations"


def migrate(
    revision: Annotated[str, typer.Argument(help="The revision to go to.")] = "head",
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Change nothing: wait until somebody else has brought it to head.")
    ] = False,
) -> None:
    """Bring the database's schema to a revision, upwards."""
    url = load(DatabaseSettings).database_url.get_secret_value()
    reached = head() if revision == "head" else revision
    try:
        if wait:
            asyncio.run(at_head(url))
        else:
            reached = upgrade(url, revision)
    except OSError as error:
        raise Transient(f"Postgres is away ({type(error).__name__}): is DATABASE_URL right?") from error
    except DBAPIError as error:
        _refuse(error)
        raise
    typer.echo(f"the schema is at {reached}")


def _refuse(error: DBAPIError) -> None:
    """Raise Misconfigured if what an operator has to change is the user's rights."""
    reason = _reason(error)
    if isinstance(reason, InsufficientPrivilegeError):
        remedy = "ALTER DATABASE … OWNER TO … gives them: the user of DATABASE_URL has to own its database."
        raise Misconfigured(
            "Postgres refuses to migrate for want of rights:", [f"{reason}. {remedy}"]
        ) from error


def upgrade(
    url: str,
    revision: str = "head",
    *,
    within_s: float = _WAIT_S,
    say: Callable[[str], None] = typer.echo,
) -> str:
    """Migrate upwards; where the schema is then, in words.

    Blocking, and with an event loop of its own: call it from a thread if you have one.

    say: is told what is waited for

    Raises Transient if somebody holds a table for that long, Misconfigured for a revision that is none.
    """
    deadline, said = time.monotonic() + within_s, ""
    while True:
        try:
            command.upgrade(_config(url), revision)
        except CommandError as error:
            return _newer(error, revision)
        except DBAPIError as error:
            if not isinstance(_reason(error), LockNotAvailableError):
                raise
            waiting = f"a table is in use by {asyncio.run(_users(url))}."
            if time.monotonic() > deadline:
                raise Transient(f"{waiting} End them, or migrate later.") from error
            if waiting != said:
                say(f"waiting: {waiting}")
                said = waiting
            time.sleep(_LOOK_S)
        else:
            return head() if revision == "head" else revision


def _newer(error: CommandError, revision: str) -> str:
    """What to say of a schema at an unknown revision; raises Misconfigured if we were asked for that."""
    unknown = error.__cause__
    if revision == "head" and isinstance(unknown, ResolutionError):
        return f"{unknown.argument}, which is newer than this release ({head()}): nothing to do"
    raise Misconfigured(
        "There is nothing to migrate to:", [f"{error}. The newest revision is {head()}"]
    ) from error


def _reason(error: DBAPIError) -> BaseException | None:
    """What the driver said."""
    return error.orig and error.orig.__cause__


async def _users(url: str) -> str:
    """Who has been in a transaction for longest, as far as we may see."""
    pool = engine(url, application="leadscore-migrate", pool_size=1)
    try:
        async with transaction(pool) as connection:
            return str(await connection.fetchval(_IN_USE) or "somebody who is gone by now")
    finally:
        await pool.dispose()


def downgrade(url: str, revision: str) -> None:
    """Migrate downwards; for tests and for the brave."""
    command.downgrade(_config(url), revision)


async def at_head(url: str, *, within_s: float = _WAIT_S, say: Callable[[str], None] = typer.echo) -> None:
    """Return when the schema is at our head, or at one that we do not know because it is newer.

    say: is told what is waited for, whenever that changes

    Raises Transient if it is not there within the time.
    """
    older = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()} - {head()}
    pool = engine(url, application="leadscore-migrate", pool_size=1)
    deadline, said = time.monotonic() + within_s, ""
    try:
        while lacking := await _lacking(pool, older):
            if time.monotonic() > deadline:
                raise Transient(f"{lacking} Run leadscore migrate.")
            if lacking != said:
                say(f"waiting: {lacking}")
                said = lacking
            await asyncio.sleep(_LOOK_S)
    finally:
        await pool.dispose()


async def _lacking(pool: AsyncEngine, older: set[str]) -> str:
    """Why the schema is not new enough, empty if it is."""
    try:
        async with transaction(pool) as connection:
            seen = await connection.fetchval("SELECT version_num FROM alembic_version")
    except UndefinedTableError:
        seen = None
    except Transient as error:
        return str(error)
    return f"The schema is at {seen or 'nothing'}, not at {head()}." if seen in older | {None} else ""


def head() -> str:
    """The newest revision that this version knows."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = url
    return config
