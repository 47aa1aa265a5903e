"""`leadscore import` without servers: what it refuses, what a dry run says, what is kept beside the file."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from services.cli.__main__ import COMMANDS, application
from services.cli.imports import progress as kept
from services.cli.imports.history_event import Origin
from services.cli.imports.progress import Progress
from services.cli.imports.read import Reading
from services.cli.imports.rejected import RejectedRows
from services.cli.imports.send import Importer, Sender, Understood
from services.cli.imports.understand import Meaning
from services.ingest.publish import ParcelPublisher
from shared.codec import cloudevent_headers, decode, encode, partition_key
from shared.errors import Invalid, Transient
from shared.kafka.publish import Record
from shared.testing import MemoryBroker
from shared.topics import Topics
from tests.cli.imports.rows import ROWS, SOURCE, jsonl
from tests.installation import CRM_KEY, PRODUCT_KEY, SOURCES, WEBSITE_KEY, MailProvider

ORIGIN = Origin(source=SOURCE, mark="silent")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three good rows and a bad one; sources.yaml is that of the pipeline tests."""
    (tmp_path / "sources.yaml").write_text(SOURCES)
    monkeypatch.setenv("LEADSCORE_INGEST_SOURCES_FILE", str(tmp_path / "sources.yaml"))
    monkeypatch.setenv("SENDGRID_PUBLIC_KEY", MailProvider().public_key)
    for name, key in (("WEBSITE", WEBSITE_KEY), ("PRODUCT", PRODUCT_KEY), ("CRM", CRM_KEY)):
        monkeypatch.setenv(f"KEY_{name}", key)
    return jsonl(tmp_path / "history.jsonl", [*ROWS, {**ROWS[0], "user_id": [], "traits": {}}])


def run(*argv: str, exit_code: int) -> str:
    """What a command prints."""
    words = ["import", *argv]
    done = CliRunner().invoke(
        application(COMMANDS, words), words, catch_exceptions=False, env={"COLUMNS": "200"}
    )
    assert done.exit_code == exit_code, done.output
    return done.stdout


def test_a_dry_run_checks_everything_and_sends_nothing(file: Path) -> None:
    """No Kafka, no Postgres, no progress; the bad row with its line and reason, and the exit code says so."""
    said = run(str(file), "--source", "product", "--dry-run", exit_code=1)
    assert "4 rows, 3 events would be sent, 1 rejected" in said
    assert "line 4: an id is text or a number" in said
    (rejected,) = file.with_name("history.jsonl.product.dry-run.rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected) == {
        "line": 4,
        "code": "invalid_id",
        "message": "an id is text or a number, not list",
        "field": "userId",
        "row": {**ROWS[0], "user_id": [], "traits": {}},
    }
    assert not kept.beside(file, "product").exists()


def test_a_clean_file_ends_well(file: Path) -> None:
    """Exit code 0, and no file of rejected rows."""
    jsonl(file, ROWS)
    assert "3 events would be sent, 0 rejected" in run(
        str(file), "--source", "email", "--dry-run", exit_code=0
    )
    assert list(file.parent.glob("*rejected*")) == []


