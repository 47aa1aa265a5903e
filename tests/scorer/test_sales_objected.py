"""What sales says about a person who objected, and took that back: it counts if it happened afterwards.

The reference model, through `settle`, against a replay of the same history (`live`), however things arrive.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.events import Event
from shared.scoring.replay.life import live
from tests.scorer.test_sales_order import ACTIVE, NAMES, Told, in_order, said
from tests.scoring.small import NOW, event

WHO: Final = "anna@firma.example"
KNOWN: Final = event(1, "person.identified", timedelta(seconds=900), kind="crm", email=WHO)
OBJECTS: Final = event(2, "person.objected", timedelta(seconds=270), kind="crm", email=WHO)
WITHDRAWS: Final = event(3, "person.objection_withdrawn", timedelta(seconds=150), kind="crm", email=WHO)


def fact(number: int, name: str, age_s: int, **properties: Any) -> Event:
    return replace(said(number, name, age_s, **properties), email=WHO)


BEFORE: Final = fact(4, "lead.accepted", 360)
WON: Final = fact(5, "deal.won", 240, deal_id=7)
CREATED: Final = fact(6, "deal.created", 60, deal_id=8)
ORDERS: Final = [
    order
    for order in permutations((OBJECTS, WON, WITHDRAWS, CREATED))
    if order.index(OBJECTS) < order.index(WON)
]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: " ".join(one.name for one in order))
@pytest.mark.parametrize("before", [(), (BEFORE,)], ids=["nothing", "accepted"])
def test_what_sales_says_while_an_objection_stands_moves_nobody(
    order: Sequence[Event], before: Sequence[Event]
) -> None:
    """Once the objection is known: one by one or in two batches, the scorer ends where a replay ends."""
    story = [KNOWN, *before, *order]
    replayed = live(ACTIVE.model, sorted(story, key=lambda one: one.occurred_at), NOW).ledger
    assert replayed.stage == "opportunity"
    for size in (1, 2, 4):
        told = Told(before=[KNOWN, *before])
        for start in range(0, 4, size):
            told.hear(*order[start : start + size])
        assert told.stage == replayed.stage
        assert [one.stamp for one in told.lead.ledger.facts] == [one.stamp for one in replayed.facts]
        assert "customer" not in told.path
        assert [one.sequence for one in told.transitions] == list(range(1, len(told.transitions) + 1))


def test_nor_does_what_happened_before_if_it_comes_afterwards() -> None:
    """A deal won before the objection and told after its end does not come back."""
    told = Told(before=[KNOWN, OBJECTS, WITHDRAWS])
    assert told.hear(fact(7, "deal.won", 300)) == []
    assert (told.stage, told.lead.ledger.facts) == ("lead", ())


def test_a_fact_that_is_left_out_tells_who_the_visitor_is_all_the_same() -> None:
    """All in one batch, the deal last: a lead, because it is known, and no customer."""
    told = Told()
    told.hear(OBJECTS, WITHDRAWS, WON)
    assert (told.path, told.lead.ledger.facts) == (["lead"], ())


def test_what_moved_a_lead_before_its_objection_was_known_stays() -> None:
    """A stage stays where it is when somebody objects, also if the objection comes late."""
    told = Told(before=[KNOWN, WON, OBJECTS, WITHDRAWS])
    assert told.stage == "customer"


facts = st.builds(
    fact,
    st.integers(10, 8_000),
    st.sampled_from(NAMES),
    st.integers(1, 6).map(lambda steps: steps * 60),
    deal_id=st.sampled_from([None, None, 1, "2"]),
    stage=st.sampled_from(["lead", "sal", "customer", "recycled"]),
)
streams = st.lists(facts, min_size=2, max_size=12, unique_by=lambda each: each.event_id)


@given(streams, st.randoms(use_true_random=False))
@settings(max_examples=400, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_arrival_ends_in_the_same_stage(events: list[Event], random: Any) -> None:
    """Told what was before, then of the objection, then of its end and the rest in any order and batches."""
    before = [one for one in events if one.occurred_at < OBJECTS.occurred_at]
    arriving = [WITHDRAWS, *(one for one in events if one not in before)]
    random.shuffle(arriving)
    told = in_order([*before, OBJECTS], [KNOWN])
    while arriving:
        size = random.randint(1, len(arriving))
        told.hear(*arriving[:size])
        arriving = arriving[size:]
    expected = in_order([*events, OBJECTS, WITHDRAWS], [KNOWN]).lead.ledger
    found = told.lead.ledger
    assert (found.stage, found.held_until) == (expected.stage, expected.held_until)
    assert [each.stamp for each in found.facts] == [each.stamp for each in expected.facts]
