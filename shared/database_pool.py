"""How much of a process's pool of Postgres connections is in use.

In: an engine. Out: two gauges, read when Prometheus asks.
Apart from shared/database.py, because a command that prints one lead has no use for Prometheus.
"""

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

IN_USE = Gauge("leadscore_database_pool_in_use_connections", "Postgres connections that a task holds now.")
SIZE = Gauge("leadscore_database_pool_size_connections", "Postgres connections that tasks may hold at once.")


def show_pool(database: AsyncEngine) -> None:
    """Have the gauges tell of this engine's pool."""
    pool = database.pool
    assert isinstance(pool, QueuePool)
    IN_USE.set_function(pool.checkedout)
    SIZE.set(pool.size())
