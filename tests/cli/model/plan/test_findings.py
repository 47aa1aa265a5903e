"""The plan in numbers and plain sentences."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from services.cli.model.plan.findings import (
    Compared,
    Load,
    Plan,
    bins,
    dates,
    document,
    findings,
    headline,
    signed,
)
from services.cli.model.plan.replay import Trial
from shared.events import Event
from tests.cli.model.plan.worlds import ACTIVE, DEARER, NOW, STRICTER, events, replayed, tally, trial

CROWD = (
    events(1, ("email.clicked", 1)),
    events(2, ("email.clicked", 2)),
    events(3, ("form.submitted", 3)),
    events(4, ("page.viewed", 4)),
)


def compared(days: int = 7, off: tuple[str, ...] = ("crm",)) -> Compared:
    return Compared(
        active="version 1",
        draft="draft.yaml",
        at=NOW,
        begin=date(2026, 11, 17),
        days=days,
        anonymous=70,
        off=off,
    )


def plan(on: Trial, crowd: Sequence[list[Event]] = CROWD) -> Plan:
    people = [replayed(on, number, history) for number, history in enumerate(crowd, 1)]
    return findings(tally(on, people), compared(on.days))


def test_the_headline_says_who_moves_and_what_sales_gets() -> None:
    """Leads that move, the stages they enter, and the queues that are on."""
    assert headline(plan(trial(DEARER))) == (
        "If you publish this now: 2 leads move, 2 become MQL, sales gets 0.3 more a day."
    )
    assert headline(plan(trial(STRICTER))) == (
        "If you publish this now: 1 lead moves, 1 become recycled, sales gets 0.1 fewer a day."
    )


def test_a_draft_without_effect_says_so() -> None:
    """Nothing is different: neither now nor on any day."""
    made = plan(trial(ACTIVE))
    assert made.changes_nothing
    assert headline(made) == ("Publishing this changes nothing: 4 leads keep score, grade and stage.")


def test_a_change_of_one_day_is_a_change() -> None:
    """Nobody moves at once, but a queue would have got one lead more on some day."""
    made = plan(trial(ACTIVE))
    load = replace(made.load[0], days=((0, 1), *made.load[0].days[1:]))
    assert not replace(made, load=(load,)).changes_nothing


def test_flows_and_matrix_tell_the_same_leads() -> None:
    """Rows and columns are in the order of stages; the largest flow comes first, with its leads."""
    made = plan(trial(DEARER))
    assert made.matrix == {"lead": {"lead": 1, "mql": 2}, "mql": {"lead": 0, "mql": 1}}
    [flow] = made.flows
    assert (flow.before, flow.after, flow.leads, made.moved) == ("lead", "mql", 2, 2)
    assert [one.scores[1] - one.scores[0] for one in flow.examples] == [17, 16]


def test_queues_that_are_off_come_last_and_are_told() -> None:
    """A queue without an address counts, and is marked."""
    assert [(load.queue, load.off) for load in plan(trial(DEARER)).load] == [("sales", False), ("crm", True)]


def test_average_and_worst_day() -> None:
    """Over all days, those without anything among them; of no days, zero."""
    load = Load(queue="q", off=False, days=((1, 4), (3, 0), (0, 2)), burst=0)
    assert load.average == pytest.approx((4 / 3, 2))
    assert load.worst == (3, 4)
    assert replace(load, days=()).average == (0, 0)
    assert replace(load, days=()).worst == (0, 0)


def test_bins_and_days_have_names() -> None:
    """Ten bins of ten points, the last with 100; days from the first to yesterday."""
    assert (bins()[0], bins()[-1], len(bins())) == ("0-9", "90-100", 10)
    assert (dates(compared())[0], dates(compared())[-1]) == (date(2026, 11, 17), date(2026, 11, 23))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.04, "0"), (3, "+3"), (-3.25, "\N{MINUS SIGN}3.2"), (1200.5, "+1,200.5")],
)
def test_differences_have_a_sign(number: float, text: str) -> None:
    """A minus as wide as the plus, thousands apart, and no sign where there is no difference."""
    assert signed(number) == text


def test_json_holds_everything_and_what_follows() -> None:
    """Averages and the headline too, so that a program need not know how they are made."""
    made = plan(trial(DEARER))
    found = json.loads(document(made))
    assert found["headline"] == headline(made)
    assert found["load"][0]["average"] == pytest.approx(list(made.load[0].average))
    assert found["compared"]["begin"] == "2026-11-17"
    assert found["movers"][0]["email"] is None
