"""The recipe of a judgement, in the transaction of a batch or of whoever changed what is known of somebody.

In: rows of a batch that have their leads, or leads. Out: `Judged`: rows as they have to be written, stored
events that count no longer, or again. Refuses to decide: verdicts.py and differences.py do.

The caller holds the locks of the leads: nobody else judges them meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from services.scorer.judge.acts import act
from services.scorer.judge.differences import Differences, differences, doubted
from services.scorer.judge.news import WHOLE, Span, held_span, news, with_a_delivery
from services.scorer.judge.recipients import click_of
from services.scorer.judge.signals import NEIGHBOURS, REASONS, Verdict
from services.scorer.judge.thresholds import Thresholds
from services.scorer.judge.verdicts import verdicts
from services.scorer.settle import Lead
from services.scorer.store import domain_clicks, events, histories
from services.scorer.store import verdicts as stored_verdicts
from services.scorer.store.histories import BY_JUDGE, By, Row
from shared.events import EMAIL_CLICKED, Event
from shared.ids import NOBODY, EventId, LeadId
from shared.leads.identifiers import IdentityRules

Rows = Mapping[LeadId, Sequence[Row]]


@dataclass(slots=True, kw_only=True)
class Judged:
    """What a judgement changes.

    rows:     of the batch, as they have to be written
    taken:    lead → stored events that do not count any more; `why`: the reasons
    released: lead → stored events that count again
    to_look:  clicks whose neighbours have to be looked at after the batch
    """

    rows: list[events.Row] = field(default_factory=list)
    taken: dict[LeadId, list[Event]] = field(default_factory=dict)
    why: dict[LeadId, list[str]] = field(default_factory=dict)
    released: dict[LeadId, list[Event]] = field(default_factory=dict)
    to_look: int = 0

    @property
    def corrected(self) -> set[LeadId]:
        """The leads of which stored events changed."""
        return self.taken.keys() | self.released.keys()

    def add(self, lead: LeadId, event: Event, reason: str) -> None:
        """Note one more event that was taken back."""
        self.taken.setdefault(lead, []).append(event)
        self.why[lead] = sorted({*self.why.get(lead, ()), reason})

    def give_back(self, lead: LeadId, event: Event) -> None:
        """Note one more event that counts again."""
        self.released.setdefault(lead, []).append(event)

    def changes(self) -> Counter[str]:
        """How many stored events were taken back and released, by the names of the metric's labels."""
        number = {"taken_back": self.taken, "released": self.released}
        return Counter({name: sum(map(len, some.values())) for name, some in number.items()})


