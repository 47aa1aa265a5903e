"""Postgres: one engine per process, and transactions on the raw driver connection.

In: a `postgresql://` URL. Out: an engine, and asyncpg connections inside a transaction.
Refuses to let a foreign exception out that means "try again": it becomes `Transient` here, once.

The hot path uses asyncpg directly (SQLAlchemy Core adds 110 µs CPU a statement), but through SQLAlchemy's
pool, so that there is one pool, one set of limits and one place where connections are made. Its codec for
json and jsonb comes along: parameters are JSON text, columns come back as Python values.
"""

import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared import tls
from shared.errors import Misconfigured, Transient

# Without the first, a process frozen inside a transaction blocks the next owner of its partition
# until TCP gives up (measured: 2.00 s with a limit of 2 s, for ever without). What it does not see: _FROZEN.
_SESSION: Final = {
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "tcp_user_timeout": "10s",
    "timezone": "UTC",
    # Plans with literal-free unnest() arrays gain nothing from JIT and pay 50 ms for the first.
    "jit": "off",
}

# What the same statement may survive at another time: connection, resources, operator, locks, a server that
# cannot be written to, rights that somebody forgot to give.
_TRANSIENT_CLASSES: Final = ("08", "40", "53", "55", "57", "58", "25P03", "25006", "42501")

# Seconds of silence before TCP asks, between two questions, how many; milliseconds for what we sent.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}

_TLS_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
_TLS_WAYS: Final = (
    "In DATABASE_URL, sslrootcert names the CA that signed its certificate, and sslmode how much to ask for"
)

# Not let in: user or password, no such database, no right to connect. What an operator has to mend, and no
# fault of the data: a process that has work goes on trying.
_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)

_WRITTEN: Final = (
    "postgresql://user:password@host:port/name would be one. Special characters of the password are "
    "percent-encoded (@ is %40), and quotes around it belong to a shell: they are no part of the value."
)

# How the driver says that the line is of no use any more. InternalClientError is what it raises between the
# server's last words ("terminating connection") and the end of the line. Trouble with TLS is an OSError.
_LOST: Final = (OSError, PoolTimeout, asyncpg.InterfaceError, asyncpg.InternalClientError)

# A process frozen between preparing a statement and executing it, or while a long answer is sent to it: to
# Postgres that session is "active", so neither its idle limit nor its statement limit ends it, and its locks
# stay for as long as the process does (measured; 5 s is the idle limit). Only who has written or holds an
# advisory lock can be in anybody's way: a plan that takes its time to read is left alone.
_FROZEN: Final = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity AS session
WHERE usename = current_user AND datname = current_database() AND application_name LIKE 'leadscore-%'
  AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite')
  AND state_change < clock_timestamp() - interval '5 seconds'
  AND EXISTS (SELECT FROM pg_locks
    WHERE pg_locks.pid = session.pid AND granted AND locktype IN ('transactionid', 'advisory'))
