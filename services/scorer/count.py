"""The recipe for one batch, inside its transaction: identify, judge, deduplicate, score, store.

In: records of any partitions, the database's time. Out: rows, and a report of what was done.
Refuses to catch anything: whatever goes wrong rolls the whole batch back, and consume.py decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from services.scorer.changes import Placed
from services.scorer.identify.evidence import Evidence, evidence
from services.scorer.identify.facts import Limits, Merge
from services.scorer.identify.picture import Picture
from services.scorer.identify.place import place, place_quarantined, why_nobody
from services.scorer.imported import moved_silently
from services.scorer.judge.correct_leads import correct_leads, whole_changes
from services.scorer.judge.judge import Judge, Judged
from services.scorer.judge.marks import quarantine_reason
from services.scorer.judge.thresholds import Thresholds
from services.scorer.models.in_force import InForce, ModelsInForce
from services.scorer.offsets import Tally
from services.scorer.people.regroup_leads import Known, regroup_leads
from services.scorer.poison import CONSECUTIVE
from services.scorer.report import Report
from services.scorer.score_leads import Batch, Scored, score
from services.scorer.settle import Change, Lead
from services.scorer.store import (
    conflicts,
    dead_letters,
    events,
    histories,
    identities,
    imported,
    leads,
    merges,
)
from services.scorer.store.histories import By
from shared.codec import decode
from shared.errors import Invalid
from shared.events import Event
from shared.ids import NOBODY, EventId, Ids, LeadId
from shared.kafka.stream import Received
from shared.leads.identifiers import Identifier, IdentityRules
from shared.scoring.engine.consent import has_objected

_MOST_LOOKS: Final = 5
_NOT_TRACED: Final[Mapping[EventId, str]] = {}
_REMEDIES: Final = {
    "shared_device": "`leadscore lead release` of its device has it serve somebody again",
    "suspended_identifier": "`leadscore lead release` of its identifier believes it again",
    "nobody": "It has no identifier, or a placeholder",
}


class Decoded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record, and the event in it or why there is none."""

    record: Received
    content: Event | Invalid

    def rejected(self, reason: Invalid) -> "Decoded":
        """The same record as a dead letter."""
        return replace(self, content=reason)


def decode_records(records: Iterable[Received]) -> list[Decoded]:
    """Each record with its event; one that holds none keeps the reason."""
    return [Decoded(record=record, content=_content(record)) for record in records]


def pieces(batch: list[Decoded]) -> list[list[Decoded]]:
    """The batch, cut so that no piece has more unreadable records than may come in a row.

    Between pieces the poison limit is asked: a topic full of poison is not dead-lettered a batch at a time.
    """
    cut: list[list[Decoded]] = [[]]
    unreadable = 0
    for one in batch:
        cut[-1].append(one)
        unreadable += isinstance(one.content, Invalid)
        if unreadable == CONSECUTIVE:
            cut.append([])
            unreadable = 0
    return [piece for piece in cut if piece]


def _content(record: Received) -> Event | Invalid:
    try:
        return decode(record.value)
    except Invalid as reason:
        return reason