class Judge:
    """Judges under thresholds.

    rules:    how addresses are told apart; keys the hashes of domains
    private:  domains at which people have private addresses, read when they are needed first
    """

    def __init__(
        self,
        limits: Thresholds,
        rules: IdentityRules,
        private: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.limits = limits
        self._rules = rules
        self._read_private = private

    @cached_property
    def private(self) -> frozenset[str]:
        """Domains of which several recipients say nothing."""
        return self._read_private()

    async def batch(
        self,
        connection: Any,
        rows: list[events.Row],
        locked: Mapping[LeadId, Lead],
        merged: Mapping[LeadId, LeadId],
    ) -> Judged:
        """Judge what a batch brings.

        locked:  the leads as they were before the batch
        merged:  leads that were merged away in it, each with the one that is left
        """
        if not self.limits.on:
            return Judged(rows=rows)
        await stored_verdicts.follow(connection, merged)
        brought = news(rows, locked, self.limits)
        spans = brought.mails
        sent = brought.sent
        clicked = {lead: with_a_delivery(span, self.limits) for lead, span in sent.items()}
        for lead in await stored_verdicts.clicked(connection, clicked):
            spans[lead] = sent[lead]
        if brought.proofs or merged:
            await self._widen(connection, spans, brought.proofs, locked, merged)
        if not spans:
            return Judged(rows=rows)
        to_look = await self._note_clicks(connection, rows)
        judged = await self._judge(connection, spans, rows)
        judged.to_look = to_look
        return judged

    async def leads(self, connection: Any, leads: Iterable[LeadId]) -> Judged:
        """Judge all that is stored of these leads."""
        return await self.spans(connection, dict.fromkeys(leads, WHOLE))

    async def spans(self, connection: Any, spans: Mapping[LeadId, Span]) -> Judged:
        """Judge what is stored of these leads in these times."""
        return await self._judge(connection, spans, []) if self.limits.on and spans else Judged()

    async def _widen(
        self,
        connection: Any,
        spans: dict[LeadId, Span],
        proofs: Mapping[LeadId, Sequence[datetime]],
        locked: Mapping[LeadId, Lead],
        merged: Mapping[LeadId, LeadId],
    ) -> None:
        """Add those of whom a proof or a merge may change what is held against them."""
        held = await stored_verdicts.held(connection, {*proofs, *merged.values()})
        for lead in proofs.keys() & held.keys():
            span = held_span(proofs[lead], held[lead], self.limits)
            spans[lead] = span.with_(spans[lead]) if lead in spans else span
        for loser, winner in merged.items():
            both_known = all(one in locked and locked[one].facts.known for one in (loser, winner))
            if winner in held or winner in spans or both_known:
                spans[winner] = WHOLE

    async def _judge(self, connection: Any, spans: Mapping[LeadId, Span], rows: list[events.Row]) -> Judged:
        stored = await stored_verdicts.read(
            connection, {lead: spans[lead].around().around() for lead in spans}
        )
        fresh = _fresh(rows, spans)
        found = await self._verdicts(connection, stored, fresh)
        if weak := _weak(found):
            later = await stored_verdicts.read(connection, self._proof_spans(weak, stored, fresh))
            seen = {lead: _with(stored[lead], later[lead]) for lead in later}
            found |= await self._verdicts(connection, {**stored, **seen}, fresh, only=later.keys())
        return await self._write(connection, spans, stored, found, rows)

    async def _verdicts(
        self, connection: Any, stored: Rows, fresh: Rows, only: Iterable[LeadId] | None = None
    ) -> dict[LeadId, dict[EventId, Verdict]]:
        leads = list(stored if only is None else only)
        known = {lead: [*stored[lead], *fresh.get(lead, ())] for lead in leads}
        clicks = [row for some in known.values() for row in some if row.event.name == EMAIL_CLICKED]
        crowded = await self._crowded(connection, clicks)
        return {
            lead: verdicts([act(row.event, believed=_believed(row)) for row in some], crowded, self.limits)
            for lead, some in known.items()
        }

    async def _crowded(self, connection: Any, clicks: Sequence[Row]) -> set[EventId]:
        """Those of these clicks that had neighbours; domain_clicks forgets that, the event's row does not."""
        if not self.limits.looks_at_neighbours:
            return set()
        known = {row.event.event_id for row in clicks if row.quarantine == NEIGHBOURS}
        return known | await domain_clicks.crowded(connection, (row.event.event_id for row in clicks))

    def _proof_spans(
        self, weak: Mapping[LeadId, set[EventId]], stored: Rows, fresh: Rows
    ) -> dict[LeadId, Span]:
        """Where a proof may lie that lifts what is weakly held."""
        spans = {}
        for lead, doubtful in weak.items():
            times = [
                row.event.occurred_at
                for row in (*stored[lead], *fresh.get(lead, ()))
                if row.event.event_id in doubtful
            ]
            last = max(times) + timedelta(days=self.limits.proof_days)
            spans[lead] = Span(min(times), last).around()
        return spans

    async def _write(
        self,
        connection: Any,
        spans: Mapping[LeadId, Span],
        stored: Rows,
        found: Mapping[LeadId, Mapping[EventId, Verdict]],
        rows: list[events.Row],
    ) -> Judged:
        """Write what changes of stored events; the rows of the batch are left to the caller."""
        within = {
            lead: [row for row in some if spans[lead].around().holds(row.event.occurred_at)]
            for lead, some in stored.items()
        }
        asked = [event for lead, some in within.items() for event in doubted(some, found[lead])]
        by_hand = await stored_verdicts.released_by_hand(connection, asked)
        judged, upheld, gone = Judged(rows=_judged_rows(rows, found)), _of_batch(rows, found), list(by_hand)
        every = {lead: differences(some, found[lead], by_hand) for lead, some in within.items()}
        await _apply(connection, every.values())
        for lead, made in every.items():
            upheld += [(row._replace(lead=lead), verdict) for row, verdict in made.upheld]
            gone += [row.event.event_id for row in made.released]
            if made.taken:
                judged.taken[lead] = [row.event for row, _ in made.taken]
                judged.why[lead] = sorted({verdict.reason for _, verdict in made.taken})
            if made.released:
                judged.released[lead] = [row.event for row in made.released]
        await stored_verdicts.keep(connection, upheld)
        await stored_verdicts.forget(connection, gone)
        return judged

    async def _note_clicks(self, connection: Any, rows: Iterable[events.Row]) -> int:
        """Note who of which company clicked; returns how many clicks that are."""
        if not self.limits.looks_at_neighbours:
            return 0
        clicks = [
            made
            for row in rows
            if row.event.name == EMAIL_CLICKED
            and row.lead != NOBODY
            and row.event.machine is None
            and (made := click_of(row.event, row.lead, self._rules, self.private))
        ]
        await domain_clicks.note(connection, clicks, self.limits.recipients)
        return len(clicks)


async def _apply(connection: Any, every: Iterable[Differences]) -> None:
    """Quarantine and release stored events, alike ones at once."""
    alike: defaultdict[Verdict, list[Event]] = defaultdict(list)
    released = []
    for made in every:
        released += [row.event for row in made.released]
        for row, verdict in (*made.taken, *made.renamed):
            alike[verdict].append(row.event)
    for verdict, events_ in sorted(alike.items()):
        by = By(name=BY_JUDGE, note="; ".join(verdict.signals))
        await histories.quarantine(connection, events_, verdict.reason, by, lead=None)
    if released:
        by = By(name=BY_JUDGE, note="a person was there")
        await histories.release(connection, released, None, by)


def _believed(row: Row) -> bool:
    return row.quarantine is None or row.quarantine in REASONS


def _fresh(rows: Iterable[events.Row], spans: Mapping[LeadId, Span]) -> dict[LeadId, list[Row]]:
    found: defaultdict[LeadId, list[Row]] = defaultdict(list)
    for row in rows:
        if row.lead in spans:
            found[row.lead].append(Row(row.event, row.lead, row.quarantine))
    return dict(found)


def _weak(found: Mapping[LeadId, Mapping[EventId, Verdict]]) -> dict[LeadId, set[EventId]]:
    """Lead → its events against which only something weak is held."""
    weak = {lead: {event for event, one in some.items() if one.weak} for lead, some in found.items()}
    return {lead: some for lead, some in weak.items() if some}


def _with(some: Iterable[Row], more: Iterable[Row]) -> list[Row]:
    return list({row.event.event_id: row for row in (*some, *more)}.values())


def _judged_rows(
    rows: Iterable[events.Row], found: Mapping[LeadId, Mapping[EventId, Verdict]]
) -> list[events.Row]:
    """The rows of the batch, each with what the judge says of it; a mark goes first."""
    return [
        replace(row, quarantine=verdict.reason) if verdict and row.quarantine is None else row
        for row in rows
        for verdict in (found.get(row.lead, {}).get(row.event.event_id),)
    ]


def _of_batch(
    rows: Iterable[events.Row], found: Mapping[LeadId, Mapping[EventId, Verdict]]
) -> list[tuple[Row, Verdict]]:
    return [
        (Row(row.event, row.lead, verdict.reason), verdict)
        for row in rows
        if row.quarantine is None and (verdict := found.get(row.lead, {}).get(row.event.event_id))
    ]
