"""Rows that are no events, kept for somebody to mend: one JSON line each, beside the file they come from.

In: where a row stands, what is wrong with it, what it says. Out: lines. Refuses to have a row twice: what was
written after the last progress was kept is cut off before an import goes on.
"""

from pathlib import Path
from typing import IO, Self

import msgspec

from services.cli.imports.progress import unwritable
from shared.errors import Invalid


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    line:  where it stands in the file; index: which item of its batch
    row:   as it came, as JSON or as text that is none
    """

    line: int
    code: str
    message: str
    row: msgspec.Raw | str
    field: str = ""
    index: int | None = None


class RejectedRows:
    """The file of rejected rows; made when there is the first."""

    def __init__(self, path: Path, kept_bytes: int) -> None:
        self.path = path
        self._kept_bytes = kept_bytes
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self.path.exists():
            with self.path.open("r+b") as file:
                file.truncate(min(self._kept_bytes, self.path.stat().st_size))
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: int, index: int | None, raw: bytes, error: Invalid) -> None:
        """Note one row."""
        if self._file is None:
            self._file = self._opened()
        row = RejectedRow(
            line=line, index=index, code=error.code, message=error.message, field=error.field, row=_shown(raw)
        )
        self._file.write(msgspec.json.encode(row) + b"\n")

    def _opened(self) -> IO[bytes]:
        try:
            return self.path.open("ab")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def written(self) -> int:
        """How long the file is, once all of it is there."""
        if self._file is None:
            return self._kept_bytes
        self._file.flush()
        return self._file.tell()


def _shown(raw: bytes) -> msgspec.Raw | str:
    try:
        msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
    return msgspec.Raw(raw)
