"""Ports that stay the same from one start to the next.

In: the file that remembers, the number wished for. Out: ports of 127.0.0.1 that were free a moment ago.
A port that somebody took meanwhile is replaced, and the new one remembered.
"""

import json
import random
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

# Below the ports that systems take for connections of their own (Linux: 32768 and up).
_QUIET: Final = range(15_000, 32_000)


def remembered(memory: Path, wished: Sequence[int], given: Sequence[int | None] = ()) -> list[int]:
    """One port for each wish.

    memory:  JSON file with the ports of last time; written when they change
    wished:  first choice of a first start; 0 takes any
    given:   for each wish the port that somebody set instead, None where there is none

    A port is as given, else kept from last time, else as wished, else any free one. No port that is given is
    chosen for another, and none is remembered: who stops giving it has the one of before.
    """
    before = _read(memory)
    if len(before) != len(wished):
        before = list(wished)
    given = given or [None] * len(wished)
    free = iter(_free([port for port, set_ in zip(before, given, strict=True) if set_ is None], given))
    chosen = [next(free) if set_ is None else port for port, set_ in zip(before, given, strict=True)]
    if chosen != _read(memory):
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(chosen))
    return [port if set_ is None else set_ for port, set_ in zip(chosen, given, strict=True)]


def listens(port: int) -> bool:
    """True if something on this machine accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _read(memory: Path) -> list[int]:
    try:
        return [int(port) for port in json.loads(memory.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _free(wished: Sequence[int], avoided: Collection[int | None]) -> list[int]:
    """Each wish if it is free, else another; all are held until the last is found, so that none repeats."""
    held: list[socket.socket] = []
    try:
        # Not a comprehension: what was bound before a failure must be closed too.
        for port in wished:
            bound = None if port in avoided else _bind(port)
            held.append(bound or _bind_any(avoided))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def _bind_any(avoided: Collection[int | None]) -> socket.socket:
    """A socket bound to a port that the system gives to nobody by itself, so it is free next time."""
    for port in random.sample(_QUIET, 100):
        if port not in avoided and (bound := _bind(port)):
            return bound
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


def _bind(port: int) -> socket.socket | None:
    """A socket bound to this port, None if it is taken. Ports in TIME_WAIT count as free, as for servers."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        return None
    return bound
