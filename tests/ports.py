"""Ports for processes that tests start.

In: nothing. Out: a port of 127.0.0.1 that nobody listens on.
Refuses to be given away by chance before its process has bound it: it is below the range from which the
system takes ports for connections (Linux: 32768 and up), in the part that is this pytest-xdist worker's.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Final

_FIRST: Final = 15_000
_PER_WORKER: Final = 2_000
_WORKERS: Final = 8
# Two runs started one after the other, with neighbouring process ids, begin so far from each other.
_APART: Final = 61


def _of_this_worker() -> Iterator[int]:
    """Every port of this worker, in turn; where a process starts differs from its last run."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    start = _FIRST + worker * _PER_WORKER
    offset = os.getpid() * _APART % _PER_WORKER
    return cycle([start + (offset + n) % _PER_WORKER for n in range(_PER_WORKER)])


_PORTS: Final = _of_this_worker()


def free_port() -> int:
    """The next port of this worker that nobody listens on."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("a cycle has no end")
