"""Where Prometheus' programs are: on the PATH, or unpacked in .tools from Debian's package.

In: a program's name. Out: its path, None where it is missing, and a sentence that says how to get it.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Literal

Program = Literal["prometheus", "promtool"]

ROOT: Final = Path(__file__).resolve().parents[2]
RULES: Final = ROOT / "deploy" / "prometheus" / "rules"
CONFIGURATION: Final = ROOT / "deploy" / "prometheus" / "prometheus.yml"
TOOLS: Final = ROOT / ".tools" / "prometheus"
HOW_TO_GET_IT: Final = (
    "Debian's package `prometheus` has it: `apt-get install prometheus`, or, without root and without a "
    f"service that starts, `apt-get download prometheus && mkdir -p {TOOLS} && "
    f"dpkg-deb -x prometheus_*.deb {TOOLS}`. "
    "Elsewhere: unpack a release of Prometheus and put its folder on the PATH."
)


def find(program: Program) -> str | None:
    """The path of the program."""
    return shutil.which(program) or shutil.which(program, path=str(TOOLS / "usr" / "bin"))


def fetch() -> bool:
    """Unpack Debian's package into .tools; False where there is no apt, or the package is out of reach."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return False
    TOOLS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS.parent, prefix="fetching-") as beside:
        return _unpack(Path(beside)) and find("prometheus") is not None


def _unpack(beside: Path) -> bool:
    """Only what came whole moves to its place: half of it would be taken for Prometheus for ever."""
    fetched = subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=beside, check=False)
    packages = list(beside.glob("prometheus_*.deb"))
    if fetched.returncode != 0 or not packages:
        return False
    whole = beside / "whole"
    if subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(whole)], check=False).returncode != 0:
        return False
    shutil.rmtree(TOOLS, ignore_errors=True)
    whole.rename(TOOLS)
    return True
