"""The database, for as long as a command runs.

In: DATABASE_URL from the environment. Out: a pool that is gone when the block ends. That the
server is away shows at the first transaction (`Transient`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import engine
from shared.settings import DatabaseSettings, load


@asynccontextmanager
async def database(pool_size: int = 1) -> AsyncIterator[AsyncEngine]:
    """A pool of this many connections to the database that the environment names."""
    settings = load(DatabaseSettings)
    pool = engine(settings.database_url.get_secret_value(), application="leadscore-cli", pool_size=pool_size)
    try:
        yield pool
    finally:
        await pool.dispose()
