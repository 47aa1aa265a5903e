"""`leadscore migrate`: bring the schema to a revision.

In: a database URL and a revision. Out: tables as deploy/migrations describes them.
Refuses to run twice at the same time: a second migrator waits for the first (advisory lock).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from asyncpg import InsufficientPrivilegeError, UndefinedTableError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import engine, transaction
from shared.deployed import DEPLOY
from shared.errors import Misconfigured, Transient
from shared.settings import DatabaseSettings, load

_WAIT_S: Final = 600.0
_LOOK_S: Final = 1.0
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
    try:
        asyncio.run(at_head(url)) if wait else upgrade(url, revision)
    except OSError as error:
        raise Transient(f"Postgres is away ({type(error).__name__}): is DATABASE_URL right?") from error
    except DBAPIError as error:
        _refuse(error)
        raise
    typer.echo(f"the schema is at {head() if revision == 'head' else revision}")


def _refuse(error: DBAPIError) -> None:
    """Raise Misconfigured if what an operator has to change is the user's rights."""
    reason = error.orig and error.orig.__cause__
    if isinstance(reason, InsufficientPrivilegeError):
        remedy = "ALTER DATABASE … OWNER TO … gives them: the user of DATABASE_URL has to own its database."
        raise Misconfigured(
            "Postgres refuses to migrate for want of rights:", [f"{reason}. {remedy}"]
        ) from error


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate upwards. Blocking, and with an event loop of its own: call it from a thread if you have one."""
    command.upgrade(_config(url), revision)


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