REFUSED = {
    "unknown source": (["--source", "shop"], "has no such source. Sources: crm, email, product, website"),
    "unknown field": (["--source", "crm", "--map", "a=b"], "--map a=b: unknown field. Fields: .*occurred_at"),
    "unknown zone": (["--source", "crm", "--zone", "Berlin"], "no such time zone"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_with_what_would_work(file: Path, name: str) -> None:
    """Before anything is read."""
    argv, why = REFUSED[name]
    with pytest.raises(Invalid, match=why):
        run(str(file), *argv, "--dry-run", exit_code=0)


def test_no_such_file(file: Path) -> None:
    """A sentence, no traceback."""
    with pytest.raises(Invalid, match=r"nowhere\.jsonl: No such file"):
        run("nowhere.jsonl", "--source", "crm", exit_code=0)


def test_an_import_that_began_otherwise_does_not_go_on(tmp_path: Path) -> None:
    """Other options would give other events; `--again`, or another content of the file, begins anew."""
    place = kept.beside(tmp_path / "a.jsonl", "crm")
    begun = Progress(file_sha256="a", options="--event x", rows=7)
    kept.keep(place, begun)
    fresh = Progress(file_sha256="a", options="none")
    with pytest.raises(Invalid, match=r"other options \(--event x\)"):
        kept.begun(place, fresh, again=False)
    assert kept.begun(place, fresh, again=True) is fresh
    other = Progress(file_sha256="b", options="none")
    assert kept.begun(place, other, again=False) is other
    same = msgspec.structs.replace(fresh, options="--event x")
    assert kept.begun(place, same, again=False) == begun
    place.write_text("{}")
    with pytest.raises(Invalid, match="no progress of an import"):
        kept.begun(place, fresh, again=False)


def test_an_import_of_which_nothing_is_done_begins_with_any_options(tmp_path: Path) -> None:
    """The first attempt had the wrong encoding and did nothing: the right one is not refused."""
    place = kept.beside(tmp_path / "a.jsonl", "crm")
    kept.keep(place, Progress(file_sha256="a", options="--encoding latin-9"))
    fresh = Progress(file_sha256="a", options="none")
    assert kept.begun(place, fresh, again=False) is fresh


def test_a_folder_where_nothing_can_be_kept_is_told_before_anything_is_sent(file: Path) -> None:
    """Links that lead nowhere stop root too. There is no Kafka here: it was not asked for."""
    for name in ("import.unfinished", "dry-run.rejected.jsonl"):
        file.with_name(f"{file.name}.product.{name}").symlink_to(file.parent / "nowhere" / name)
    with pytest.raises(Invalid, match=r"import\.json cannot be written"):
        run(str(file), "--source", "product", exit_code=0)
    with pytest.raises(Invalid, match=r"rejected\.jsonl cannot be written"):
        run(str(file), "--source", "product", "--dry-run", exit_code=0)


class Killed(Exception):
    """As if the process had ended here."""


async def send(folder: Path, broker: MemoryBroker, *, die_after: int | None = None) -> Progress:
    """Import the file in chunks of two; die before the progress of a chunk is kept."""
    file, place = folder / "h.jsonl", folder / "state.json"
    progress = kept.begun(place, Progress(file_sha256="x", options="none"), again=False)
    sender = Sender(ParcelPublisher(broker, Topics()), ORIGIN)

    def note(understood: Understood) -> None:
        progress.rejected_bytes = rejected.written()
        if die_after is not None and progress.rows + understood.rows > die_after:
            raise Killed
        progress.rows += understood.rows
        kept.keep(place, progress)

    async def at_once() -> None:
        pass

    with RejectedRows(folder / "rejected.jsonl", progress.rejected_bytes) as rejected:
        importer = Importer(
            meaning=Meaning(),
            origin=ORIGIN,
            rejected=rejected,
            publish=sender.send,
            pace=at_once,
            note=note,
            chunk=2,
        )
        await importer.run(Reading(file).rows(), progress.rows)
    return progress


def rows(number: int) -> list[object]:
    """So many events, and after each third a row that is none."""
    at = "2021-01-01T00:00:00Z"
    return [
        "no json" if n % 3 == 2 else {"event": f"e{n}", "user_id": "u", "occurred_at": at}
        for n in range(number)
    ]


@pytest.mark.asyncio
async def test_what_is_sent_is_what_ingest_sends(tmp_path: Path) -> None:
    """The same topic, key, bytes and headers."""
    broker = MemoryBroker()
    await broker.start()
    jsonl(tmp_path / "h.jsonl", ROWS)
    await send(tmp_path, broker)
    sent = broker.on("leads.events.v1")
    events = [decode(record.value) for record in sent]
    assert [event.imported for event in events] == ["silent"] * 3
    assert sent == [
        Record(
            topic="leads.events.v1",
            key=partition_key(event),
            value=encode(event),
            headers=cloudevent_headers(event),
        )
        for event in events
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("die_after", range(9))
async def test_an_import_that_died_loses_nothing(tmp_path: Path, die_after: int) -> None:
    """Wherever it was: the second run sends what is left; each rejected row is kept once, with its line."""
    broker = MemoryBroker()
    await broker.start()
    jsonl(tmp_path / "h.jsonl", rows(9))
    with pytest.raises(Killed):
        await send(tmp_path, broker, die_after=die_after)
    assert (await send(tmp_path, broker)).rows == 9
    sent = [decode(record.value) for record in broker.on("leads.events.v1")]
    assert len(sent) <= 6 + 2
    assert len({event.event_id for event in sent}) == 6
    lines = [json.loads(line)["line"] for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert lines == [3, 6, 9]


@pytest.mark.asyncio
async def test_a_kafka_that_is_away_is_waited_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is said; nothing is noted as done that was not acknowledged."""
    monkeypatch.setattr("services.cli.imports.send._PAUSE_S", 0.0)
    jsonl(tmp_path / "h.jsonl", rows(4))
    broker = MemoryBroker()
    await broker.start()
    broker.away = True
    with pytest.raises(Transient):
        await send(tmp_path, broker)
    assert not (tmp_path / "state.json").exists()
    tries = 0
    publish = broker.publish

    async def back_at_the_third(records: Sequence[Record], *, deadline_s: float) -> None:
        nonlocal tries
        tries += 1
        broker.away = tries < 3
        await publish(records, deadline_s=deadline_s)

    monkeypatch.setattr(broker, "publish", back_at_the_third)
    assert (await send(tmp_path, broker)).rows == 4
    assert len(broker.on("leads.events.v1")) == 3


def test_an_event_says_that_it_is_imported_only_if_it_is() -> None:
    """Live events have the bytes they always had; who does not know the mark reads past it."""
    event = decode(
        b'{"event_id":"d6a2a4a9-0000-5000-8000-000000000001","source":"s","kind":"web","name":"n",'
        b'"occurred_at":"2026-01-01T00:00:00Z","received_at":"2026-01-01T00:00:00Z","from_the_future":1}'
    )
    assert event.imported is None
    assert b"imported" not in encode(event)
    assert event.received_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_broken_progress_is_begun_anew_on_request(tmp_path: Path) -> None:
    """The remedy that the message names works; rows that were never kept leave no hole in the file."""
    place, fresh = tmp_path / "h.jsonl.product.import.json", kept.Progress(file_sha256="x", options="")
    place.write_bytes(b"\0\0")
    with pytest.raises(Invalid, match="--again"):
        kept.begun(place, fresh, again=False)
    assert kept.begun(place, fresh, again=True) is fresh
    (tmp_path / "rejected.jsonl").write_bytes(b"{}\n")
    with RejectedRows(tmp_path / "rejected.jsonl", 100):
        assert (tmp_path / "rejected.jsonl").read_bytes() == b"{}\n"
