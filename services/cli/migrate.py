"""`leadscore migrate`: bring the schema to a revision.

In: a database URL and a revision. Out: tables as deploy/migrations describes them.
Refuses to run twice at the same time: a second migrator waits for the first (advisory lock).
"""

from typing import Annotated

import typer
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from shared.deployed import DEPLOY
from shared.errors import Transient
from shared.settings import DatabaseSettings, load

MIGRATIONS = DEPLOY / "migrations"


def migrate(
    revision: Annotated[str, typer.Argument(help="The revision to go to.")] = "head",
) -> None:
    """Bring the database's schema to a revision, upwards."""
    try:
        upgrade(load(DatabaseSettings).database_url.get_secret_value(), revision)
    except OSError as error:
        raise Transient(f"Postgres is away ({type(error).__name__}): is DATABASE_URL right?") from error
    typer.echo(f"the schema is at {head() if revision == 'head' else revision}")


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate upwards. Blocking, and with an event loop of its own: call it from a thread if you have one."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Migrate downwards; for tests and for the brave."""
    command.downgrade(_config(url), revision)


def head() -> str:
    """The newest revision that this version knows."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = url
    return config
