"""Embedded PostgreSQL as a user meets it: as root and not, first start, second start, kill -9."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from services.cli.local.postgres import PostgresServer
from services.cli.local.postgres_binaries import reachable
from shared.errors import Misconfigured
from tests.servers import REPOSITORY

_NOBODY = 65534


async def _ask(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_postgres_keeps_address_and_rows_over_stop_and_kill(tmp_path: Path) -> None:
    """Stopped in order or killed, the next start has the same address and the committed rows."""
    server = PostgresServer(tmp_path)
    await server.stop()
    url = await server.start()
    first_pid = server.pid
    assert await server.start() == url
    assert server.pid == first_pid
    await _ask(url, "CREATE TABLE kept (value text)")
    await _ask(url, "INSERT INTO kept VALUES ('committed')")
    await server.stop()
    await server.stop()
    assert not server.running

    assert await server.start() == url
    connection = await asyncpg.connect(url)  # its backend outlives the server for a moment
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    again = PostgresServer(tmp_path)
    assert await again.start() == url
    assert await _ask(url, "SELECT value FROM kept") == "committed"
    connection.terminate()
    await again.stop()
    await server.stop()


@pytest.mark.asyncio
async def test_the_database_is_utf8_and_tells_time_in_utc(tmp_path: Path) -> None:
    """The same on every machine: encoding, folding of letters, zone; and no Unix socket."""
    server = PostgresServer(tmp_path, fast=True)
    url = await server.start()
    assert await _ask(url, "SHOW server_encoding") == "UTF8"
    assert await _ask(url, "SELECT lower('MÜLLER')") == "müller"
    assert await _ask(url, "SHOW timezone") == "UTC"
    assert await _ask(url, "SHOW listen_addresses") == "127.0.0.1"
    assert await _ask(url, "SHOW fsync") == "off"
    await server.stop()


@pytest.mark.asyncio
async def test_it_starts_below_a_folder_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    """As root it runs as another user, who could not walk to the data, and no right is changed for that."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = PostgresServer(home / "data folder", fast=True)
    await server.start()
    await server.stop()
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.asyncio
async def test_a_pid_file_of_another_program_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """After a reboot the pid in PostgreSQL's own file may be anybody's: here, ours."""
    server = PostgresServer(tmp_path, fast=True)
    url = await server.start()
    await server.stop()
    innocent = _sleeper()
    (tmp_path / "data" / "postmaster.pid").write_text(f"{innocent.pid}\n{tmp_path}/data\n0\n{server.port}\n")
    assert await server.start() == url
    await server.stop()
    innocent.kill()
    innocent.wait()


@pytest.mark.asyncio
async def test_a_taken_port_costs_the_address_not_the_start(tmp_path: Path) -> None:
    """With somebody else on the remembered port, another one is taken."""
    server = PostgresServer(tmp_path, fast=True)
    await server.start()
    before = server.port
    await server.stop()
    with socket.create_server(("127.0.0.1", before)):
        await server.start()
        assert server.port != before
    await server.stop()


@pytest.mark.asyncio
async def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    """The message carries the end of its log and where to read the rest."""
    server = PostgresServer(tmp_path, fast=True)
    await server.start()
    await server.stop()
    (tmp_path / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(Misconfigured, match=r"(?s)postgres\.log ends with:.*no_such_setting"):
        await server.start()


@pytest.mark.asyncio
async def test_data_of_another_version_are_not_touched(tmp_path: Path) -> None:
    """The message has both versions and what would work."""
    server = PostgresServer(tmp_path, fast=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(Misconfigured, match=r"written by PostgreSQL 15, .*LEADSCORE_PG_BIN"):
        await server.start()


@contextmanager
def _folder_of(uid: int) -> Iterator[Path]:
    """A folder that this user may reach and write to, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, uid, -1)
        yield Path(folder)


def test_it_runs_for_an_ordinary_user() -> None:
    """Root is not needed: started by uid 65534 (or by us, if we are not root), it is that user's process."""
    uid = _NOBODY if os.geteuid() == 0 else os.geteuid()
    with _folder_of(uid) as folder:
        done = _run_as(uid, folder)
        assert done.stdout.split() == [str(uid), "on"], done.stderr
        assert not (folder / "pg" / "postgres.pid").exists()


def _sleeper() -> subprocess.Popen[bytes]:
    """A process of the user whom PostgreSQL runs as."""
    return subprocess.Popen(["sleep", "600"], user=_NOBODY if os.geteuid() == 0 else None)


def _run_as(uid: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Start and stop a server as that user."""
    return subprocess.run(
        [*_as_ordinary_user(uid), sys.executable, "-c", _USER, str(folder)],
        cwd=REPOSITORY,
        env=os.environ | {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _as_ordinary_user(uid: int) -> list[str]:
    """The prefix that drops root; where Python itself is kept below root's home, reading it stays allowed."""
    if os.geteuid() != 0:
        return []
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    if reachable(uid, Path(sys.executable).resolve()):
        return [*drop, "--inh-caps=-all"]
    return [*drop, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


_USER = """
import asyncio, sys, asyncpg, psutil
from pathlib import Path
from services.cli.local.postgres import PostgresServer

async def main():
    server = PostgresServer(Path(sys.argv[1]) / "pg")
    connection = await asyncpg.connect(await server.start())
    print(psutil.Process(server.pid).uids().effective, await connection.fetchval("SHOW fsync"))
    await connection.close()
    await server.stop()

asyncio.run(main())
"""
