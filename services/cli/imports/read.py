"""A file of events → its rows, each as the JSON it would be as a line of its own.

In: .jsonl, .csv (both also .gz) or .parquet. Out: rows in their order, and how far the file is read.
Refuses files of another kind, and a header that names a column twice. What is in a row is not looked at.

Cells of a CSV file are text. What is written as JSON writes a number, true or false becomes that, so that the
same events have the same properties from every format; 007 and +49 stay text, and so does every id.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from services.ingest import decode
from shared.errors import Invalid

KINDS: Final = (".jsonl", ".ndjson", ".csv", ".parquet")
_LARGEST_CELL: Final = 16 * 1024 * 1024
_AT_ONCE: Final = 1_000
# Fifteen digits: what a double holds exactly. Longer ones are ids.
_NUMBER: Final = re.compile(r"(?!(?:[-.]*[0-9]){16})-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "TRUE": True, "FALSE": False, "True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row.

    line:  where it stands in the file, from 1; of Parquet, which row it is
    raw:   as JSON
    """

    line: int
    raw: bytes


class Reading:
    """A file while it is being read: its rows, and which share of it is done.

    ids: columns of CSV that stay text, whatever is in them
    """

    def __init__(self, path: Path, encoding: str = "utf-8-sig", ids: Collection[str] = frozenset()) -> None:
        self.path = path
        self._encoding = encoding
        self._ids = ids
        self.done: float = 0.0

    def rows(self) -> Iterator[Row]:
        """Every row that is not empty.

        Raises Invalid (`unknown_format`, `unreadable_file`).
        """
        kind = self.path.with_suffix("") if self.path.suffix == ".gz" else self.path
        if kind.suffix not in KINDS or (kind.suffix == ".parquet" and kind != self.path):
            raise Invalid(
                "unknown_format",
                f"{self.path.name} is no file that can be imported. Files: {', '.join(KINDS)}; "
                "text also with .gz",
            )
        if kind.suffix == ".parquet":
            return self._parquet()
        return self._csv() if kind.suffix == ".csv" else self._lines()

    def _lines(self) -> Iterator[Row]:
        with self._open() as (file, told):
            for line, raw in enumerate(file, start=1):
                if stripped := raw.removeprefix(b"\xef\xbb\xbf").strip():
                    self._tell(line, told)
                    yield Row(line=line, raw=stripped)

    def _csv(self) -> Iterator[Row]:
        csv.field_size_limit(_LARGEST_CELL)
        with self._open() as (file, told):
            text = io.TextIOWrapper(file, encoding=self._encoding, newline="")
            try:
                first = text.readline()
                reader = csv.reader(chain([first], text), delimiter=max(",;\t", key=first.count))
                names = _header(next(reader, []))
                for cells in reader:
                    if any(cells):
                        self._tell(reader.line_num, told)
                        yield Row(line=reader.line_num, raw=_encoded(self._of_cells(names, cells)))
            except (UnicodeDecodeError, LookupError, csv.Error) as error:
                raise Invalid(
                    "unreadable_file",
                    f"{self.path.name} cannot be read as {self._encoding}: {error}. Excel often writes "
                    "--encoding cp1252",
                ) from error

    def _of_cells(self, names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
        """A row without its empty cells; cells beyond the header are kept under `_more`."""
        row: dict[str, Any] = {
            name: cell if name in self._ids else _value(cell)
            for name, cell in zip(names, cells, strict=False)
            if cell and name
        }
        if more := [cell for cell in cells[len(names) :] if cell]:
            row["_more"] = more
        return row

    def _parquet(self) -> Iterator[Row]:
        file = _parquet_file(self.path)
        line = 0
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            for values in batch.to_pylist():
                line += 1
                present = {name: _known(value) for name, value in values.items() if value is not None}
                yield Row(line=line, raw=_encoded(present))
            self.done = line / max(1, file.metadata.num_rows)

    def _tell(self, line: int, told: IO[bytes]) -> None:
        if line % _AT_ONCE == 0:
            self.done = told.tell() / max(1, self.path.stat().st_size)

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """The text, unpacked, and the file on disk under it, which knows how far it is read."""
        with self.path.open("rb", buffering=1024 * 1024) as packed:
            if self.path.suffix != ".gz":
                yield packed, packed
                return
            try:
                with gzip.GzipFile(fileobj=packed) as file:
                    yield cast("IO[bytes]", file), packed
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise Invalid(
                    "unreadable_file", f"{self.path.name} is cut off, or not gzip: {error}"
                ) from error


def _header(names: Sequence[str]) -> list[str]:
    """The names of the columns. Raises Invalid if there are none, or one is there twice."""
    stripped = [name.strip() for name in names]
    twice = [name for name, times in Counter(stripped).items() if name and times > 1]
    if twice or not any(stripped):
        what = f"the column {twice[0]} twice" if twice else "no columns"
        raise Invalid("unreadable_file", f"the first line of the file names {what}. Name each once")
    return stripped


def _value(cell: str) -> Any:
    """What a cell says: a number, a truth, an object written as JSON, or text."""
    if cell in _WORDS:
        return _WORDS[cell]
    if _NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    if cell[0] in "{[":
        try:
            return json.loads(decode.whole_characters(cell.encode()))
        except (ValueError, RecursionError):
            return cell
    return cell


def _encoded(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(row, enc_hook=_plain)


def _known(value: Any) -> Any:
    """A value of Parquet as JSON would have it, where msgspec would write something else."""
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    return [_known(one) for one in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """What Parquet has and JSON has not."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _parquet_file(path: Path) -> Any:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise Invalid(
            "unknown_format",
            f"{path.name}: reading Parquet needs the extra `import`: pip install 'leadscore[import]'",
        ) from error
    try:
        return parquet.ParquetFile(path)
    except ArrowInvalid as error:
        raise Invalid("unreadable_file", f"{path.name} is no Parquet file: {error}") from error
