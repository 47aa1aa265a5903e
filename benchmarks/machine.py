"""What the figures were measured on.

In: the machine. Out: a few lines. Refuses to tell its name: the figures are published.
"""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Hardware and versions, each as a line for people.

    servers: empty where none was running
    load:    the load average before the run
    """

    cpu: str
    memory: str
    system: str
    python: str
    load: str
    servers: str = ""

    def lines(self) -> list[str]:
        """All of it, in a fixed order."""
        return [
            line
            for line in (self.cpu, self.memory, self.system, self.python, self.servers, self.load)
            if line
        ]


def describe(packages: Sequence[str], load: float, servers: str = "") -> Machine:
    """Describe the machine we are on.

    packages: those whose versions matter
    load:     load average before anything was started
    servers:  what else runs for the measurement (`stage.servers`)
    """
    return Machine(
        cpu=f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        memory=f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB of memory",
        system=f"{platform.system()} {platform.release()}",
        python=", ".join(
            [f"Python {platform.python_version()}; {_version(packages[0])}", *map(_version, packages[1:])]
        ),
        load=f"load average before the run: {load:.1f}",
        servers=servers,
    )


def _version(package: str) -> str:
    return f"{package} {version(package)}"


def _field(file: str, name: str) -> str:
    """The value of `name: value` in one of the kernel's files; "unknown" where it has none."""
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.+)$", Path(file).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"
