"""The port of each listener of the services that `leadscore up` starts.

In: the environment, the file that remembers. Out: a port for each variable: as the environment says, else the
one of last time, else a free one.
Refuses one port for two listeners.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from services.cli.local import ports
from shared.errors import Misconfigured

# First wishes; a port that somebody else has is replaced, and the new one is kept for the next start.
WISHES: Final = {
    "LEADSCORE_INGEST_PORT": 8090,
    "LEADSCORE_INGEST_ADMIN_PORT": 8091,
    "LEADSCORE_SCORER_ADMIN_PORT": 8092,
    "LEADSCORE_ROUTER_ADMIN_PORT": 8093,
}


def given(environment: Mapping[str, str]) -> dict[str, int]:
    """The ports that the environment says; what is no number is left to the service, which refuses it.

    Raises Misconfigured if two are the same.
    """
    said = {name: int(text) for name in WISHES if (text := environment.get(name, "")).isdecimal()}
    first: dict[int, str] = {}
    for name, port in said.items():
        if first.setdefault(port, name) != name:
            raise Misconfigured(
                f"{first[port]} and {name} are both {port}. Give each a port of its own, "
                "or leave one out to have a free one chosen.",
                [],
            )
    return said


def choose(environment: Mapping[str, str], memory: Path, say: Callable[[str], None]) -> dict[str, str]:
    """A port for each variable.

    memory:  where those that we choose are kept for the next start
    say:     hears of each that is not the usual one

    Raises Misconfigured if the environment says one port twice.
    """
    theirs = given(environment)
    chosen = ports.remembered(memory, list(WISHES.values()), [theirs.get(name) for name in WISHES])
    ours = {name: port for name, port in zip(WISHES, chosen, strict=True) if not environment.get(name)}
    for name, port in ours.items():
        if port != WISHES[name]:
            say(_other_port(name, port, theirs))
    return {name: environment.get(name) or str(ours[name]) for name in WISHES}


def _other_port(name: str, port: int, theirs: Mapping[str, int]) -> str:
    """Whoever copied the usual address would talk to somebody else's process."""
    usual = WISHES[name]
    if whose := [other for other, taken in theirs.items() if taken == usual]:
        why = f"is {whose[0]}"
    elif ports.listens(usual):
        why = "is taken by another process"
    else:
        why = "was taken at an earlier start"
    return f"port {usual} {why}: {port} is used instead, now and next time. {name} chooses another"
