"""A reader who types what a document says, into one shell, in the folder that a checkout is.

In: a running installation, blocks. Out: what each block printed. Refuses a command that fails: AssertionError
with everything that the shell said.

What differs from the page: ports and keys are those of this installation, a folder stands for /etc/leadscore,
and the lines of `INSTEAD`.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT

INSTEAD: Final = {
    r"^(?:[A-Z_]+=\S+ )*make run\b.*$": (":", "the installation was started by exactly this"),
    r"^make demo\b.*$": ("leadscore demo --users 5", "5 of the 600 visitors: the same code in less time"),
    r"^make test\b.*$": (":", "this is it"),
    r"^(\S*leadscore model diff [^#\n]*).*$": (r"\1 || [ $? = 1 ]", "1 says that they differ"),
    r"^(\S*leadscore model backtest [^#\n]*).*$": (r"\1 --imported", "its history was imported a moment ago"),
    r"^(\S*leadscore model check .*--strict)$": (r"\1 || [ $? = 1 ]", "1 says that there are doubts"),
}
"""Lines that are typed otherwise: pattern → (what instead, why)."""

_END: Final = "@@the-end-of-the-block@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One shell. `places`: what stands on the page → what is typed."""

    shell: subprocess.Popen[str]
    places: Mapping[str, str]

    def types(self, text: str) -> str:
        """Run this block; return what it printed."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{self.typed(text)}\necho {_END}\n")
        self.shell.stdin.flush()
        said = ""
        for line in self.shell.stdout:
            if line.rstrip().endswith(_END):
                return said + line.removesuffix(f"{_END}\n")
            said += line
        raise AssertionError(f"a command failed (exit code {self.shell.wait()}):\n{text}\nIt said:\n{said}")

    def typed(self, text: str) -> str:
        """The text with this installation's places, and what is typed instead of some lines."""
        for pattern, (instead, _) in INSTEAD.items():
            text = re.sub(pattern, instead, text, flags=re.MULTILINE)
        for shown, meant in self.places.items():
            text = text.replace(shown, meant)
        return text


@contextmanager
def reader(folder: Path, environment: Mapping[str, str], places: Mapping[str, str]) -> Iterator[Reader]:
    """A shell in `folder`, which gets what a checkout has; whatever it started is gone at the end."""
    for path in ROOT.iterdir():
        if path.name not in {".git", ".data", "mine"} and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    shell = subprocess.Popen(
        ["bash", "-eo", "pipefail"],
        cwd=folder,
        env={**environment, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    made = Reader(shell=shell, places=places)
    try:
        # What the shell started in the background would keep its output open, and nobody would see it end.
        made.types("trap 'kill $(jobs -p) 2>/dev/null' EXIT")
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
