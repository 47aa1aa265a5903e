"""The fenced blocks of our documents.

In: a Markdown file. Out: its blocks, in order, each with its line. A block whose first line is a comment with
a file's name (`# receiver.py`) is that file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE: Final = re.compile(r"# ([\w-]+\.(?:py|yaml))\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """document: path from the root; line: of its first line; language: empty if it says none."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str:
        """The name of the file that this block is; empty if it is none."""
        found = _FILE.match(self.text)
        return found[1] if found else ""


def documents() -> list[Path]:
    """Every Markdown file that a reader of this repository meets."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(document: Path) -> Iterator[Block]:
    """All of them, in order."""
    text = document.read_text()
    for found in _BLOCK.finditer(text):
        yield Block(
            document=str(document.relative_to(ROOT)),
            line=text[: found.start(2)].count("\n") + 1,
            language=found[1],
            text=found[2],
        )
