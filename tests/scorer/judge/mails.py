"""Mails, clicks and visits as little words, in a town where they are judged."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.cli.reconcile.walk import reconcile
from services.scorer.judge.neighbours import Neighbours
from services.scorer.offsets import Tally
from shared.codec import decode
from shared.database import transaction
from shared.events import Event, Kind
from shared.ids import event_id
from tests.scorer.identity.people import Town, decoded

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(days=6)
"""When the first mail is delivered."""

ADA = "ada@firma.example"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/146.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/146.0"
HOME, GATEWAY = "198.51.100.0", "203.0.113.0"

BOOK = """
INSERT INTO partition_offsets (consumer_group, topic, partition, epoch, generation, owner,
  started_at_offset, next_offset, counted, quarantined, duplicate)
SELECT 'g', 't', (SELECT count(*) FROM partition_offsets), 1, 1, 'test', 0, $1::bigint + $2 + $3, $1, $2, $3
"""
TABLES = "event_verdicts, domain_clicks, partition_offsets, quarantine_changes"


def happened(
    message: str, name: str, at_s: float, *, kind: Kind = "email", source: str = "mail", **fields: Any
) -> Event:
    """Something that happens so many seconds after T0."""
    at = T0 + timedelta(seconds=at_s)
    return Event(
        event_id=event_id(source, message),
        source=source,
        kind=kind,
        name=name,
        occurred_at=at,
        received_at=at + timedelta(seconds=1),
        extra={"message": message},
        **fields,
    )


def delivered(at_s: float = 0, *, mail: str = "m1", who: str = ADA) -> Event:
    return happened(f"delivered {mail} {who}", "email.delivered", at_s, email=who, properties=_of(mail))


def opened(at_s: float, *, mail: str = "m1", who: str = ADA, ip: str = HOME, agent: str = MAC) -> Event:
    return happened(
        f"opened {mail} {who} {at_s}",
        "email.opened",
        at_s,
        email=who,
        properties=_of(mail),
        context={"ip": ip, "user_agent": agent},
    )


def clicked(
    at_s: float,
    link: str = "/offer",
    *,
    mail: str = "m1",
    who: str = ADA,
    ip: str = HOME,
    agent: str = MAC,
) -> Event:
    return happened(
        f"clicked {mail} {link} {who} {at_s}",
        "email.clicked",
        at_s,
        email=who,
        properties={**_of(mail), "url": f"https://firma.example{link}"},
        context={"ip": ip, "user_agent": agent},
    )


def viewed(at_s: float, path: str = "/offer", *, who: str = "u1", ip: str = HOME, **fields: Any) -> Event:
    return happened(
        f"viewed {path} {who} {at_s}",
        "page.viewed",
        at_s,
        kind="web",
        source="web",
        user_id=who,
        context={"page": {"path": path}, "ip": ip, "user_agent": MAC},
        **fields,
    )


def sent_form(at_s: float, *, who: str = ADA) -> Event:
    return happened(f"form {who} {at_s}", "form.submitted", at_s, kind="form", source="forms", email=who)


def scan(at_s: float, links: int, *, mail: str = "m1", ip: str = GATEWAY, who: str = ADA) -> list[Event]:
    """A gateway clicks so many links, all at one moment."""
    return [clicked(at_s, f"/link-{n}", mail=mail, ip=ip, agent=WINDOWS, who=who) for n in range(links)]


def _of(mail: str) -> dict[str, Any]:
    return {"sg_message_id": f"{mail}.filter{hash(mail) % 7}"}


@dataclass(slots=True, kw_only=True)
class MailTown(Town):
    """A town where mails are judged, with the books of what was counted."""

    neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        Town.__post_init__(self)
        self.neighbours = Neighbours(database=self.engine, counter=self.counter)

    async def clear(self) -> None:
        await Town.clear(self)
        async with transaction(self.engine) as connection:
            await connection.execute(f"TRUNCATE {TABLES}")

    async def count(self, *events: Event) -> None:
        """Count these as one batch, and do what it asks for right after it."""
        async with transaction(self.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            report = await self.counter.count(connection, [decoded(one) for one in events], now=now)
            tally = report.tallies.get(0) or Tally()
            await connection.execute(BOOK, tally.counted, tally.quarantined, tally.duplicate)
        await self.regroup.work_off()
        await self.neighbours.work_off()

    async def in_batches(self, batches: Sequence[Sequence[Event]]) -> None:
        """Forget everybody, and count these batches."""
        await self.clear()
        for batch in batches:
            await self.count(*batch)

    async def not_counted(self) -> dict[str, str]:
        """Each event that does not count, with the reason."""
        rows = await self.fetch("SELECT body, quarantine FROM events WHERE quarantine IS NOT NULL")
        return {decode(row["body"]).extra["message"]: row["quarantine"] for row in rows}

    async def score(self, who: str = ADA) -> int:
        """The score of the one lead with this address."""
        rows = await self.fetch(
            "SELECT l.score FROM leads l WHERE merged_into IS NULL AND l.lead_id IN (SELECT e.lead_id FROM "
            "events e WHERE convert_from(body, 'UTF8')::jsonb ->> 'email' = $1)",
            who,
        )
        return int(rows[0]["score"])

    async def clean(self) -> None:
        """Nothing is off, the books included; each verdict is about an event that does not count."""
        assert (await reconcile(self.engine)).document()["faults"] == []
        off = "SELECT 1 FROM event_verdicts v JOIN events e USING (event_id) WHERE e.quarantine IS NULL"
        assert await self.fetch(off) == []


def orders(events: Sequence[Event], seed: int = 0, random_ones: int = 4) -> Iterator[list[list[Event]]]:
    """The same events at once, one by one, backwards, and by chance."""
    chance = random.Random(seed)
    yield [list(events)]
    yield [[one] for one in events]
    yield [[one] for one in reversed(events)]
    for _ in range(random_ones):
        yield cut(chance.sample(events, len(events)), chance)


def cut(events: Sequence[Event], chance: random.Random) -> list[list[Event]]:
    """These in batches of random size."""
    batches, rest = [], list(events)
    while rest:
        size = chance.randint(1, 4)
        batches.append(rest[:size])
        rest = rest[size:]
    return batches
