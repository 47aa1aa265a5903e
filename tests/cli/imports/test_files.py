"""Files of history, read and understood: the same events from every format, a reason for what is none."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from services.cli.imports.history_event import Origin
from services.cli.imports.read import Reading
from services.cli.imports.send import Understood, chunks, understand
from services.cli.imports.understand import Meaning
from services.ingest.registry import Source
from shared.errors import Invalid
from shared.events import Event
from shared.ids import event_id
from tests.cli.imports.rows import ROWS, SOURCE, comma, flat, jsonl, packed, parquet

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=400)


def read(path: Path, *, now: datetime = NOW, source: Source = SOURCE, **meaning: Any) -> Understood:
    return understand(Reading(path).rows(), Meaning(**meaning), Origin(source=source, mark="silent"), now)


def one(tmp_path: Path, row: Any, **meaning: Any) -> Event:
    """The only event of a file with one row."""
    understood = read(jsonl(tmp_path / "one.jsonl", [row]), **meaning)
    assert understood.refused == []
    (event,) = understood.events
    return event


def codes(tmp_path: Path, *rows: Any) -> list[tuple[int, int | None, str]]:
    """Why rows are refused, and where."""
    refused = read(jsonl(tmp_path / "bad.jsonl", list(rows))).refused
    return [(line, index, error.code) for line, index, _, error in refused]


FORMATS: dict[str, Callable[[Path], Path]] = {
    "gz": lambda folder: packed(jsonl(folder / "a.jsonl")),
    "csv": lambda folder: comma(folder / "a.csv"),
    "semicolons": lambda folder: comma(folder / "a.csv", ";"),
    "csv.gz": lambda folder: packed(comma(folder / "a.csv")),
    "parquet": lambda folder: parquet(folder / "a.parquet"),
    "dotted": lambda folder: jsonl(folder / "b.jsonl", [flat(row) for row in ROWS]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_events(tmp_path: Path, name: str) -> None:
    """Ids, times, numbers, text with commas and lines: to the last field."""
    expected = read(jsonl(tmp_path / "history.jsonl")).events
    assert len(expected) == len(ROWS)
    assert read(FORMATS[name](tmp_path)).events == expected


def test_a_plain_row_is_an_event(tmp_path: Path) -> None:
    """Years old, marked as imported, its address found in its traits, its source's namespace."""
    first, second, third = read(jsonl(tmp_path / "history.jsonl")).events
    assert first.occurred_at == datetime(2021, 3, 1, 8, tzinfo=UTC)
    assert (first.user_id, first.namespace, first.email) == ("7", "product", "ada@engines.example")
    assert first.traits["zip"] == "01067"
    assert (first.imported, first.received_at, first.context) == ("silent", NOW, {})
    assert second.properties["note"] == 'two\nlines, "quoted"'
    assert third.event_id == event_id("product", "f-1")
    assert third.traits == {"email": "bob@boats.example"}


def test_an_id_of_what_the_row_says(tmp_path: Path) -> None:
    """Without an id of its own a row has the same one whenever it is read; another row another one."""
    path = jsonl(tmp_path / "history.jsonl", [ROWS[0], ROWS[1], ROWS[0]])
    once, other, twice = read(path).events
    assert once.event_id == twice.event_id != other.event_id
    assert [each.event_id for each in read(path, now=LATER).events] == [
        once.event_id,
        other.event_id,
        once.event_id,
    ]


def test_segments_calls_from_an_archive(tmp_path: Path) -> None:
    """One call a line; corrected by when the collector received it, and by nothing else."""
    call = {
        "type": "track",
        "event": "Signed Up",
        "userId": "u1",
        "messageId": "m1",
        "originalTimestamp": "2022-05-01T10:00:00Z",
        "sentAt": "2022-05-01T10:00:05Z",
    }
    event = one(tmp_path, call)
    assert (event.event_id, event.name) == (event_id("product", "m1"), "Signed Up")
    assert event.occurred_at == datetime(2022, 5, 1, 10, tzinfo=UTC)
    late = one(tmp_path, {**call, "receivedAt": "2022-05-01T10:01:05Z"})
    assert late.occurred_at == datetime(2022, 5, 1, 10, 1, tzinfo=UTC)
    recent = (NOW - timedelta(days=30)).isoformat()
    same = one(tmp_path, {**call, "originalTimestamp": recent, "sentAt": recent})
    assert same.occurred_at == NOW - timedelta(days=30)


