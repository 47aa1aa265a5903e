"""What is wrong with a file, collected until all of it is known.

In: mistakes with their places. Out: one `Misconfigured` that lists all, in the order of the file.
Refuses to stop at the first.
"""

from collections.abc import Sequence

from shared.config_file import Document
from shared.config_mistakes import Path as Where
from shared.errors import Misconfigured

__all__ = ["Mistakes", "Where"]


class Mistakes:
    """The mistakes of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[str, int] = {}

    def add(self, where: Where, message: str) -> None:
        """Note a mistake at this place."""
        self._found[self._document.problem(where, message)] = self._document.line(where)

    def take(self, problems: Sequence[str]) -> None:
        """Note sentences that name their line already, as `shared.config_file` makes them."""
        for problem in problems:
            line = problem.removeprefix(f"{self._document.file}:").partition(":")[0]
            self._found[problem] = int(line)

    def stop_if_any(self) -> None:
        """Raise Misconfigured if something was noted."""
        if not self._found:
            return
        count = "a mistake" if len(self._found) == 1 else f"{len(self._found)} mistakes"
        in_order = sorted(self._found, key=lambda problem: self._found[problem])
        raise Misconfigured(f"{self._document.file} has {count}:", in_order)
