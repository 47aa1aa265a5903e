"""Events as little words, and who is who afterwards: what identity tests speak in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.cli.reconcile.walk import reconcile
from services.scorer.count import BatchCounter, Decoded
from services.scorer.identify.evidence import evidence
from services.scorer.people.requests import Regroup
from shared.codec import decode, encode
from shared.database import transaction
from shared.events import Event, Kind
from shared.ids import EventId, LeadId, event_id
from shared.kafka.stream import Received
from shared.leads.identifiers import IdentityRules
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.score import score

RULES = IdentityRules(key=b"an identity key for tests")
START = datetime(2026, 11, 1, tzinfo=UTC)

TABLES = (
    "leads, identities, events, lead_due, lead_merges, transitions, identity_conflicts, "
    "identity_decisions, identity_namespaces, regroups, deliveries"
)


def seen(number: int, *, source: str = "product", kind: Kind = "product", **fields: Any) -> Event:
    """The event that happens `number` minutes after the start."""
    at = START + timedelta(minutes=number)
    message = fields.pop("message", f"m{number}")
    return Event(
        event_id=event_id(source, message),
        source=source,
        kind=kind,
        name=fields.pop("name", "page.viewed"),
        occurred_at=at,
        received_at=at,
        **fields,
    )


@dataclass(slots=True, kw_only=True)
class Town:
    """A database in which events are counted in batches of our choice."""

    engine: AsyncEngine
    counter: BatchCounter
    model: Compiled
    regroup: Regroup = field(init=False)

    def __post_init__(self) -> None:
        self.regroup = Regroup(database=self.engine, counter=self.counter)

    async def clear(self) -> None:
        """Forget everybody."""
        async with transaction(self.engine) as connection:
            await connection.execute(f"TRUNCATE {TABLES}")

    async def count(self, *events: Event) -> None:
        """Count these as one batch, and regroup whom it asks to regroup."""
        batch = [decoded(event) for event in events]
        async with transaction(self.engine) as connection:
            now = await connection.fetchval("SELECT now()")
            await self.counter.count(connection, batch, now=now)
        await self.regroup.work_off()

    async def fetch(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of a query."""
        async with transaction(self.engine) as connection:
            return [dict(row) for row in await connection.fetch(sql, *arguments)]

    async def bodies(self) -> list[bytes]:
        """Every stored event."""
        return [row["body"] for row in await self.fetch("SELECT body FROM events")]

    async def people(self) -> dict[LeadId, set[str]]:
        """Each known lead with the user ids and addresses it has, as the events spelled them."""
        texts: dict[bytes, str] = {}
        for body in await self.bodies():
            _name(decode(body), texts)
        owners = await self.fetch(
            "SELECT i.value, i.lead_id FROM identities i WHERE kind <> 'anonymous_id' AND status = 'in_use'"
        )
        found: dict[LeadId, set[str]] = {}
        for row in owners:
            found.setdefault(row["lead_id"], set()).add(texts[row["value"]])
        return found

    async def whose(self) -> dict[EventId, LeadId]:
        """Each event with the lead it counts for, merges followed."""
        rows = await self.fetch(
            "SELECT event_id, coalesce(l.merged_into, e.lead_id) AS lead "
            "FROM events e LEFT JOIN leads l USING (lead_id)"
        )
        return {row["event_id"]: LeadId(row["lead"]) for row in rows}


async def consistent(town: Town) -> None:
    """What is stored of leads, identifiers and events agrees with itself, and each score with its history."""
    whose = await town.whose()
    events = {one.event_id: one for one in map(decode, await town.bodies())}
    owners = {
        (row["kind"], row["value"]): row
        for row in await town.fetch("SELECT kind, value, lead_id, status FROM identities")
    }
    live = {row["lead_id"]: row for row in await town.fetch("SELECT * FROM leads WHERE merged_into IS NULL")}
    for row in await town.fetch("SELECT * FROM identity_conflicts"):
        sides = [owners.get((row[f"{side}_kind"], row[f"{side}_value"])) for side in ("one", "other")]
        leads = [side["lead_id"] for side in sides if side]
        assert len(leads) == len(set(leads))
    for event in events.values():
        said = evidence(event, RULES)
        if said.strong:
            one = next(one for one in (said.strong[0], said.former) if one and one[:2] in owners)
            assert whose[event.event_id] == owners[one[:2]]["lead_id"]
    assert {row["lead_id"] for row in owners.values()} <= live.keys()
    for lead, row in live.items():
        mine = [event for event in events.values() if whose[event.event_id] == lead]
        held = [(kind, one) for (kind, _), one in owners.items() if one["lead_id"] == lead]
        assert row["event_count"] == len(mine)
        assert row["emails"] == sum(kind == "email" for kind, _ in held)
        assert row["known"] == any(kind != "anonymous_id" for kind, _ in held)
        assert row["score"] == score(town.model, mine, row["scored_at"]).total
    # These towns take no records from partitions, so that there are no books.
    off = (await reconcile(town.engine)).document()["faults"]
    assert [fault for fault in off if fault["check"] != "books_events"] == []


def decoded(event: Event) -> Decoded:
    """The event as a batch has it."""
    record = Received(partition=0, offset=0, timestamp_ms=0, key=b"", value=encode(event))
    return Decoded(record=record, content=event)


def _name(event: Event, texts: dict[bytes, str]) -> None:
    """Note what the hashes of this event's identifiers stand for."""
    said = evidence(event, RULES)
    for one in said.strong:
        if one.kind == "email":
            texts[one.value] = next(
                RULES.normal_address(text)
                for text in (event.email, event.user_id)
                if text and RULES.address(text) == one
            )
        else:
            texts[one.value] = f"{one.namespace}:{event.user_id}"