def test_a_body_of_the_batch_endpoint(tmp_path: Path) -> None:
    """Each item by itself, with the context of its batch."""
    items = [
        {"type": "page", "anonymousId": "a1", "timestamp": "2022-05-01T10:00:00Z", "messageId": "1"},
        {"type": "page", "timestamp": "2022-05-01T10:00:00Z"},
    ]
    path = jsonl(tmp_path / "b.jsonl", [ROWS[0], {"batch": items, "context": {"locale": "de"}}])
    understood = read(path)
    assert [(each.name, each.context.get("locale")) for each in understood.events] == [
        ("person.identified", None),
        ("page.viewed", "de"),
    ]
    assert [(line, index, error.code) for line, index, _, error in understood.refused] == [
        (2, 1, "no_identity")
    ]


def test_a_cloud_event(tmp_path: Path) -> None:
    """Its type is the name, its id the message's, its data a row."""
    event = one(
        tmp_path,
        {
            "specversion": "1.0",
            "id": "c-1",
            "type": "page.viewed",
            "source": "/shop",
            "time": "2022-05-01T10:00:00Z",
            "data": {"user_id": "u1", "properties": {"path": "/pricing"}},
        },
    )
    assert (event.event_id, event.name, event.user_id) == (event_id("product", "c-1"), "page.viewed", "u1")
    assert event.properties == {"path": "/pricing"}


def test_columns_of_other_names_and_times_of_other_places(tmp_path: Path) -> None:
    """`--map`, `--event`, `--zone`: an export as it is."""
    event = one(
        tmp_path,
        {"Mail": "ada@engines.example", "when": "2022-07-01 12:00:00", "Firma": "Engines"},
        renamed={"Mail": "email", "when": "occurred_at", "Firma": "traits.company"},
        event="form.submitted",
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert event.occurred_at == datetime(2022, 7, 1, 10, tzinfo=UTC)
    assert (event.name, event.email) == ("form.submitted", "ada@engines.example")
    assert event.traits == {"email": "ada@engines.example", "company": "Engines"}


def test_what_nobody_understands_is_kept_and_told(tmp_path: Path) -> None:
    """A column without a meaning is in `extra`."""
    understood = read(jsonl(tmp_path / "h.jsonl", [{**ROWS[0], "utm": "x"}]))
    assert understood.events[0].extra == {"utm": "x"}
    assert understood.unused == {"utm": 1}


def test_consent_is_an_answer(tmp_path: Path) -> None:
    """A column of purposes is what ingest reads from a context."""
    event = one(tmp_path, {**ROWS[0], "consent": {"marketing": False}})
    assert event.consent == {"marketing": False}


def test_a_server_may_pass_on_what_a_program_did_and_where_a_person_was(tmp_path: Path) -> None:
    """History of a public source comes from the company itself, which may say these."""
    public = Source(id="website", access="public", kind="web", namespace="product", origins=SOURCE.origins)
    row = {**ROWS[1], "context": {"userAgent": "curl/8", "ip": "192.0.2.77"}}
    (event,) = read(jsonl(tmp_path / "h.jsonl", [row]), source=public).events
    assert (event.machine, event.context["ip"], event.kind) == (None, "192.0.2.0", "web")


def test_every_bad_row_has_its_line_and_reason(tmp_path: Path) -> None:
    """Its neighbours are events."""
    rows = [
        ROWS[0],
        "no json",
        "[1]",
        {**ROWS[0], "occurred_at": None},
        {**ROWS[0], "occurred_at": "yesterday"},
        {**ROWS[0], "occurred_at": "2021-03-01 08:00:00"},
        {"event": "x", "occurred_at": "2021-03-01T08:00:00Z"},
        {"user_id": 1, "occurred_at": "2021-03-01T08:00:00Z"},
        {**ROWS[0], "traits": "rich"},
        {**ROWS[0], "properties": {"a": 1}, "properties.a.b": 2},
        {"specversion": "1.0", "type": "x", "data": "text"},
        {**ROWS[0], "context": "a text", "consent": {"ads": True}},
        {**ROWS[0], "properties": {"long": "x" * 40_000}},
        "",
        ROWS[1],
    ]
    found = codes(tmp_path, *rows)
    assert found == [
        (2, None, "invalid_json"),
        (3, None, "not_an_object"),
        (4, None, "invalid_time"),
        (5, None, "invalid_time"),
        (6, None, "invalid_time"),
        (7, None, "no_identity"),
        (8, None, "no_name"),
        (9, None, "invalid_field"),
        (10, None, "invalid_field"),
        (11, None, "not_an_object"),
        (12, None, "invalid_field"),
        (13, None, "too_large"),
    ]


def test_lines_of_a_table_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    """A cell of two lines moves what comes after it."""
    path = tmp_path / "t.csv"
    path.write_text(
        'event,user_id,occurred_at,properties.note\nx,1,2021-01-01T00:00:00Z,"a\nb"\n,,,\ny,2,,\n'
    )
    understood = read(path)
    assert [event.properties["note"] for event in understood.events] == ["a\nb"]
    assert [line for line, *_ in understood.refused] == [5]


BROKEN: dict[str, tuple[bytes, str]] = {
    "a.txt": (b"x", "no file that can be imported"),
    "a.parquet.gz": (b"x", "no file that can be imported"),
    "a.parquet": (b"x", "no Parquet file"),
    "a.csv": (b"a,b,a\n1,2,3\n", "the column a twice"),
    "b.csv": (b"", "no columns"),
    "c.csv": ("event,user_id\nGr\u00fc\u00dfe,1\n".encode("cp1252"), "--encoding cp1252"),
    "a.jsonl.gz": (b"\x1f\x8b no gzip", "cut off, or not gzip"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str) -> None:
    """And what would work."""
    content, why = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=why):
        read(tmp_path / name)


def test_a_gzip_file_that_is_cut_off(tmp_path: Path) -> None:
    """What is there is read first; then it is said."""
    path = packed(jsonl(tmp_path / "h.jsonl", [json.dumps(ROWS[0])] * 50))
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(Invalid, match="cut off"):
        read(path)


def test_an_import_goes_on_after_the_rows_that_are_done(tmp_path: Path) -> None:
    """In chunks, the rest only."""
    rows = Reading(jsonl(tmp_path / "h.jsonl", [json.dumps(n) for n in range(7)])).rows()
    assert [[int(row.raw) for row in some] for some in chunks(rows, 2, 2)] == [[2, 3], [4, 5], [6]]


def test_ids_of_a_table_stay_as_they_are(tmp_path: Path) -> None:
    """What looks like a number is none: 4711.10 is not 4711.1, and no digit is rounded away."""
    table = tmp_path / "ids.csv"
    table.write_text(
        "event,nr,user_id,occurred_at,score\n"
        "a,4711.1,1672531200.123456701,2021-03-01T08:00:00Z,1.50\n"
        "a,4711.10,1672531200.123456702,2021-03-01T08:00:00Z,1672531200.123456701\n"
    )
    meaning = Meaning(renamed={"nr": "message_id", "score": "properties.score"})
    reading = Reading(table, ids=meaning.columns_of_ids())
    first, second = understand(reading.rows(), meaning, Origin(source=SOURCE, mark="silent"), NOW).events
    assert [first.event_id, second.event_id] == [event_id("product", nr) for nr in ("4711.1", "4711.10")]
    assert [first.user_id, second.user_id] == ["1672531200.123456701", "1672531200.123456702"]
    assert [first.properties["score"], second.properties["score"]] == [1.5, "1672531200.123456701"]


def test_a_cell_with_odd_json_costs_nobody_else(tmp_path: Path) -> None:
    """A cut emoji is replaced; what is nested beyond measure stays text; the rows behind it are read."""
    table = tmp_path / "odd.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event", "user_id", "occurred_at", "properties", "note"])
        for cells in (['{"note":"cut \\ud83d"}', ""], ["", "[" * 5_000], ['{"a": 1}', ""]):
            writer.writerow(["a", "u1", "2021-03-01T08:00:00Z", *cells])
    events = read(table).events
    assert [dict(each.properties) for each in events] == [{"note": "cut \ufffd"}, {}, {"a": 1}]


