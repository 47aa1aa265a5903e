"""What running servers and services have used so far: CPU, memory, bytes on disk and on their connections.

In: process ids, folders, a database. Out: numbers; the difference of two readings is what was used between
them.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import asyncpg
import psutil

_SOCKET_BYTES: Final = re.compile(r"bytes_(?:sent|received):(\d+)")
_DISK: Final = """
SELECT CASE WHEN relname LIKE 'events%' THEN 'events'
            WHEN relname IN ('leads', 'identities', 'lead_due', 'lead_board', 'lead_grams') THEN 'leads'
            WHEN relname IN ('transitions', 'deliveries') THEN 'moves' ELSE 'rest' END AS part,
       sum(pg_total_relation_size(oid))::bigint AS bytes
FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace GROUP BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """cpu_s: CPU seconds by process; disk, network: bytes by what they are; wal: bytes written ahead."""

    cpu_s: Mapping[str, float]
    disk: Mapping[str, int]
    network: Mapping[str, int]
    wal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """Where to look.

    pids:    processes by name; each with the processes below it
    topic:   folders of Kafka whose names begin so
    """

    pids: Mapping[str, int]
    database: str
    kafka_data: Path
    topic: str

    async def read(self) -> Reading:
        """Everything now."""
        connection = await asyncpg.connect(self.database)
        try:
            disk = {row["part"]: row["bytes"] for row in await connection.fetch(_DISK)}
            wal = await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
        finally:
            await connection.close()
        logs = [file for file in self.kafka_data.rglob("*.log") if file.parent.name.startswith(self.topic)]
        return Reading(
            cpu_s={name: _cpu_s(pid) for name, pid in self.pids.items()},
            disk={**disk, "kafka": sum(file.stat().st_size for file in logs)},
            network={name: _network(pid) for name, pid in self.pids.items()},
            wal=int(wal),
        )

    def memory_bytes(self) -> dict[str, int]:
        """What each process and those below it hold alone (proportional set size)."""
        return {name: sum(held(one) for one in family(pid)) for name, pid in self.pids.items()}


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _cpu_s(pid: int) -> float:
    """Of the process, of those below it, and of those below it that have ended."""
    total = 0.0
    for one in family(pid):
        try:
            used = one.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its time is in its parent's now
        total += used.user + used.system
        total += used.children_user + used.children_system if one.pid == pid else 0.0
    return total


def held(one: psutil.Process) -> int:
    """What a process holds alone: what it shares is divided among those who touched it; 0 if it ended."""
    try:
        return int(one.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def _network(pid: int) -> int:
    """Bytes sent and received on its open connections; 0 where `ss` cannot say."""
    try:
        said = subprocess.run(["ss", "-tinpH"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    lines = said.splitlines()
    ours = (below for line, below in pairwise(lines) if f"pid={pid}," in line)
    return sum(int(number) for below in ours for number in _SOCKET_BYTES.findall(below))