class BatchCounter:
    """Counts batches under the models in force."""

    def __init__(  # noqa: PLR0913 - the parts it is wired of
        self,
        *,
        models: ModelsInForce,
        rules: IdentityRules,
        topic: str,
        ids: Ids,
        limits: Limits | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.models = models
        self.rules = rules
        self.limits = limits or Limits()
        self.judge = judge or Judge(Thresholds(on=False), rules)
        self._namespaces = identities.Namespaces()
        self._topic = topic
        self._ids = ids

    async def count(
        self,
        connection: Any,
        batch: Sequence[Decoded],
        *,
        now: datetime,
        contexts: Mapping[EventId, str] = _NOT_TRACED,
    ) -> Report:
        """Count one batch in the caller's transaction.

        contexts: traced event → its `traceparent`
        """
        in_force = await self.models.read(connection)
        letters = [(one.record, one.content) for one in batch if isinstance(one.content, Invalid)]
        await dead_letters.insert(connection, self._topic, letters)
        candidates = [one for one in batch if isinstance(one.content, Event)]
        first = _first_copies(candidates)
        seen = {event: evidence(_event(one), self.rules) for event, one in first.items()}
        picture, locked = await self._look(connection, {name for one in seen.values() for name in one.all()})
        rows = self._place(await self._not_counted_before(connection, first), picture, seen)
        to_regroup = await self._store_identities(connection, picture)
        merged = {one.loser: picture.final(one.loser) for one in picture.merges}
        judged = await self.judge.batch(connection, rows, locked, merged)
        await events.insert(connection, judged.rows)
        placed = Placed(picture=picture, locked=locked, rows=judged.rows, contexts=contexts)
        scored = await _score_placed(connection, in_force, placed, now, judged)
        return Report(
            tallies=_tallies(batch, first, judged.rows),
            quarantined=Counter(row.quarantine for row in judged.rows if row.quarantine),
            changed=judged.changes(),
            to_look=judged.to_look,
            passed=scored.passed,
            merged=len(picture.merges),
            refused=len(picture.conflicts),
            suspended=picture.suspended,
            shared=picture.shared,
            to_regroup=to_regroup,
            refolded=scored.refolded,
        )

    async def recount(
        self, connection: Any, in_force: InForce, due: Sequence[Lead], *, now: datetime
    ) -> Report:
        """Judge leads again because time has passed, in the caller's transaction.

        in_force:  read in this transaction, before any lead was locked
        """
        changes = [Change(lead=lead, judged=lead.event_count > 0) for lead in due]
        scored = await score(connection, in_force, changes, Batch(now=now))
        return Report(passed=scored.passed, refolded=scored.refolded)

    async def regroup(
        self,
        connection: Any,
        in_force: InForce,
        start: Sequence[LeadId],
        *,
        rescore: bool = False,
        taken: events.Row | None = None,
    ) -> Report:
        """Group these leads anew from their history, in the caller's transaction.

        rescore: score them even if all of them stay the people they were
        taken:   an event of theirs that somebody quarantined just now
        """
        people = Known(rules=self.rules, limits=self.limits, ids=self._ids, judge=self.judge)
        return await regroup_leads(connection, start, in_force, people, rescore=rescore, taken=taken)

    async def take_in(self, connection: Any, in_force: InForce, row: events.Row, by: By) -> LeadId:
        """Count a quarantined event, as one that comes now and happened then; returns its lead.

            row: as it is stored; in the caller's transaction

        Raises Invalid (`of_nobody`) if it names nobody who may have it.
        """
        now: datetime = await connection.fetchval("SELECT now()")
        seen = evidence(row.event, self.rules)
        picture, locked = await self._look(connection, set(seen.all()))
        lead = place(picture, seen)
        if lead == NOBODY:
            reason = why_nobody(picture, seen)
            raise Invalid("of_nobody", f"this event cannot count for anybody: {reason}. {_REMEDIES[reason]}")
        lead = picture.final(lead)
        await self._store_identities(connection, picture)
        await histories.release(connection, [row.event], lead, by)
        placed = Placed(picture=picture, locked=locked, rows=[replace(row, lead=lead, quarantine=None)])
        await _score_placed(connection, in_force, placed, now, Judged())
        return lead

    async def correct(
        self, connection: Any, in_force: InForce, locked: Mapping[LeadId, Lead], judged: Judged
    ) -> Report:
        """Score these leads anew, of which stored events count no more or again, in the caller's transaction.

        locked: by the caller, before the events were changed
        """
        now: datetime = await connection.fetchval("SELECT now()")
        active, changes = in_force.active, whole_changes(locked)
        changes = await correct_leads(connection, changes, judged, active, now)
        scored = await score(connection, in_force, changes, Batch(now=now, corrected=judged.why))
        return Report(passed=scored.passed, refolded=scored.refolded, changed=judged.changes())

    async def _look(self, connection: Any, wanted: set[Identifier]) -> tuple[Picture, dict[LeadId, Lead]]:
        """Lock every lead that the batch may touch, and know whose each identifier is under those locks.

        Identifiers can change owner between reading them and locking, so they are read again under the
        locks until both readings agree.
        """
        seen = await identities.look(connection, wanted)
        for _ in range(_MOST_LOOKS):
            locked, merged_meanwhile = await leads.lock(connection, seen.leads)
            again = await identities.look(connection, wanted)
            if again == seen and not merged_meanwhile:
                facts = {lead: row.facts for lead, row in locked.items()}
                owners = seen.owners()
                served = {lead for held in owners.values() if held.recent for lead in held.recent.leads}
                into = await merges.ends(connection, served - locked.keys())
                latest = {lead: row.last_seen_at for lead, row in locked.items()}
                made = Picture(owners, facts, self.fresh_lead, self.limits, into=into, latest=latest)
                made.objecting |= {lead for lead, row in locked.items() if has_objected(row.state)}
                return made, locked
            seen = again
        raise identities.IdentityRace("the identities of this batch kept changing")

    async def _not_counted_before(self, connection: Any, first: Mapping[EventId, Decoded]) -> list[Decoded]:
        """Those that have no row yet. Asked under the leads' locks: that makes the answer final."""
        if not first:
            return []
        some = [_event(one) for one in first.values()]
        known = await events.known(connection, some) | await imported.known(connection, some)
        return [one for event, one in first.items() if event not in known]

    def _place(
        self, fresh: Sequence[Decoded], picture: Picture, seen: Mapping[EventId, Evidence]
    ) -> list[events.Row]:
        """Give every event its lead; after merges within the batch, the lead that is left."""
        placed = []
        for one in fresh:
            event = _event(one)
            quarantine = quarantine_reason(event)
            put = place_quarantined if quarantine else place
            lead = put(picture, seen[event.event_id])
            if lead == NOBODY and not quarantine:
                quarantine = why_nobody(picture, seen[event.event_id])
            placed.append((one, lead, quarantine))
        return [
            events.Row(
                event=_event(one), lead=picture.final(lead), quarantine=quarantine, body=one.record.value
            )
            for one, lead, quarantine in placed
        ]

    async def _store_identities(self, connection: Any, picture: Picture) -> int:
        """Write what placing the events decided about people; returns how many regroups it asks for."""
        await merges.write(connection, _merges(picture))
        given = {one: held._replace(lead=picture.final(held.lead)) for one, held in picture.given.items()}
        new = {one: held for one, held in given.items() if one in picture.new}
        await self._namespaces.note(connection, new)
        await identities.attach(connection, new)
        await identities.change(connection, {one: held for one, held in given.items() if one not in new})
        return await conflicts.request(connection, await self._to_regroup(connection, picture))

    async def _to_regroup(self, connection: Any, picture: Picture) -> list[set[LeadId]]:
        """Leads that their history may group otherwise; a conflict that came in its time says nothing new."""
        news = await conflicts.note(connection, list(picture.conflicts.values()))
        pairs = {pair: {picture.owner(one) for one in pair if one in picture.owners} for pair in news}
        in_time = {lead for pair in pairs.keys() - picture.late for lead in pairs[pair]}
        if not await identities.any_of_before(connection, in_time):
            pairs = {pair: both for pair, both in pairs.items() if pair in picture.late}
        late_uses = ({*map(picture.final, both)} for both in picture.late_uses)
        return [*pairs.values(), *late_uses, *({picture.final(one)} for one in picture.review)]

    def fresh_lead(self) -> LeadId:
        """The id of a new lead."""
        return LeadId(self._ids.fresh())


async def _score_placed(
    connection: Any, in_force: InForce, placed: Placed, now: datetime, judged: Judged
) -> Scored:
    received = {row.event.event_id: row.event.received_at for row in placed.rows}
    origin = Batch(
        now=now,
        received=received,
        losers=placed.losers,
        silent=moved_silently(placed.counted),
        corrected=judged.why,
        contexts=placed.contexts,
    )
    changes = placed.changes(in_force.active, now)
    if judged.corrected:
        changes = await correct_leads(connection, changes, judged, in_force.active, now)
    return await score(connection, in_force, changes, origin)


def _merges(picture: Picture) -> list[Merge]:
    """Merges of leads that the database has, each with the lead that is left in the end."""
    born = set(picture.created)
    return [
        Merge(winner=picture.final(merge.winner), loser=merge.loser, cause=merge.cause)
        for merge in picture.merges
        if merge.loser not in born
    ]


def _tallies(
    batch: Sequence[Decoded], first: Mapping[EventId, Decoded], rows: Sequence[events.Row]
) -> dict[int, Tally]:
    """What became of the records of each partition."""
    where = {event: one.record.partition for event, one in first.items()}
    taken = Counter(one.record.partition for one in batch)
    dead = Counter(one.record.partition for one in batch if isinstance(one.content, Invalid))
    counted = Counter(where[row.event.event_id] for row in rows if row.quarantine is None)
    quarantined = Counter(where[row.event.event_id] for row in rows if row.quarantine is not None)
    return {
        number: Tally(
            counted=counted[number],
            duplicate=records - counted[number] - quarantined[number] - dead[number],
            quarantined=quarantined[number],
            dead_lettered=dead[number],
        )
        for number, records in taken.items()
    }


def _first_copies(batch: Iterable[Decoded]) -> dict[EventId, Decoded]:
    """Each event once, in order of arrival."""
    first: dict[EventId, Decoded] = {}
    for one in batch:
        first.setdefault(_event(one).event_id, one)
    return first


def _event(one: Decoded) -> Event:
    assert isinstance(one.content, Event)
    return one.content