"""


def driver_url(url: str) -> URL:
    """The URL with our driver, as SQLAlchemy wants it. Raises Misconfigured, without it, if it is none."""
    try:
        return make_url(url).set(drivername="postgresql+asyncpg")
    except (ArgumentError, ValueError):
        # Not `from`: the message of the cause may have parts of the password in it.
        raise Misconfigured("DATABASE_URL is no URL:", [_WRITTEN]) from None


def connector(url: str, **options: Any) -> Callable[[], Awaitable[Any]]:
    """What makes a connection: asyncpg reads the URL as libpq does, `sslmode`, `sslrootcert` and all.

    (Through SQLAlchemy only some of these would arrive.) The function raises Transient if the other side
    is away, proves to be somebody else, speaks no TLS, or does not let us in.

    options: more arguments of asyncpg.connect

    Raises Misconfigured if the URL names a file that is not there.
    """
    read = driver_url(url)
    named = [(name, read.query[name]) for name in _TLS_FILES if name in read.query]
    if missing := [f"{name}={file}" for name, file in named if not Path(str(file)).is_file()]:
        raise Misconfigured("DATABASE_URL names files that are not there:", missing)
    where = f"{read.host or 'its socket'}:{read.port or 5432}"
    # Not rendered anew: a password is percent-encoded, and stays as it was written.
    address = f"postgresql://{url.partition('://')[2]}"

    async def connect() -> Any:
        try:
            return _noticing_silence(await asyncpg.connect(address, **options))
        except ssl.SSLError as error:
            raise Transient(f"Postgres cannot be trusted: {tls.reason(error)} {_TLS_WAYS}.") from error
        except _REFUSED as error:
            raise Transient(
                f"Postgres does not let us in: {error}. DATABASE_URL has user, password and database."
            ) from error
        except asyncpg.ClientConfigurationError as error:
            raise Misconfigured("DATABASE_URL is wrong:", [f"{error}"]) from error
        except OSError as error:
            if "SSL upgrade" in str(error):
                raise Transient(
                    f"Postgres speaks no TLS, and DATABASE_URL asks for it. {_TLS_WAYS}."
                ) from error
            raise Transient(
                f"Postgres is away: {type(error).__name__} at {where}. "
                "Is it running (`make run` starts one), and does DATABASE_URL name it?"
            ) from error

    return connect


def _noticing_silence(connection: Any) -> Any:
    """The same, ended by the operating system when the other side's machine is gone: after 25 s.

    Who waits for an answer sends nothing, so that TCP would never notice, and the server is not there to.
    """
    # Private in asyncpg, read in this one place; tests/shared/test_database.py would notice if it were gone.
    line = connection._transport.get_extra_info("socket")  # noqa: SLF001
    if line.family not in {socket.AF_INET, socket.AF_INET6}:
        return connection
    with socket.socket(fileno=os.dup(line.fileno())) as same:  # uvloop's own can set nothing
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):  # Linux has all of them
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


def engine(url: str, *, application: str, pool_size: int) -> AsyncEngine:
    """An engine; nothing connects before the first transaction.

    application: what `pg_stat_activity` calls us
    pool_size:   connections at most; a transaction waits 5 s for one, then `Transient`
    """
    return create_async_engine(
        driver_url(url),
        async_creator=connector(
            url, timeout=5, server_settings={"application_name": application, **_SESSION}
        ),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
    )


@asynccontextmanager
async def transaction(database: AsyncEngine) -> AsyncIterator[Any]:
    """A raw asyncpg connection in one READ COMMITTED transaction; commits at the end, or rolls back.

    Raises Transient for whatever another attempt may survive (connection lost, deadlock, timeout,
    disk full); errors in data or code come through as they are.
    Who waited in vain for a lock ends sessions whose process is frozen, so that the next attempt gets it.
    """
    try:
        async with _connection(database) as driver, driver.transaction():
            yield driver
    except Transient as error:
        if isinstance(error.__cause__, asyncpg.LockNotAvailableError):
            await _end_frozen(database)
        raise


@asynccontextmanager
async def savepoint(connection: Any) -> AsyncIterator[None]:
    """A part of a transaction that is rolled back alone, so that the rest can go on without it.

    Raises Transient as `transaction` does, so that whoever passes a fault by sees which are ours.
    """
    with _mapped():
        async with connection.transaction():
            yield


@asynccontextmanager
async def snapshot(database: AsyncEngine) -> AsyncIterator[Any]:
    """A raw asyncpg connection that reads everything as of one moment (REPEATABLE READ), and cannot write.

    A statement may take as long as it takes. Raises Transient as `transaction` does.
    """
    async with (
        _connection(database) as driver,
        driver.transaction(isolation="repeatable_read", readonly=True),
    ):
        await driver.execute("SET LOCAL statement_timeout = 0")
        yield driver


@asynccontextmanager
async def _connection(database: AsyncEngine) -> AsyncIterator[Any]:
    """A raw asyncpg connection from the pool, thrown away if its server is gone."""
    with _mapped():
        async with database.connect() as pooled:
            driver = (await pooled.get_raw_connection()).driver_connection
            assert driver is not None
            try:
                yield driver
            except BaseException as error:
                # Cancelled or failed half-way: nobody knows what the server still sends on this line. One to
                # a server that cannot be written to may lead to a former primary, a new one to its successor.
                # Out of a savepoint it comes as the cause of a Transient.
                known = (error, error.__cause__)
                stale = any(isinstance(one, asyncpg.ReadOnlySQLTransactionError) for one in known)
                if stale or driver.is_closed() or driver.is_in_transaction():
                    await pooled.invalidate()
                raise


@contextmanager
def _mapped() -> Iterator[None]:
    """What another attempt may survive comes out as Transient."""
    try:
        yield
    except (asyncpg.PostgresError, DBAPIError, *_LOST) as error:
        if transient := _as_transient(error):
            raise transient from error
        raise


async def _end_frozen(database: AsyncEngine) -> None:
    """End what no limit of Postgres ends: see _FROZEN."""
    from shared.telemetry import log  # half a second of imports, which a command has no use for

    async with _connection(database) as driver:
        if ended := await driver.fetchval(_FROZEN):
            log("database.frozen_ended", level="warning", sessions=ended)


def _as_transient(error: BaseException) -> Transient | None:
    """The Transient this error means, None if trying again cannot help."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(cause, "__cause__", None) or cause
    if isinstance(cause, asyncpg.PostgresError):
        code = cause.sqlstate or ""
        if not code.startswith(_TRANSIENT_CLASSES):
            return None
        return Transient(f"Postgres cannot do it now: {type(cause).__name__}.")
    # A value the driver cannot encode was caused by a ValueError or TypeError, and is none of these.
    if isinstance(cause, _LOST):
        return Transient(f"Postgres is away: {type(cause).__name__}.")
    return None
