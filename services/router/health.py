"""destinations: the health of each, shared by all routers, in SQL.

In: a connection inside a transaction. Out: `Health`, locked until the transaction ends where it will
change. Refuses to judge: services/router/breaker.py does.
A destination without a row is healthy: the row is written with its first failure.
"""

from typing import Any, Final

from services.router.breaker import HEALTHY, Health

_COLUMNS: Final = "breaker, open_until, failing_since, failures, trips, disabled_at, disabled_why"

_READ: Final = f"SELECT {_COLUMNS} FROM destinations WHERE destination = $1"  # noqa: S608 - our own columns
_LOCK: Final = f"{_READ} FOR NO KEY UPDATE"
_ENSURE: Final = "INSERT INTO destinations (destination) VALUES ($1) ON CONFLICT DO NOTHING"
_WRITE: Final = f"""
UPDATE destinations SET ({_COLUMNS}) = ROW ($2, $3, $4, $5, $6, $7, $8) WHERE destination = $1
"""  # noqa: S608
_HEAL: Final = """
UPDATE destinations
SET breaker = 'closed', open_until = NULL, failing_since = NULL, failures = 0, trips = 0
WHERE destination = $1 AND (failures > 0 OR breaker <> 'closed')
"""
_ENABLE: Final = "DELETE FROM destinations WHERE destination = $1 AND disabled_at IS NOT NULL"


async def read(connection: Any, destination: str) -> Health:
    """The health, not locked."""
    row = await connection.fetchrow(_READ, destination)
    return Health(**row) if row else HEALTHY


async def lock(connection: Any, destination: str) -> Health:
    """The health, ours to change until the transaction ends."""
    await connection.execute(_ENSURE, destination)
    return Health(**await connection.fetchrow(_LOCK, destination))


async def write(connection: Any, destination: str, health: Health) -> None:
    """Set what `lock` read."""
    await connection.execute(
        _WRITE,
        destination,
        health.breaker,
        health.open_until,
        health.failing_since,
        health.failures,
        health.trips,
        health.disabled_at,
        health.disabled_why,
    )


async def heal(connection: Any, destination: str) -> None:
    """It works: forget its failures. Writes nothing if there are none."""
    await connection.execute(_HEAL, destination)


async def enable(connection: Any, destination: str) -> bool:
    """Send to a disabled destination again, with a clean record. False if it was not disabled."""
    return bool(await connection.execute(_ENABLE, destination) != "DELETE 0")
