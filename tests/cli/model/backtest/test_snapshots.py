"""What was known at each cut-off: nothing of the future, nothing that came later."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.model.backtest.snapshots import Lived, lived
from shared.events import EMAIL_DELIVERED, Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.score import score
from tests.cli.model.backtest.histories import MONDAY, NOISE, SIGNAL, WEEK, event, question, won
from tests.scoring import small, worlds

HOUR = timedelta(hours=1)


def weeks(told: Lived) -> list[float]:
    """Weeks after MONDAY of each snapshot."""
    asked = question()
    return [
        (asked.moment_s(each.cutoff) - MONDAY.timestamp()) / WEEK.total_seconds() for each in told.snapshots
    ]


def test_cutoffs_are_mondays_until_a_horizon_before_the_end() -> None:
    """A lead takes part from the first cut-off at or after its first event, while a whole horizon follows."""
    told = lived([event("signal", MONDAY + HOUR)], question())
    assert weeks(told) == [1, 2, 3, 4, 5, 6]
    assert weeks(lived([event("signal", MONDAY)], question())) == [0, 1, 2, 3, 4, 5, 6]


def test_no_cutoff_lies_before_since_but_history_counts() -> None:
    """--since skips cut-offs, not events."""
    told = lived([event("signal", MONDAY)], question(since_s=(MONDAY + 5 * WEEK).timestamp()))
    assert weeks(told) == [5, 6]
    assert told.snapshots[0].scores == (10,)


def test_the_score_is_what_it_was_then() -> None:
    """Each snapshot has the score of the events until then, its own moment included."""
    told = lived(
        [event("signal", MONDAY), event("signal", MONDAY + WEEK), event("signal", MONDAY + 9 * HOUR)],
        question(),
    )
    assert [each.scores for each in told.snapshots[:3]] == [(10,), (30,), (30,)]


def test_the_outcome_converts_the_cutoffs_within_its_horizon_and_ends_the_history() -> None:
    """Two weeks before a win, both ends checked; at and after it there is no snapshot."""
    told = lived(
        [event("signal", MONDAY), won(MONDAY + 4 * WEEK), event("signal", MONDAY + 5 * WEEK)], question()
    )
    assert [each.converted for each in told.snapshots] == [False, False, True, True]
    told = lived([event("signal", MONDAY), won(MONDAY + 4 * WEEK + HOUR)], question())
    assert [each.converted for each in told.snapshots] == [False, False, False, True, True]


def test_a_win_before_a_cutoff_excludes_though_it_was_received_later() -> None:
    """Who had bought already is nobody to be found, even if the CRM told us weeks later."""
    told = lived([event("signal", MONDAY), won(MONDAY + 1.5 * WEEK, late=3 * WEEK)], question())
    assert weeks(told) == [0, 1]
    assert [each.converted for each in told.snapshots] == [True, True]


def test_an_event_received_late_is_not_known_before() -> None:
    """It occurred on the first Monday, and arrived after the third."""
    history = [event("signal", MONDAY), event("signal", MONDAY, late=2 * WEEK + HOUR)]
    assert [each.scores[0] for each in lived(history, question()).snapshots[:5]] == [10, 10, 10, 20, 20]
    imported = lived(history, question(imported=True))
    assert [each.scores[0] for each in imported.snapshots[:3]] == [20, 20, 20]
    assert lived(history, question()).late == 1


def test_a_late_event_that_cannot_be_folded_in_is_still_right() -> None:
    """A limit pays the earliest: an earlier event that comes late changes who is paid."""
    limited = small.model(
        engagement=small.rule(
            "signal",
            "event: signal, points: {by: properties.n, values: {1: 1, 5: 5}}, limit: {times: 1, per: week}",
        )
    )
    history = [
        event("signal", MONDAY + HOUR, properties={"n": 5}, late=WEEK),
        event("signal", MONDAY + 2 * HOUR, properties={"n": 1}),
    ]
    told = lived(history, question([limited]))
    assert [each.scores[0] for each in told.snapshots[:2]] == [1, 5]


def test_only_a_crm_makes_an_outcome_unless_all_are_believed() -> None:
    """A public web key cannot fake a win."""
    history = [event("signal", MONDAY), won(MONDAY + 3 * WEEK, kind="web")]
    assert not any(each.converted for each in lived(history, question()).snapshots)
    believed = lived(history, question(kinds=frozenset({"crm", "web"})))
    assert [each.converted for each in believed.snapshots] == [False, True, True]


def test_visitors_take_part_on_request_only() -> None:
    """A lead takes part from when it is known; with visitors, from its first event."""
    history = [
        event("signal", MONDAY, user_id=None, anonymous_id="a"),
        event("signal", MONDAY + 3 * WEEK, email="ada@engines.example"),
    ]
    assert weeks(lived(history, question())) == [3, 4, 5, 6]
    assert weeks(lived(history, question(visitors=True))) == [0, 1, 2, 3, 4, 5, 6]


def test_every_model_scores_and_the_first_names_its_rules() -> None:
    """One score per model, in order; rules worth a point are those of the first."""
    told = lived(
        [event("signal", MONDAY), event("noise", MONDAY), event("noise", MONDAY)], question([SIGNAL, NOISE])
    )
    assert told.snapshots[0].scores == (10, 20)
    assert told.snapshots[0].rules == ("signal",)


def test_rules_that_are_worth_nothing_at_that_moment_are_not_named() -> None:
    """A fit rule holds or not, also of a person of whom nothing is known; points that faded away are gone."""
    fading = small.model(
        engagement=small.rule("click", "event: click, points: 8, half_life: 7d"),
        fit=small.rule("nowhere", "when: {country: {exists: false}}, points: -5", group="who"),
    )
    history = [event("click", MONDAY), event("hello", MONDAY + 5.5 * WEEK, traits={"country": "DE"})]
    told = lived(history, question([fading]))
    assert [each.rules for each in told.snapshots[3:]] == [("click", "nowhere")] * 2 + [("nowhere",), ()]


def test_recency_is_the_persons_last_act() -> None:
    """What sales enter and what we send are no signs of life."""
    history = [
        event("noise", MONDAY - 2 * HOUR),
        event("deal.created", MONDAY - HOUR, kind="crm"),
        event(EMAIL_DELIVERED, MONDAY - HOUR, kind="email"),
    ]
    assert lived(history, question()).snapshots[0].idle_s == 7200


def test_a_crm_decides_by_what_it_knew_before() -> None:
    """A win is learned when it was received, with the fields before it and not those it brings along."""
    history = [
        event("signal", MONDAY, traits={"country": "DE"}),
        event("deal.created", MONDAY + HOUR, kind="crm"),
        event("deal.won", MONDAY + WEEK, kind="crm", late=WEEK, traits={"country": "AT"}),
    ]
    (decision,) = lived(history, question()).decisions
    assert (decision.verdict, decision.at_s) == ("won", (MONDAY + 2 * WEEK).timestamp())
    assert (decision.crm.country, decision.crm.stage) == ("de", "opportunity")


def test_a_horizon_without_the_outcome_is_silence() -> None:
    """Two weeks after it took part for the first time; a loss said by the CRM is a decision of its own."""
    told = lived([event("signal", MONDAY), event("deal.lost", MONDAY + HOUR, kind="crm")], question())
    assert [(each.verdict, each.at_s - MONDAY.timestamp()) for each in told.decisions] == [
        ("lost", 3600),
        ("silent", 14 * 86_400),
    ]


def test_nothing_after_the_end_is_looked_at() -> None:
    """Events received after --as-of are not there, as labels or otherwise."""
    history = [
        event("signal", MONDAY),
        won(MONDAY + 7 * WEEK, late=2 * WEEK),
        event("signal", MONDAY + 9 * WEEK),
    ]
    told = lived(history, question())
    assert told.events == 1
    assert not any(each.converted for each in told.snapshots)
    assert lived([], question()).snapshots == []


@settings(max_examples=80)
@given(worlds.models(), worlds.events(max_size=10), st.data())
def test_a_snapshot_is_the_score_of_the_log_cut_off_at_that_moment(
    model: Compiled, events: list[Event], data: st.DataObject
) -> None:
    """Leak canary: whatever comes later, the score is that of what had been received by then (P3)."""
    delays = data.draw(
        st.lists(st.sampled_from([0, 0, 5, 200, 2000]), min_size=len(events), max_size=len(events))
    )
    history = [replaced(one, timedelta(hours=delay)) for one, delay in zip(events, delays, strict=True)]
    asked = question([model], visitors=True, every_s=86_400.0, as_of_s=(worlds.START + 30 * WEEK).timestamp())
    for snapshot in lived(history, asked).snapshots:
        at_s = asked.moment_s(snapshot.cutoff)
        cut = [one for one in history if one.received_at.timestamp() <= at_s]
        at = worlds.START + timedelta(seconds=at_s - worlds.START.timestamp())
        assert snapshot.scores == (score(model, cut, at).total,)


def replaced(one: Event, delay: timedelta) -> Event:
    return msgspec.structs.replace(one, received_at=one.occurred_at + delay)


@pytest.mark.parametrize("days", [1, 7, 30])
def test_the_grid_does_not_depend_on_the_data(days: int) -> None:
    """Tomorrow's backtest looks at the same moments as today's."""
    asked = question(every_s=days * 86_400.0)
    early, late = asked.cutoffs(MONDAY.timestamp()), asked.cutoffs((MONDAY + WEEK).timestamp())
    assert set(late) <= set(early)
    assert len(early) > len(late) or days == 30
