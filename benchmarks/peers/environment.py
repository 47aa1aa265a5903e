"""The environment in which peers run, made from its lock file once: `.tools/peers`.

In: deploy/locks/peers.txt, the network once. Out: its Python. Refuses packages whose hash is not in the file.
"""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

from benchmarks.stage import ROOT

_LOCK: Final = ROOT / "deploy" / "locks" / "peers.txt"
_FOLDER: Final = ROOT / ".tools" / "peers"


def python() -> Path:
    """The interpreter that has the peers' packages.

    Raises CalledProcessError if they cannot be had.
    """
    found = _FOLDER / "bin" / "python"
    stamp = _FOLDER / "lock.sha256"
    wanted = sha256(_LOCK.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        subprocess.run([sys.executable, "-m", "venv", "--clear", _FOLDER], check=True)
        install = [str(found), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(_LOCK)]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    return found
