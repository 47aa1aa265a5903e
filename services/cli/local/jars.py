"""Apache Kafka's jars: the committed list, and a folder that has exactly those.

In: `kafka-jars.txt` (Maven coordinates with sha256), a cache folder or LEADSCORE_KAFKA_JARS.
Out: the verified files. Refuses a file whose bytes are not the listed ones, wherever it came from.

Renew the list: `make kafka-jars` (needs Maven).
"""

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from shared.errors import Misconfigured, Transient

LIST: Final = Path(__file__).with_name("kafka-jars.txt")
_THREADS: Final = 8
_TIMEOUT_S: Final = 60
_WAYS_OUT: Final = (
    "set LEADSCORE_KAFKA_JARS to a folder that holds the files of services/cli/local/kafka-jars.txt, "
    "or KAFKA_BOOTSTRAP_SERVERS to a running Kafka"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One line of the list."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def wanted(listing: Path = LIST) -> list[Jar]:
    """The jars of the list, in its order."""
    jars = []
    for line in listing.read_text().splitlines():
        coordinates, sha256 = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group=group, artifact=artifact, version=version, sha256=sha256))
    return jars


def provide(
    cache: Path,
    jars: Sequence[Jar],
    environment: Mapping[str, str] = os.environ,
    stop: Event | None = None,
) -> list[Path]:
    """The verified files of these jars, fetched into `cache` where it lacks them. Blocking.

    LEADSCORE_KAFKA_JARS in the environment is used instead of the cache, and nothing is fetched. Once `stop`
    is set, no further jar is fetched.

    Raises Misconfigured if one is missing there, cannot be fetched, or has other bytes than listed; Transient
    if it was stopped.
    """
    if given := environment.get("LEADSCORE_KAFKA_JARS"):
        folder = Path(given)
        if missing := _missing(folder, jars):
            raise Misconfigured(
                f"LEADSCORE_KAFKA_JARS={folder} lacks {_some(missing)}; put them there, or {_WAYS_OUT}.", []
            )
    else:
        folder = cache
        _remove_leftovers(folder)
        if missing := _missing(folder, jars):
            _fetch_all(missing, folder, stop or Event())
    for jar in jars:
        _verify(folder / jar.file_name, jar)
    return [folder / jar.file_name for jar in jars]


def _missing(folder: Path, jars: Sequence[Jar]) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.file_name).is_file()]


def _some(jars: Sequence[Jar]) -> str:
    names = ", ".join(jar.file_name for jar in jars[:3])
    return names if len(jars) <= 3 else f"{names} and {len(jars) - 3} more"


def _verify(path: Path, jar: Jar) -> None:
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if seen != jar.sha256:
        raise Misconfigured(
            f"{path} is not the file that kafka-jars.txt lists (sha256 {seen[:12]}…, not "
            f"{jar.sha256[:12]}…); delete it to have it fetched again, {_WAYS_OUT}.",
            [],
        )


def _remove_leftovers(folder: Path) -> None:
    """What a killed fetch left behind; one that still runs holds its lock."""
    for leftover in folder.glob("fetching-*"):
        # Another process may remove it, or lock it, at the same time.
        with suppress(FileNotFoundError, BlockingIOError):
            held = _lock(leftover)
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(held)


def _lock(folder: Path) -> int:
    """Lock the folder until what is returned is closed, or the process ends, however.

    Raises BlockingIOError if another process holds it.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise
    return held


def _fetch_all(jars: Sequence[Jar], folder: Path, stop: Event) -> None:
    """Fetch into a folder beside, verify, and only then move: what is in `folder` is always whole."""
    folder.mkdir(parents=True, exist_ok=True)
    # jgo logs each attempt; what matters of it is in our own message.
    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as unfinished:
        held = _lock(Path(unfinished))
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                fetched = list(pool.map(lambda jar: _fetch(jar, Path(unfinished), stop), jars))
            for jar, path in zip(jars, fetched, strict=True):
                _verify(path, jar)
                shutil.copyfile(path, path.with_suffix(".whole"))
                path.with_suffix(".whole").replace(folder / jar.file_name)
        finally:
            os.close(held)


def _fetch(jar: Jar, repository: Path, stop: Event) -> Path:
    """One jar from Maven's own local repository if it has it, else from where Maven keeps releases."""
    from jgo.maven import MavenContext

    if stop.is_set():
        raise Transient("Fetching Apache Kafka's jars was stopped; the next start fetches them anew.")
    context = MavenContext(
        repo_cache=repository,
        local_repos=[Path.home() / ".m2" / "repository"],
        timeout=_TIMEOUT_S,
    )
    try:
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        return Path(artifact.resolve())
    except Exception as error:  # whatever jgo and its HTTP client raise means the same to us
        raise Misconfigured(
            f"Apache Kafka's {jar.file_name} could not be fetched ({type(error).__name__}); "
            f"connect this machine to the network once, {_WAYS_OUT}.",
            [],
        ) from error
