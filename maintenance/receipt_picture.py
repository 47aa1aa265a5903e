"""`make receipt-picture LEAD=…`: what `leadscore lead show` prints, as the picture in the README.

In: a lead of a running installation. Out: docs/pictures/receipt.svg.
Refuses fonts from elsewhere: rich's own template fetches one; ours names those that a reader has.
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from services.cli.installation import Installation
from services.cli.lead.show import read, summary

FILE: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "receipt.svg"
_COLUMNS: Final = 104
_FONT_FACE: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
# A dark ground of its own, like a terminal's: readable on a light page and on a dark one.
_COLOURS: Final = TerminalTheme(
    (16, 23, 31),
    (230, 237, 243),
    [
        (16, 23, 31),
        (240, 113, 120),
        (138, 205, 130),
        (224, 184, 106),
        (102, 166, 232),
        (199, 146, 234),
        (94, 200, 200),
        (230, 237, 243),
    ],
)


def picture(console: Console, title: str) -> str:
    """What was printed, as SVG without any address in it but the namespace."""
    drawn = console.export_svg(title=title, theme=_COLOURS, unique_id="receipt")
    drawn = _COMMENT.sub("", _FONT_FACE.sub("", drawn)).replace("Fira Code", "ui-monospace")
    return "\n".join(line.rstrip() for line in drawn.splitlines() if line.strip()) + "\n"


def main() -> None:
    """Draw the lead that the command names."""
    [lead] = sys.argv[1:]
    for name, value in Installation.of(os.environ).known().items():
        os.environ[name] = os.environ.get(name) or value
    console = Console(record=True, width=_COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    for part in summary(lead, asyncio.run(read(lead)), "en"):
        console.print(part)
    FILE.write_text(picture(console, f"leadscore lead show {lead}"))
    sys.stdout.write(f"{FILE} written\n")


if __name__ == "__main__":
    main()
