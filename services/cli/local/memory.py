"""How much memory there is for us.

In: what the system and the container say. Out: bytes. A limit that cannot be read is none.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

MEBIBYTE: Final = 1024**2

_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def total_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """The memory of this machine, or of the container we run in, if that is less."""
    total: int = psutil.virtual_memory().total
    for limit in limits:
        with suppress(OSError, ValueError):  # ValueError: "max"
            total = min(total, int(limit.read_text()))
    return total
