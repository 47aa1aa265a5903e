"""Whatever happens to leads, in whatever order: the live score is that of a from-scratch evaluation.

The pure half of the scorer (settle, shadow) against a world that delivers twice and late, splits batches
anywhere, merges leads into any tree, takes events back and releases them, publishes other models, and lets
time pass: promises P2, P3 and P4.
"""

from datetime import timedelta
from itertools import count
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from services.scorer.identify.facts import Facts
from services.scorer.settle import (
    ActiveModel,
    Change,
    Lead,
    Settled,
    absorb,
    fold_in,
    from_history,
    newborn,
    settle,
)
from services.scorer.shadow import Shadow, shade
from shared.events import Event
from shared.ids import EventId, LeadId
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.score import evaluate, score
from shared.scoring.engine.state import decode
from tests.scoring.test_properties import seen, stages
from tests.scoring.worlds import START, events, models

AFTERWARDS = START + timedelta(days=110)


class AnyHistory(RuleBasedStateMachine):
    """Leads, their stored events, the active and the shadow model; a rule is a transaction of the scorer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = AFTERWARDS
        self.leads: dict[LeadId, Lead] = {}
        self.shadows: dict[LeadId, Shadow] = {}
        self.stored: dict[LeadId, dict[EventId, Event]] = {}
        self.taken_back: dict[LeadId, dict[EventId, Event]] = {}
        self.moves: dict[LeadId, list[int]] = {}
        self.versions = count(1)
        self.fresh = count(1)

    @initialize(first=models(), other=models(), stream=events())
    def begin(self, first: Compiled, other: Compiled, stream: list[Event]) -> None:
        self.active = ActiveModel(model=first, version=next(self.versions))
        self.shadow = ActiveModel(model=other, version=next(self.versions))
        self.stream = stream

    @rule(stream=events())
    def more_happens(self, stream: list[Event]) -> None:
        self.stream = [
            *self.stream,
            *(replaced(one, EventId(UUID(int=one.event_id.int + 1000 * next(self.fresh)))) for one in stream),
        ]

    @rule(days=st.integers(0, 60), name=st.sampled_from(["lead.moved", "deal.lost"]), stage=stages)
    def sales_says(self, days: int, name: str, stage: StageName) -> None:
        """Something that is remembered; it may arrive whenever it likes, and for whomever."""
        at = START + timedelta(days=days)
        fact = Event(
            event_id=EventId(UUID(int=10**12 + next(self.fresh))),
            source="crm",
            kind="crm",
            name=name,
            occurred_at=at,
            received_at=at,
            properties={"stage": stage, "deal_id": 7},
        )
        self.stream = [*self.stream, fact]

    @precondition(lambda self: self.stream)
    @rule(data=st.data(), of=st.integers(1, 3), known=st.booleans())
    def a_batch_arrives(self, data: st.DataObject, of: int, *, known: bool) -> None:
        """Any events in any order, some of them sent before, for one of three people."""
        batch = data.draw(st.lists(st.sampled_from(self.stream), min_size=1, max_size=6))
        lead = self.resolve(LeadId(UUID(int=of)))
        seen_before = {
            event for book in (self.stored, self.taken_back) for some in book.values() for event in some
        }
        new = {one.event_id: one for one in batch if one.event_id not in seen_before}
        present = self.leads.get(lead) or newborn(
            lead, Facts(known=known, first_seen_at=self.now), self.active
        )
        self.stored.setdefault(lead, {}).update(new)
        self.transact(Change(lead=present, events=tuple(new.values()), judged=bool(new)))

    @precondition(lambda self: len(self.leads) > 1)
    @rule(data=st.data())
    def two_are_one_person(self, data: st.DataObject) -> None:
        winner, loser = data.draw(st.permutations(sorted(self.leads)))[:2]
        for book in (self.stored, self.taken_back):
            book.setdefault(winner, {}).update(book.pop(loser, {}))
        change = absorb(Change(lead=self.leads[winner], merged=True), self.leads.pop(loser), self.now)
        gone = self.shadows.pop(loser, None)
        self.transact(change, absorbed=[gone] if gone else [])
        self.merged = {**getattr(self, "merged", {}), loser: winner}

    @precondition(lambda self: any(self.stored.values()))
    @rule(data=st.data())
    def an_event_is_taken_back(self, data: st.DataObject) -> None:
        self.swap(data, self.stored, self.taken_back)

    @precondition(lambda self: any(self.taken_back.values()))
    @rule(data=st.data())
    def an_event_is_released(self, data: st.DataObject) -> None:
        self.swap(data, self.taken_back, self.stored)

    @rule(model=models())
    def another_model_is_published(self, model: Compiled) -> None:
        self.active = ActiveModel(model=model, version=next(self.versions))

    @rule(model=models())
    def another_shadow_begins(self, model: Compiled) -> None:
        self.shadow = ActiveModel(model=model, version=next(self.versions))

    @rule(hours=st.integers(1, 24 * 40))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for lead in list(self.leads.values()):
            if lead.due_at and lead.due_at <= self.now:
                self.transact(Change(lead=replace(lead, due_at=None)))

    @invariant()
    def every_score_is_that_of_its_history(self) -> None:
        """Points, receipts and grade of what is kept are those of all counted events, from scratch."""
        for lead in self.leads.values():
            if lead.model_version != self.active.version:
                continue  # a publish was not walked to here yet
            history = list(self.stored[lead.lead_id].values())
            live = evaluate(self.active.model, decode(lead.state.encode()), self.now)
            assert seen(live) == seen(score(self.active.model, history, self.now))
            assert sum(line.points for line in live.contributions) == live.total
            shadow = self.shadows[lead.lead_id]
            if shadow.model_version == self.shadow.version:
                beside = evaluate(self.shadow.model, shadow.state, self.now)
                assert seen(beside) == seen(score(self.shadow.model, history, self.now))

    @invariant()
    def every_ledger_knows_who_objects(self) -> None:
        """What was told last is what holds, whatever merged, came late or was taken back."""
        for lead in self.leads.values():
            assert lead.ledger.objected is has_objected(decode(lead.state.encode()))
            assert not (lead.ledger.objected and lead.score)

    @invariant()
    def every_ledger_counts_without_a_gap(self) -> None:
        """The n-th move of a lead has the number n, whatever merged into it."""
        for lead, numbers in self.moves.items():
            assert numbers == list(range(1, len(numbers) + 1)), lead

    @invariant()
    def every_lead_remembers_what_sales_said_in_order(self) -> None:
        """Each fact once, in order of when it happened, in the shadow as well."""
        for ledger in [one.ledger for book in (self.leads, self.shadows) for one in book.values()]:
            stamps = [fact.stamp for fact in ledger.facts]
            assert stamps == sorted(set(stamps))

    def transact(self, change: Change, absorbed: list[Shadow] | None = None) -> None:
        """What score_leads.py does with one change, without a database."""
        lead = change.lead.lead_id
        history = sorted(self.stored.get(lead, {}).values(), key=lambda one: (one.occurred_at, one.event_id))
        state = fold_in(self.active, change) or from_history(self.active, history)
        settled = settle(self.active, change, state, self.now, history)
        self.keep(settled)
        shaded = shade(self.shadow, change, settled.lead, self.shadows.get(lead), absorbed or [])
        state = shaded.state or from_history(self.shadow, history)
        beside = settle(self.shadow, shaded.change, state, self.now, history).lead
        self.shadows[lead] = Shadow(
            model_version=self.shadow.version, state=beside.state, ledger=beside.ledger
        )

    def keep(self, settled: Settled) -> None:
        lead = settled.lead.lead_id
        self.leads[lead] = settled.lead
        self.moves.setdefault(lead, []).extend(move.sequence for move in settled.transitions)

    def swap(
        self,
        data: st.DataObject,
        origin: dict[LeadId, dict[EventId, Event]],
        goal: dict[LeadId, dict[EventId, Event]],
    ) -> None:
        """Move one event between counted and taken back; its lead is computed from history, as in a merge."""
        lead, event = data.draw(
            st.sampled_from(
                [(lead, event) for lead, some in sorted(origin.items()) for event in sorted(some)]
            )
        )
        goal.setdefault(lead, {})[event] = origin[lead].pop(event)
        self.transact(Change(lead=self.leads[lead], merged=True))

    def resolve(self, lead: LeadId) -> LeadId:
        """Whoever this person is now."""
        merged: dict[LeadId, LeadId] = getattr(self, "merged", {})
        while lead in merged:
            lead = merged[lead]
        return lead


def replaced(event: Event, event_id: EventId) -> Event:
    """The same thing happening once more."""
    return Event(**{**{name: getattr(event, name) for name in event.__struct_fields__}, "event_id": event_id})


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
