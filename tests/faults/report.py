"""The report of `make faults`: one line for each row of the fault matrix, on the terminal and in a file.

In: what tests noted, how each ended. Out: text. Refuses to hide a row: one that failed says so with its seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults.seed import ROUNDS, SEED

HEAD: Final = f"{'row':>3}  {'outcome':7} {'s':>5} {'acked':>7} {'counted':>7}  fault; figures"


@dataclass(slots=True)
class Row:
    """One row of the matrix in this run.

    figures: what a reader may want to know beside the outcome, such as seconds to recover
    """

    number: int
    fault: str
    outcome: str = "not run"
    seconds: float = 0.0
    acknowledged: int = 0
    counted: int = 0
    figures: dict[str, str] = field(default_factory=dict)

    def note(self, **figures: float | str) -> None:
        """Keep figures for the report."""
        for name, value in figures.items():
            shown = f"{value:.1f}" if isinstance(value, float) else str(value)
            self.figures[name] = shown

    def line(self) -> str:
        """The row as the report has it."""
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        numbers = f"{self.seconds:>5.0f} {self.acknowledged:>7} {self.counted:>7}"
        return f"{self.number:>3}  {self.outcome:7} {numbers}  {self.fault}{'; ' if figures else ''}{figures}"


def text(rows: Sequence[Row]) -> str:
    """The whole report."""
    lines = [row.line() for row in sorted(rows, key=lambda row: row.number)]
    good = sum(row.outcome == "passed" for row in rows)
    summary = f"{good} of {len(rows)} hold. Repeat: make faults SEED={SEED} ROUNDS={ROUNDS}"
    return "\n".join([HEAD, *lines, summary])
