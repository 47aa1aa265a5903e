"""A disk that can be filled: a file system of its own in memory, and a file that takes what is left of it.

In: a size. Out: a disk; it needs root, or it is told that the row was not tried.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDisk:
    """Where it is."""

    folder: Path

    def fill(self) -> None:
        """Leave nothing."""
        with self._ballast.open("ab") as out:
            for size in (1 << 20, 1 << 12):
                self._write_all(out.fileno(), size)

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    @staticmethod
    def _write_all(file: int, size: int) -> None:
        try:
            while os.write(file, bytes(size)) == size:
                pass
        except OSError:
            return


@contextmanager
def mounted(*, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of this size for as long as the block lasts, where the user of Postgres can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a full disk was NOT tried: no small disk can be mounted here ({done.stderr.strip()})")
    try:
        yield SmallDisk(folder=folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
