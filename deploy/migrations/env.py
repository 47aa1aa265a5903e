"""How alembic reaches our database: asyncpg, one transaction per revision, one migrator at a time.

In: the URL that services/cli/migrate.py puts into alembic's config. Out: a schema at that revision.
Refuses offline mode (SQL to a file): our migrations read the clock for the event partitions.
"""

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.database import connector, driver_url

# Any constant will do; it only has to be the same in every process that migrates.
_MIGRATION_LOCK = 7_226_154_001
_LOOK_S = 0.2


def _migrate(connection: Connection) -> None:
    # Everybody who wants that table waits behind us; services/cli/migrate.py asks again.
    connection.execute(text("SET lock_timeout = '2s'"))
    # Asked again and again: who waited inside a statement would be waited for by CREATE INDEX CONCURRENTLY.
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _MIGRATION_LOCK}):
        connection.commit()
        time.sleep(_LOOK_S)
    connection.commit()
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run() -> None:
    url = context.config.attributes["database_url"]
    engine = create_async_engine(driver_url(url), async_creator=connector(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
