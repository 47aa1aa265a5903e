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
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=folder, check=False)
        TOOLS.mkdir(parents=True, exist_ok=True)
        packages = list(Path(folder).glob("prometheus_*.deb"))
        for package in packages:
            subprocess.run(["dpkg-deb", "-x", str(package), str(TOOLS)], check=False)
    return bool(packages) and find("prometheus") is not None
