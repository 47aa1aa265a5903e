"""One lead under two models: what publishing does at once, and what the queues would have got."""

from datetime import timedelta

import msgspec
import pytest

from services.cli.model.plan.replay import Passed, Replayed
from shared.scoring.engine.score import standing
from shared.scoring.replay.life import live
from tests.cli.model.plan.worlds import (
    ACTIVE,
    DEARER,
    NOW,
    STRICTER,
    events,
    replayed,
    trial,
)


def stages(one: Replayed) -> tuple[str, str]:
    return one.before.stage, one.after.stage


def test_a_lead_over_the_new_line_moves_when_the_draft_is_published() -> None:
    """A click yesterday: 15 points and a lead now; 32 points, an MQL, under the draft."""
    one = replayed(trial(DEARER), 1, events(1, ("email.clicked", 1)))
    assert stages(one) == ("lead", "mql")
    assert (one.before.standing.total, one.after.standing.total) == (15, 31)
    assert one.burst == ("sales",)


def test_a_lead_keeps_its_stage_where_the_draft_does_not_take_it_away() -> None:
    """An MQL whose score lies between the draft's two lines stays: publishing judges where it stands."""
    lower = STRICTER.changed(stages=ACTIVE.stages)
    assert stages(replayed(trial(lower), 1, events(1, ("form.submitted", 1)))) == ("mql", "mql")


def test_a_lead_below_the_new_lower_line_leaves() -> None:
    """The draft asks for 80 to stay: the MQL of 30 points is recycled, and no queue wants to know."""
    one = replayed(trial(STRICTER), 1, events(1, ("form.submitted", 1)))
    assert stages(one) == ("mql", "recycled")
    assert one.burst == ()


def test_the_queues_get_what_each_model_would_have_passed_on() -> None:
    """A click two days ago: nothing under the active model, one MQL for sales under the draft, on its day."""
    one = replayed(trial(DEARER), 1, events(1, ("email.clicked", 2)))
    assert one.lived[0] == (Passed(day=5, stage="lead", queues=()),)
    assert one.lived[1] == (
        Passed(day=5, stage="lead", queues=()),
        Passed(day=5, stage="mql", queues=("sales",)),
    )


@pytest.mark.parametrize(("ago", "day"), [(0.6, None), (0.7, 6), (7.6, 0), (7.7, None)])
def test_days_are_whole_days_before_today(ago: float, day: int | None) -> None:
    """Seven days: from midnight a week before to the midnight that began today (it is 15:00 UTC)."""
    one = replayed(trial(DEARER), 1, events(1, ("form.submitted", ago)))
    assert [passed.day for passed in one.lived[0] if passed.stage == "mql"] == ([] if day is None else [day])


def test_without_days_nobody_lives_and_publishing_is_the_same() -> None:
    """--days 0 asks only what happens at once."""
    history = events(1, ("email.clicked", 2))
    one, without = replayed(trial(DEARER), 1, history), replayed(trial(DEARER, days=0), 1, history)
    assert without.lived == ((), ())
    assert (without.before, without.after, without.burst) == (one.before, one.after, one.burst)


def test_events_that_lie_in_the_future_count_as_the_scorer_counted_them() -> None:
    """A clock ahead of ours: the event is in the stored score, so it is in the score under the draft."""
    history = events(1, ("email.clicked", 2), ("email.clicked", -0.01))
    one = replayed(trial(DEARER), 1, history)
    assert one.after.state.events == 2
    assert one.after.standing == standing(DEARER, live(DEARER, history, NOW + timedelta(days=1)).state, NOW)


def test_routes_see_what_was_said_until_then() -> None:
    """A route for a country gets the lead of which the country is known, and not before it was."""
    known = events(1, ("email.clicked", 2), traits={"country": "DE"})
    assert replayed(trial(DEARER), 1, known).lived[1][-1].queues == ("sales", "crm")
    later = [*events(1, ("email.clicked", 2)), *events(2, ("page.viewed", 1), traits={"country": "DE"})]
    one = replayed(trial(DEARER), 1, later)
    assert one.lived[1][-1].queues == ("sales",)
    assert one.burst == ("sales", "crm")


def test_what_an_event_did_it_does_not_do_again() -> None:
    """Sales moved the lead by hand and holds it there: publishing judges without an event; nothing moves."""
    by_hand = {"stage": "mql", "hold_until": (NOW + timedelta(days=30)).isoformat()}
    moved = events(1, ("lead.moved", 1), properties=by_hand)
    history = [msgspec.structs.replace(event, kind="crm") for event in moved]
    one = replayed(trial(DEARER), 1, history)
    assert (stages(one), one.burst) == (("mql", "mql"), ())
