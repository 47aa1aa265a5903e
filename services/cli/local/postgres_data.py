"""The data folder of embedded PostgreSQL: made once, for the right user, by the right version.

In: the folder, the environment. Out: data that the server can start on, and the programs that fit them.
Refuses data of another major version, and a user without a name.

PostgreSQL refuses to run as root, so for root it runs as the owner of its data (uid 65534 at first). It is
started inside its data folder and told that this is `/proc/self/cwd`: that works even where that user could
not walk to the folder, such as below /root.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

from services.cli.local import postgres_binaries
from shared.errors import Misconfigured

# Nothing of ours: neither PG* variables that change defaults nor secrets.
ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_NOBODY: Final = 65534


def prepare(data: Path, environment: Mapping[str, str]) -> Path:
    """Make the data if there are none; return the `bin` folder of the programs that fit them. Blocking.

    Raises Misconfigured if there are no programs, or if they do not fit.
    """
    binaries = postgres_binaries.find(environment)
    user = runs_as(data)
    if user is not None:
        binaries = postgres_binaries.runnable_by(user, binaries)
    major = postgres_binaries.major_version(binaries)
    if not data.exists():
        _make(data, binaries, major, user)
    written_by = (data / "PG_VERSION").read_text().strip()
    if written_by != str(major):
        raise Misconfigured(
            f"{data} was written by PostgreSQL {written_by}, the programs in {binaries} are {major}. "
            f"Set LEADSCORE_PG_BIN to a PostgreSQL {written_by}, or make wipe.",
            [],
        )
    return binaries


def runs_as(data: Path) -> int | None:
    """The uid to run as: None for ours; if we are root, the owner of the data (at first `nobody`)."""
    if os.geteuid() != 0:
        return None
    return (data.stat().st_uid if data.exists() else 0) or _NOBODY


def as_told(data: Path) -> str:
    """How the server is told its data folder, which is also its working directory."""
    return "/proc/self/cwd" if sys.platform == "linux" and os.geteuid() == 0 else str(data)


def check_name(uid: int) -> None:
    """Raise Misconfigured for a uid without a name, such as a container's random one: initdb wants it."""
    try:
        pwd.getpwuid(uid)
    except KeyError as error:
        raise Misconfigured(
            f"PostgreSQL cannot be set up by user {uid}, who has no name on this machine (/etc/passwd). "
            "Run as a user that has one, or set DATABASE_URL to a running PostgreSQL.",
            [],
        ) from error


def take_over_pid_file(data: Path) -> None:
    """Write our pid into PostgreSQL's own pid file if the one in it is no server any more.

    It would respect a recycled pid, or the zombie of a killed server, and not start. Ours it knows for its
    parent's. The file stays, because with it PostgreSQL checks that no old backend still runs.
    """
    note = data / "postmaster.pid"
    try:
        pid, rest = note.read_text().split("\n", 1)
        other = psutil.Process(int(pid))
        if "postgres" in other.name() and other.status() != psutil.STATUS_ZOMBIE:
            return
    except (OSError, ValueError, psutil.NoSuchProcess):
        return
    note.write_text(f"{os.getpid()}\n{rest}")


def _make(data: Path, binaries: Path, major: int, user: int | None) -> None:
    """Run initdb beside the final place, so that being killed half-way leaves no half data."""
    check_name(os.geteuid() if user is None else user)
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user is not None:
        os.chown(unfinished, user, user)
    done = subprocess.run(
        [binaries / "initdb", "-D", as_told(unfinished), "-U", "postgres", "-A", "trust", *_locale(major)],
        cwd=unfinished,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    if done.returncode != 0:
        raise Misconfigured(f"initdb failed in {unfinished}:", (done.stdout + done.stderr).splitlines()[-8:])
    unfinished.rename(data)


def _locale(major: int) -> list[str]:
    """UTF-8 that sorts and folds the same on every machine."""
    if major >= 17:
        return [
            "-E",
            "UTF8",
            "--no-sync",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
    return ["-E", "UTF8", "--no-sync", "--locale=C.UTF-8"]
