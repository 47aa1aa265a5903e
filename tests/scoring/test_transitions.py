"""The ledger: merges, reasons, and what a transition says of itself."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.ids import EventId
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.fold import refold
from shared.scoring.engine.sales_facts import MOST_FACTS, SalesFact
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import EMPTY
from shared.scoring.engine.transitions import StageState, after, decide, initial, merge, merge_transition
from tests.scoring.small import NOW, event, model, rule, stage

DAY = timedelta(days=1)
MODEL = model(
    engagement=rule("a", "event: a, points: 50"),
    stages=stage("mql", "enter: {at_least: {score: 40}, grade: D1}")
    + stage("recycled", "enter: {event: lead.rejected}"),
)


def test_everybody_begins_as_a_visitor() -> None:
    """No transition has happened yet."""
    assert initial(NOW) == StageState(stage="visitor", since=NOW, sequence=0)
    assert after(initial(NOW), []) == initial(NOW)


def test_a_transition_says_what_moved_the_lead() -> None:
    """Number, both stages, time, cause, the event at hand and the line in words."""
    happened = event(7, "a", 0 * DAY, email="a@x.example")
    state = refold(MODEL, [happened])
    moves = decide(
        MODEL,
        initial(NOW - DAY),
        evaluate(MODEL, state, NOW),
        profile=state.profile,
        known=True,
        event=happened,
        now=NOW,
    )
    assert [(move.sequence, move.previous_stage, move.stage, move.cause) for move in moves] == [
        (1, "visitor", "lead", "identified"),
        (2, "lead", "mql", "score"),
    ]
    assert {move.cause_event for move in moves} == {happened.event_id}
    assert {move.at for move in moves} == {NOW}
    assert [move.rule for move in moves] == [
        "lead: known by e-mail or user id",
        "mql: score at least 40, grade D1",
    ]
    assert after(initial(NOW - DAY), moves) == StageState(stage="mql", since=NOW, sequence=2)


@pytest.mark.parametrize(
    ("given", "kept"), [("no budget", "no budget"), ("x" * 999, "x" * 200), (5, ""), (None, "")]
)
def test_the_reason_of_an_event_is_kept_and_cut(given: object, kept: str) -> None:
    """Sales may say why; numbers and novels do not get into the ledger."""
    rejected = event(1, "lead.rejected", 0 * DAY, kind="crm", properties={"reason": given})
    standing = StageState(stage="mql", since=NOW - DAY, sequence=4)
    (move,) = decide(
        MODEL, standing, evaluate(MODEL, EMPTY, NOW), profile={}, known=True, event=rejected, now=NOW
    )
    assert (move.stage, move.cause, move.reason, move.sequence) == ("recycled", "event", kept, 5)


@pytest.mark.parametrize(
    ("one", "other", "further"),
    [
        ("visitor", "lead", "lead"),
        ("recycled", "lead", "recycled"),
        ("mql", "recycled", "mql"),
        ("sql", "mql", "sql"),
        ("disqualified", "sql", "disqualified"),
        ("opportunity", "disqualified", "opportunity"),
        ("customer", "opportunity", "customer"),
    ],
)
def test_a_merge_keeps_the_further_stage(one: StageName, other: StageName, further: StageName) -> None:
    """In either order; the ledger goes on from the larger number and the later hold remains."""
    a = StageState(stage=one, since=NOW, sequence=3, held_until=NOW + DAY)
    b = StageState(stage=other, since=NOW - DAY, sequence=5, held_until=NOW + 2 * DAY)
    for merged in (merge(a, b), merge(b, a)):
        assert merged.stage == further
        assert merged.since == (a if further == one else b).since
        assert merged.sequence == 5
        assert merged.held_until == NOW + 2 * DAY


def fact(number: int, stage: StageName, led_to: StageName) -> SalesFact:
    """A fact of day `number`, and what it did."""
    return SalesFact(
        occurred_s=number * 86_400.0,
        event_id=EventId(UUID(int=number)),
        name="lead.told",
        judged_at=NOW,
        stage=stage,
        since=NOW - 9 * DAY,
        held_until=None,
        led_to=led_to,
    )


def test_a_merge_remembers_what_sales_said_about_either() -> None:
    """In order of time, each with the further of the two stages at that time; in either order."""
    a = StageState(stage="sql", since=NOW, facts=(fact(1, "lead", "sal"), fact(3, "sal", "sql")))
    b = StageState(stage="mql", since=NOW, facts=(fact(2, "lead", "mql"),))
    for merged in (merge(a, b), merge(b, a)):
        assert [(one.event_id.int, one.stage, one.led_to) for one in merged.facts] == [
            (1, "lead", "sal"),
            (2, "sal", "sal"),
            (3, "sal", "sql"),
        ]
    assert merge(a, initial(NOW)).facts == a.facts


def test_a_merge_remembers_not_more_than_one_lead_does() -> None:
    """The newest of both."""
    a, b = (
        StageState(stage="lead", since=NOW, facts=tuple(fact(n, "lead", "lead") for n in range(first, 60, 2)))
        for first in (0, 1)
    )
    assert [one.event_id.int for one in merge(a, b).facts] == list(range(60 - MOST_FACTS, 60))


def test_in_the_same_stage_the_longer_stay_counts() -> None:
    """A merge does not restart the clock of a time limit."""
    a, b = StageState(stage="mql", since=NOW), StageState(stage="mql", since=NOW - DAY)
    assert merge(a, b).since == merge(b, a).since == NOW - DAY


def test_the_surviving_lead_learns_of_a_merge_that_moved_it() -> None:
    """And its ledger says nothing where it was the further one."""
    lead, sql = (
        StageState(stage="lead", since=NOW, sequence=1),
        StageState(stage="sql", since=NOW, sequence=3),
    )
    move = merge_transition(lead, sql, now=NOW)
    assert move is not None
    assert (move.previous_stage, move.stage, move.cause, move.sequence) == ("lead", "sql", "merged", 4)
    assert merge_transition(sql, lead, now=NOW) is None
