"""What sales says counts in the order in which it happened, however it arrives at the scorer.

The reference model, through `settle`: the failing case of the issue, deals and their ids, and any order of
arrival, cut into any batches.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.scorer.identify.facts import Facts
from services.scorer.models import model_source
from services.scorer.settle import ActiveModel, Change, fold_in, from_history, newborn, settle, told_late
from shared.events import Event
from shared.ids import LeadId
from shared.leads.store.present import decode_ledger, encode_ledger
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.transitions import Transition
from shared.scoring.replay.life import live
from tests.scoring.small import NOW, event
from tests.scoring.test_reference_model import CONFIG

ACTIVE: Final = ActiveModel(model=model_source.read(CONFIG / "scoring.yaml").model, version=1)
DEMO: Final = event(
    9_000,
    "form.submitted",
    timedelta(days=2),
    kind="form",
    email="anna@firma.example",
    properties={"form": "demo-request"},
    traits={"company": "Firma GmbH"},
)


class Told:
    """A known lead that the scorer tells what arrives: what score_leads.py does, without a database."""

    def __init__(self, *, before: Sequence[Event] = ()) -> None:
        facts = Facts(known=True, first_seen_at=NOW - timedelta(days=400))
        self.lead = newborn(LeadId(UUID(int=1)), facts, ACTIVE)
        self.now = NOW
        self.stored: list[Event] = []
        self.transitions: list[Transition] = []
        for each in before:
            self.hear(each)

    def hear(self, *batch: Event) -> list[Transition]:
        """Count a batch; returns the transitions it makes."""
        known = {each.event_id for each in self.stored}
        new = {each.event_id: each for each in batch if each.event_id not in known}
        self.stored += new.values()
        change = Change(lead=self.lead, events=tuple(new.values()), judged=bool(new))
        history = sorted(self.stored, key=_in_order)
        folded = fold_in(ACTIVE, change)
        read = history if folded is None or told_late(ACTIVE, change) else ()
        settled = settle(ACTIVE, change, folded or from_history(ACTIVE, history), self.now, read)
        self.lead = settled.lead
        self.transitions += settled.transitions
        assert decode_ledger(encode_ledger(self.lead.ledger)) == self.lead.ledger
        return list(settled.transitions)

    @property
    def stage(self) -> StageName:
        """Where it stands."""
        return self.lead.ledger.stage

    @property
    def path(self) -> list[StageName]:
        """Every stage it has come to, in order."""
        return [each.stage for each in self.transitions]


def _in_order(event: Event) -> tuple[datetime, UUID]:
    return event.occurred_at, event.event_id


def said(number: int, name: str, age_s: int, **properties: Any) -> Event:
    """What a CRM says happened so many seconds ago."""
    return event(number, name, timedelta(seconds=age_s), kind="crm", properties=properties)


def in_order(events: Sequence[Event], before: Sequence[Event] = ()) -> Told:
    """A lead that was told everything in order, one by one."""
    told = Told(before=before)
    for each in sorted(events, key=_in_order):
        told.hear(each)
    return told


NAMES: Final = tuple(sorted(ACTIVE.model.sales_facts))
facts = st.builds(
    said,
    st.integers(1, 8_000),
    st.sampled_from(NAMES),
    st.integers(1, 6).map(lambda steps: steps * 60),
    deal_id=st.sampled_from([None, None, 1, "1", "2"]),
    stage=st.sampled_from(["lead", "mql", "sal", "customer", "recycled"]),
    hold_until=st.sampled_from([None, None, "2027-03-01"]),
)
streams = st.lists(facts, min_size=2, max_size=12, unique_by=lambda each: each.event_id)


@given(streams, st.randoms(use_true_random=False), st.sampled_from([(), (DEMO,)]), st.integers(0, 90))
@settings(max_examples=400, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_arrival_ends_in_the_same_stage(
    events: list[Event], random: Any, before: Sequence[Event], pause_s: int
) -> None:
    """Any order, any batches, some sent twice: the stage and hold of a lead that was told in order."""
    arriving = [*events, *random.sample(events, random.randint(0, len(events)))]
    random.shuffle(arriving)
    told = Told(before=before)
    while arriving:
        size = random.randint(1, len(arriving))
        told.hear(*arriving[:size])
        told.now += timedelta(seconds=pause_s)
        arriving = arriving[size:]
    expected = in_order(events, before).lead.ledger
    found = told.lead.ledger
    assert (found.stage, found.held_until) == (expected.stage, expected.held_until)
    assert [each.stamp for each in found.facts] == [each.stamp for each in expected.facts]
    assert [each.sequence for each in told.transitions] == list(range(1, len(told.transitions) + 1))


def test_a_lost_deal_may_be_told_before_it_was_created() -> None:
    """Lost a minute ago, created ten minutes ago, told the other way round: recycled, in one move."""
    told = Told()
    told.hear(said(1, "deal.lost", 60, reason="no budget"))
    assert told.path == ["lead"]
    (move,) = told.hear(said(2, "deal.created", 600))
    assert (move.previous_stage, move.stage, move.sequence) == ("lead", "recycled", 2)
    assert (move.cause, move.cause_event) == ("event", UUID(int=2))
    assert move.rule.startswith("recycled: event ")
    assert move.reason == "no budget"
    assert told.lead.ledger.since == move.at == NOW


def test_facts_of_one_batch_are_applied_in_order_of_time() -> None:
    """Lost and created in one batch, in either order: every stage is passed."""
    lost, created = said(1, "deal.lost", 60), said(2, "deal.created", 600)
    for batch in ((lost, created), (created, lost)):
        told = Told()
        told.hear(*batch)
        assert told.path == ["lead", "opportunity", "recycled"]


def test_a_late_fact_that_changes_nothing_moves_nothing_and_is_remembered() -> None:
    """Sales rejected before it accepted: the lead stays accepted, as long as it has been."""
    told = in_order([said(1, "lead.accepted", 60)])
    since, told.now = told.lead.ledger.since, NOW + timedelta(hours=1)
    assert told.hear(said(2, "lead.rejected", 600)) == []
    assert (told.stage, told.lead.ledger.since) == ("sal", since)
    assert [fact.name for fact in told.lead.ledger.facts] == ["lead.rejected", "lead.accepted"]


@pytest.mark.parametrize("name", ["lead.rejected", "lead.accepted", "deal.lost"])
def test_what_time_did_since_is_not_undone_by_a_late_fact(name: str) -> None:
    """A lead went back to marketing three weeks after it was accepted; what was before that moves nothing."""
    told = in_order([said(1, "lead.accepted", 60, deal_id=7)])
    told.now = NOW + timedelta(days=22)
    told.lead = settle(ACTIVE, Change(lead=told.lead), told.lead.state, told.now).lead
    assert told.stage == "recycled"
    assert told.hear(said(2, name, 600, deal_id=7)) == []
    assert told.stage == "recycled"


def test_a_late_fact_is_applied_as_of_then_and_not_as_of_now() -> None:
    """What happened on an MQL's eighth day is told after two weeks are over: they were not over then."""
    told = Told(before=[DEMO])
    told.now = NOW + timedelta(days=9)
    told.hear(said(1, "lead.moved", -9 * 86_400, stage="mql", hold_until="2027-03-01"))
    told.now = NOW + timedelta(days=30)
    assert told.hear(said(2, "lead.moved", -8 * 86_400, stage="nowhere")) == []
    assert [fact.led_to for fact in told.lead.ledger.facts] == ["mql", "mql"]


