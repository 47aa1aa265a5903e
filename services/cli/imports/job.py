"""One import from the first row to the last: what is needed for it is opened, and closed however it ends.

In: a `Wish`, the environment of the services (sources.yaml, Kafka, Postgres). Out: a `Job`: what is done.
Refuses an unknown source or time zone, naming those that would work.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaConsumer

from services.cli.imports import progress as kept
from services.cli.imports.history_event import Origin
from services.cli.imports.pace import Backlog, Pace
from services.cli.imports.progress import Progress
from services.cli.imports.read import Reading
from services.cli.imports.rejected import RejectedRows
from services.cli.imports.send import Importer, Sender, Understood
from services.cli.imports.understand import Meaning
from services.cli.kafka import producer
from services.cli.session import database
from services.ingest import source_file
from services.ingest.publish import ParcelPublisher
from services.ingest.registry import Source
from services.ingest.settings import IngestSettings
from services.ingest.sources.provider import providers
from shared.errors import Invalid, Misconfigured
from shared.kafka import connect
from shared.plugins import packages
from shared.settings import load

_CLIENT: Final = "leadscore-import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to have imported, and how; the options of the command."""

    file: Path
    source: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    event: str = ""
    encoding: str = "utf-8-sig"
    zone: str = ""
    deliver: bool = False
    dry_run: bool = False
    again: bool = False
    ahead: int = 0

    def options(self) -> str:
        """Those that decide what a row means: an import goes on with the same ones only."""
        said = [f"--map {column}={name}" for column, name in sorted(self.renamed.items())]
        said += [f"--event {self.event}"] if self.event else []
        said += [f"--encoding {self.encoding}"] if self.encoding != "utf-8-sig" else []
        said += [f"--zone {self.zone}"] if self.zone else []
        said += ["--deliver"] if self.deliver else []
        return " ".join(said) or "none"


@dataclass(slots=True)
class Told:
    """What is said while it goes on, and at the end; of this run, not of those before it.

    rows:  also of those before; `done` is which share of the file they are
    show:  puts a line and a share of the file on the screen
    """

    rows: int = 0
    sent: int = 0
    done: float = 0.0
    began_s: float = field(default_factory=monotonic)
    seconds: float = 0.0
    unused: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    show: Callable[[str, float], None] = lambda _text, _done: None

    def note(self, understood: Understood, rows: int, done: float) -> None:
        """One chunk more is done; `rows` are done of the file, and this share of it."""
        self.rows, self.done, self.sent = rows, done, self.sent + len(understood.events)
        self.seconds = monotonic() - self.began_s
        self.unused.update(understood.unused)
        for line, _, _, error in understood.refused:
            self.codes[error.code] += 1
            self.examples.setdefault(error.code, f"line {line}: {error.message}")
        rate = self.sent / self.seconds if self.seconds else 0
        self.show(f"{rows:,} rows, {rate:,.0f} events/s", done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An import that is over; `rejected` is the file of rejected rows."""

    progress: Progress
    rejected: Path
    dry_run: bool = False
    nothing_to_do: bool = False


async def import_file(wish: Wish, told: Told) -> Job:
    """Import what is wished, or what is left of it."""
    settings = load(IngestSettings)
    origin = Origin(source=_source(settings, wish.source), mark="deliver" if wish.deliver else "silent")
    meaning = Meaning(renamed=wish.renamed, event=wish.event, zone=_zone(wish.zone), limits=settings.limits())
    fresh = Progress(file_sha256=await asyncio.to_thread(_digest, wish.file), options=wish.options())
    place = kept.beside(wish.file, wish.source)
    progress = fresh if wish.dry_run else kept.begun(place, fresh, again=wish.again)
    kind = "dry-run.rejected" if wish.dry_run else "rejected"
    rejected = wish.file.with_name(f"{wish.file.name}.{wish.source}.{kind}.jsonl")
    if progress.finished:
        return Job(progress=progress, rejected=rejected, nothing_to_do=True)
    if not wish.dry_run:
        # Before anything is sent: where nothing can be kept, no import could ever be finished.
        kept.keep(place, progress)
    reading = Reading(wish.file, wish.encoding, meaning.columns_of_ids())
    told.rows, told.began_s = progress.rows, monotonic()

    def note(understood: Understood) -> None:
        progress.rows += understood.rows
        progress.sent += len(understood.events)
        progress.rejected += len(understood.refused)
        progress.rejected_bytes = rows_rejected.written()
        if not wish.dry_run:
            kept.keep(place, progress)
        told.note(understood, progress.rows, reading.done)

    with RejectedRows(rejected, progress.rejected_bytes) as rows_rejected:
        async with _ways(settings, wish, origin, told) as (publish, pace):
            importer = Importer(
                meaning=meaning,
                origin=origin,
                rejected=rows_rejected,
                publish=publish,
                pace=pace,
                note=note,
            )
            await importer.run(reading.rows(), progress.rows)
    progress.finished = True
    if not wish.dry_run:
        kept.keep(place, progress)
    return Job(progress=progress, rejected=rejected, dry_run=wish.dry_run)


@asynccontextmanager
async def _ways(
    settings: IngestSettings, wish: Wish, origin: Origin, told: Told
) -> AsyncIterator[tuple[Callable[[Understood], Awaitable[None]], Callable[[], Awaitable[None]]]]:
    """How chunks are published, and how the scorer is waited for; a dry run does neither."""
    if wish.dry_run:
        yield _nowhere, _at_once
        return
    where = connect.connection(settings, _CLIENT)
    topics = connect.topics(settings)
    async with producer(where) as publisher:
        sender = Sender(ParcelPublisher(publisher, topics), origin)
        if not wish.ahead:
            yield sender.send, _at_once
            return
        consumer = AIOKafkaConsumer(topics.events, **where.arguments(), enable_auto_commit=False)
        async with database() as pool:
            await consumer.start()
            try:
                backlog = Backlog(consumer, pool, topics.events)
                yield sender.send, Pace(backlog, wish.ahead, lambda n: _waits(told, n)).wait
            finally:
                await consumer.stop()


async def _nowhere(_: Understood) -> None:
    """Where a dry run sends."""


async def _at_once() -> None:
    """How long a dry run waits."""


def _waits(told: Told, waiting: int) -> None:
    told.show(f"{told.rows:,} rows; waiting for the scorer, {waiting:,} records before us", told.done)


def _source(settings: IngestSettings, name: str) -> Source:
    try:
        text = settings.sources_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "The sources cannot be read:",
            [f"{settings.sources_file}: {error}. Set LEADSCORE_INGEST_SOURCES_FILE to a sources.yaml"],
        ) from error
    known = providers(packages(settings.providers))
    sources = source_file.read(
        text, file=str(settings.sources_file), environment=os.environ, known=known
    ).sources
    if name not in sources:
        raise Invalid(
            "unknown_source",
            f"--source {name}: {settings.sources_file} has no such source. "
            f"Sources: {', '.join(sorted(sources))}",
        )
    return sources[name]


def _zone(name: str) -> ZoneInfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise Invalid(
            "unknown_zone", f"--zone {name}: no such time zone. Write Europe/Berlin, or UTC"
        ) from error


def _digest(path: Path) -> str:
    try:
        return kept.digest(path)
    except OSError as error:
        raise Invalid("unreadable_file", f"{path}: {error.strerror}. Give a file that can be read") from error
