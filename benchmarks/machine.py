"""What the figures were measured on.

In: the machine. Out: a few lines. Refuses to tell its name: the figures are published.
"""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import asyncpg

from benchmarks.stage import Stage
from services.cli.local.jars import LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Hardware and versions, each as a line for people; `load` is the load average before the run."""

    cpu: str
    memory: str
    system: str
    python: str
    servers: str
    load: str

    def lines(self) -> list[str]:
        """All of it, in a fixed order."""
        return [self.cpu, self.memory, self.system, self.python, self.servers, self.load]


async def describe(on: Stage, load: float) -> Machine:
    """Describe the machine we are on.

    load: load average before anything was started
    """
    connection = await asyncpg.connect(on.postgres.url)
    try:
        postgres = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "aiokafka", "asyncpg", "msgspec"))
    return Machine(
        cpu=f"{kernel_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        memory=f"{int(kernel_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB of memory",
        system=f"{platform.system()} {platform.release()}",
        python=f"Python {platform.python_version()}; {packages}",
        servers=f"PostgreSQL {postgres.split()[0]}, Kafka {_kafka()} on {on.kafka.java}, on the same cores",
        load=f"load average before the run: {load:.1f}",
    )


def kernel_field(file: str, name: str) -> str:
    """The value of `name: value` in one of the kernel's files; "unknown" where it has none."""
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", Path(file).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def _kafka() -> str:
    """The version of the broker that we run."""
    found = re.search(r"^org\.apache\.kafka:kafka_[\d.]+:(\S+)", LIST.read_text(), re.MULTILINE)
    return found[1] if found else "unknown"