@pytest.mark.parametrize("key", ["deal_id", "dealId", "opportunity_id", "deal"])
@pytest.mark.parametrize("told_as", [7, "7", 7.0, " 7 "])
def test_a_closed_deal_is_not_opened_again(key: str, told_as: object) -> None:
    """Created, lost, and "created" again under a new event id: the lead stays recycled, in any spelling."""
    first, again = ({"id": 7}, {"id": told_as}) if key == "deal" else (7, told_as)
    told = in_order(
        [
            said(1, "deal.created", 600, **{key: first}),
            said(2, "deal.lost", 300, **{key: first}),
            said(3, "deal.created", 60, **{key: again}),
        ]
    )
    assert told.path == ["lead", "opportunity", "recycled"]


@pytest.mark.parametrize(
    ("first", "other"), [(7, 8), (7, None), (None, None), ("", ""), (True, True), ("7" * 101, "7" * 101)]
)
def test_another_deal_or_one_without_an_id_opens_an_opportunity_again(first: object, other: object) -> None:
    """Only the same deal is closed; what is empty, too long or no number is no id."""
    told = in_order(
        [
            said(1, "deal.created", 600, deal_id=first),
            said(2, "deal.lost", 300, deal_id=first),
            said(3, "deal.created", 60, deal_id=other),
        ]
    )
    assert told.path == ["lead", "opportunity", "recycled", "opportunity"]


def test_a_lost_deal_may_be_won_after_all() -> None:
    """Lost, then won, and told the other way round: a customer."""
    lost, won = said(1, "deal.lost", 300, deal_id=7), said(2, "deal.won", 60, deal_id=7)
    for events in ((lost, won), (won, lost)):
        told = Told()
        for each in events:
            told.hear(each)
        assert told.stage == "customer"