def test_decimals_and_bytes_of_parquet_are_what_they_say(tmp_path: Path) -> None:
    """As in every other format: numbers are numbers, and binary columns of text are text."""
    table = tmp_path / "typed.parquet"
    columns = {
        "event": ["a"],
        "user_id": [b"alice"],
        "occurred_at": ["2021-03-01T08:00:00Z"],
        "properties.price": [Decimal("49.90")],
        "properties.pages": [Decimal(3)],
        "properties.tags": [[b"x", b"y"]],
    }
    pq.write_table(pa.table(columns), table)
    (event,) = read(table).events
    assert event.user_id == "alice"
    assert event.properties == {"price": 49.9, "pages": 3, "tags": ["x", "y"]}


def test_a_bad_item_of_a_batch_costs_only_itself(tmp_path: Path) -> None:
    """Whatever is wrong with it: no object, nested too deep."""
    good = {"type": "track", "event": "a", "userId": "u", "timestamp": "2021-03-01T08:00:00Z"}
    deep: Any = "x"
    for _ in range(100):
        deep = {"a": deep}
    row = {"batch": [good, "text", {**good, "properties": deep}, {**good, "event": "b"}]}
    understood = read(jsonl(tmp_path / "batch.jsonl", [row]))
    assert [each.name for each in understood.events] == ["a", "b"]
    assert [(line, index) for line, index, _, _ in understood.refused] == [(1, 1), (1, 2)]
