"""What we depend on: the packages of the lock files, and which part of ours needs each.

In: deploy/locks/*.txt, pyproject.toml's extras, the metadata of what is installed. Out: `Locked`s, sorted.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final, Literal

ROOT: Final = Path(__file__).resolve().parents[1]
SERVICES: Final = ("ingest", "scorer", "router", "cli")
Part = Literal["services", "one machine", "development"]
_PIN: Final = re.compile(r"^([a-zA-Z0-9_.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
_NAME: Final = re.compile(r"^[a-zA-Z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A package; `part`: the part nearest to people that needs it. `by`: the services, if it is that part."""

    name: str
    part: Part
    by: tuple[str, ...]


def pins(lock: str) -> dict[str, str]:
    """Name → version of a lock file."""
    return dict(_PIN.findall((ROOT / "deploy" / "locks" / f"{lock}.txt").read_text()))


def packages() -> list[Locked]:
    """Every package of a lock that is ours to distribute or to develop with."""
    of_services = {service: set(pins(service)) for service in SERVICES}
    machine = _closure(_extras("embedded", "import"))
    every = sorted({*pins("dev"), *pins("build"), *set().union(*of_services.values())})
    return [_locked(name, of_services, machine) for name in every]


def _locked(name: str, of_services: dict[str, set[str]], machine: set[str]) -> Locked:
    by = tuple(service for service, names in of_services.items() if name in names)
    part: Part = "services" if by else "one machine" if name in machine else "development"
    return Locked(name=name, part=part, by=by)


def _extras(*names: str) -> set[str]:
    """What these extras of ours ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {_plain(each) for name in names for each in project["optional-dependencies"][name]} - {"leadscore"}


def _closure(names: set[str]) -> set[str]:
    """These packages and what they need, as far as it is installed."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += list(_needs(name))
    return found


def _needs(name: str) -> Iterator[str]:
    try:
        asked = requires(name) or []
    except PackageNotFoundError:
        return
    yield from (_plain(each) for each in asked if "extra ==" not in each)


def _plain(requirement: str) -> str:
    """The name in a requirement, spelt as lock files spell it."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