def test_the_same_of_the_same_deal_counts_once() -> None:
    """Won, then moved by hand, then won again under a new event id: it stays where a person put it."""
    told = in_order(
        [
            said(1, "deal.won", 600, deal_id=7),
            said(2, "lead.moved", 300, stage="recycled", deal_id=7),
            said(3, "deal.won", 60, deal_id=7),
            said(4, "lead.moved", 30, stage="sal", deal_id=7),
        ]
    )
    assert told.path == ["lead", "customer", "recycled", "sal"]


def test_that_a_deal_was_closed_before_may_be_told_late() -> None:
    """Created moved the lead; then it is told that the deal had been lost before: nothing was created."""
    told = in_order([said(1, "deal.created", 60, deal_id=7)])
    (move,) = told.hear(said(2, "deal.lost", 600, deal_id=7))
    assert (move.previous_stage, move.stage, move.rule) == (
        "opportunity",
        "lead",
        "lead: deal.lost was told late",
    )


def test_who_is_no_crm_closes_no_deal() -> None:
    """A website says that a deal was lost: it is not remembered, and the deal opens an opportunity."""
    told = Told()
    told.hear(event(1, "deal.lost", timedelta(seconds=600), properties={"deal_id": 7}))
    assert told.lead.ledger.facts == ()
    told.hear(said(2, "deal.created", 60, deal_id=7))
    assert told.stage == "opportunity"


def test_a_life_knows_closed_deals_too() -> None:
    """A replay of history comes to the same stages as the scorer, to which it was told in order."""
    events = [
        said(1, "deal.created", 600, deal_id=7),
        said(2, "deal.lost", 300, deal_id=7),
        said(3, "deal.created", 60, deal_id=7),
    ]
    known = [msgspec.structs.replace(each, user_id="u") for each in events]
    life = live(ACTIVE.model, known, NOW)
    assert [step.transition.stage for step in life.steps] == in_order(events).path
    assert [fact.stamp for fact in life.ledger.facts] == [
        fact.stamp for fact in in_order(events).lead.ledger.facts
    ]


def test_nothing_is_remembered_of_a_lead_without_facts() -> None:
    """Its ledger takes no more bytes than before."""
    assert b"facts" not in encode_ledger(Told(before=[DEMO]).lead.ledger)


def test_nothing_that_sales_says_moves_a_visitor_whom_nobody_knows() -> None:
    """Nor is it remembered."""
    told = Told()
    told.lead = newborn(told.lead.lead_id, Facts(known=False, first_seen_at=NOW), ACTIVE)
    assert told.hear(said(1, "deal.created", 60)) == []
    assert (told.stage, told.lead.ledger.facts) == ("visitor", ())


def test_a_memory_is_bounded() -> None:
    """Of many facts the newest 32 are remembered; one that is older than all of them moves nothing."""
    told = in_order([said(n, "lead.accepted", 9_000 - n) for n in range(40)])
    assert [fact.event_id.int for fact in told.lead.ledger.facts] == [*range(8, 40)]
    assert told.hear(said(100, "deal.won", 8_995)) == []
    assert [fact.event_id.int for fact in told.lead.ledger.facts] == [*range(8, 40)]
    assert [move.stage for move in told.hear(said(101, "deal.won", 8_970))] == ["customer"]
    assert [fact.event_id.int for fact in told.lead.ledger.facts] == [*range(9, 31), 101, *range(31, 40)]


def test_a_hold_that_was_lifted_stays_lifted() -> None:
    """Moved by hand without a hold; that it was held before is told late."""
    told = in_order([said(1, "lead.moved", 60, stage="sal")])
    assert told.hear(said(2, "lead.moved", 600, stage="mql", hold_until="2027-03-01")) == []
    assert (told.stage, told.lead.ledger.held_until) == ("sal", None)
    told.hear(said(3, "lead.moved", 30, stage="sal", hold_until="2027-03-01"))
    assert told.lead.ledger.held_until == datetime.fromisoformat("2027-03-01T00:00:00+00:00")


def test_a_fact_that_was_taken_back_is_not_applied_again() -> None:
    """Its event is in no history any more when an older fact comes late."""
    told = in_order([said(1, "lead.accepted", 60)])
    told.stored.clear()
    told.hear(said(2, "deal.created", 600))
    assert told.stage == "opportunity"
    assert [fact.name for fact in told.lead.ledger.facts] == ["deal.created"]


def test_what_a_late_fact_does_not_change_is_taken_as_it_was() -> None:
    """It is not applied again: it stays remembered even if its event was taken back meanwhile."""
    told = in_order([said(1, "lead.accepted", 60)])
    told.stored.clear()
    assert told.hear(said(2, "lead.rejected", 600)) == []
    assert [fact.name for fact in told.lead.ledger.facts] == ["lead.rejected", "lead.accepted"]
