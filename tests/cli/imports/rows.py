"""The same history in every format, and what tests import it as."""

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from services.ingest.registry import Origins, Source

SOURCE = Source(id="product", access="secret", kind="product", namespace="product", origins=Origins.of(["*"]))
ROWS: list[dict[str, Any]] = [
    {
        "event": "person.identified",
        "user_id": 7,
        "occurred_at": "2021-03-01T08:00:00+00:00",
        "traits": {"email": "ada@engines.example", "company": "Engines", "zip": "01067", "employees": 40},
    },
    {
        "event": "Report Exported",
        "user_id": 7,
        "occurred_at": "2021-03-02T08:00:00+00:00",
        "properties": {"pages": 3, "price": 1.5, "paid": True, "note": 'two\nlines, "quoted"'},
    },
    {
        "event": "form.submitted",
        "message_id": "f-1",
        "email": "bob@boats.example",
        "occurred_at": "2020-01-01T00:00:00+00:00",
        "properties": {"form": "demo-request"},
    },
]


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with one column for each value."""
    made: dict[str, Any] = {}
    for name, value in row.items():
        made |= (
            {f"{name}.{key}": each for key, each in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return made


def jsonl(path: Path, rows: list[Any] | None = None) -> Path:
    """The rows as lines; a text is a line as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in (ROWS if rows is None else rows)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def comma(path: Path, delimiter: str = ",") -> Path:
    """The rows as a table of text."""
    rows = [flat(row) for row in ROWS]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return path


def parquet(path: Path) -> Path:
    """The rows as typed columns, times as timestamps."""
    import pyarrow as pa
    from pyarrow import parquet as file

    rows = [flat(row) for row in ROWS]
    columns = dict.fromkeys(column for row in rows for column in row)
    table = {name: [row.get(name) for row in rows] for name in columns}
    table["occurred_at"] = [datetime.fromisoformat(row["occurred_at"]) for row in rows]
    file.write_table(pa.table(table), path)
    return path


def packed(path: Path) -> Path:
    """The same file, by gzip."""
    made = path.with_name(path.name + ".gz")
    made.write_bytes(gzip.compress(path.read_bytes()))
    return made


def _cell(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
