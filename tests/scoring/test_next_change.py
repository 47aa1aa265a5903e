"""When to look again: the arithmetic of single cases, next to the properties for all of them."""

from datetime import datetime, timedelta
from math import log2

import pytest

from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import refold
from shared.scoring.engine.next_change import next_change
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import EMPTY, LeadState
from shared.scoring.engine.transitions import StageState, decide
from tests.scoring.small import NOW, event, model, rule, stage

DAY = timedelta(days=1)
FALLING = model(
    engagement=rule("a", "event: a, points: 100, half_life: 14d")
    + rule("b", "event: b, points: -60, half_life: 1d"),
    stages=stage("mql", "enter: {at_least: {score: 75}}, leave: {below: {score: 50}, to: lead}, dwell: 3d")
    + stage("sql", "enter: {event: lead.accepted}, limit: {after: 9d, to: recycled}")
    + stage("recycled", "enter: {event: lead.rejected}"),
)


def found(
    state: LeadState, standing: StageState, at: datetime = NOW, of: Compiled = FALLING
) -> datetime | None:
    return next_change(of, state, standing, at)


def test_one_half_life_has_a_formula_and_the_search_finds_it() -> None:
    """100 points halving every 14 days are shown as 49 once they are below 49.5 (to a millionth)."""
    state = refold(FALLING, [event(1, "a", 0 * DAY)])
    true = NOW + 14 * DAY * log2(100 / 49.5)
    promised = found(state, StageState(stage="mql", since=NOW - 30 * DAY))
    assert promised is not None
    assert timedelta(0) <= true - promised < (true - NOW) / 250
    for _ in range(5):
        promised = found(state, StageState(stage="mql", since=NOW - 30 * DAY), promised) or promised
    assert abs(true - promised) < timedelta(milliseconds=50)


def test_a_score_that_cannot_fall_below_the_line_never_crosses() -> None:
    """Nothing decays, nothing to look for."""
    assert found(EMPTY, StageState(stage="lead", since=NOW)) is None
    assert found(EMPTY, StageState(stage="visitor", since=NOW)) is None
    assert found(EMPTY, StageState(stage="customer", since=NOW)) is None


def test_the_minimum_stay_delays_the_look() -> None:
    """Below the line already, the lead moves when the stay is over."""
    assert found(EMPTY, StageState(stage="mql", since=NOW - 1 * DAY)) == NOW + 2 * DAY
    assert found(EMPTY, StageState(stage="mql", since=NOW - 3 * DAY)) == NOW


def test_the_time_limit_is_looked_at_on_time() -> None:
    """Nine days after the lead came."""
    assert found(EMPTY, StageState(stage="sql", since=NOW - 2 * DAY)) == NOW + 7 * DAY
    assert found(EMPTY, StageState(stage="sql", since=NOW - 20 * DAY)) == NOW


def test_a_hold_delays_everything() -> None:
    """What is due waits until the hold ends."""
    held = StageState(stage="sql", since=NOW - 20 * DAY, held_until=NOW + DAY)
    assert found(EMPTY, held) == NOW + DAY
    over = StageState(stage="sql", since=NOW - 20 * DAY, held_until=NOW - DAY)
    assert found(EMPTY, over) == NOW


def test_an_upward_crossing_is_found() -> None:
    """100 less 60 rises to 75 when the dent heals: looking when told arrives there, never late."""
    state = refold(FALLING, [event(1, "a", 0 * DAY), event(2, "b", 0 * DAY)])
    standing, at, looks = StageState(stage="lead", since=NOW), NOW, 0
    while not decide(
        FALLING, standing, evaluate(FALLING, state, at), profile={}, known=True, event=None, now=at
    ):
        promised = found(state, standing, at)
        assert promised is not None
        assert promised > at
        at, looks = promised, looks + 1
    second = timedelta(seconds=1)
    assert evaluate(FALLING, state, at - second).total == 74
    assert looks <= 12


def test_a_grade_that_falls_is_found() -> None:
    """From D1 to D2 when engagement is shown below 30: 40 points halving every ten days."""
    graded = model(
        engagement=rule("a", "event: a, points: 40, half_life: 10d"),
        stages=stage("mql", "enter: {grade: D1}, leave: {grade: [D2, D3, D4], to: lead}"),
    )
    state = refold(graded, [event(1, "a", 0 * DAY)])
    promised = found(state, StageState(stage="mql", since=NOW), of=graded)
    true = NOW + 10 * DAY * log2(40 / 29.5)
    assert promised is not None
    assert timedelta(0) <= true - promised < (true - NOW) / 250


def test_a_state_of_other_rules_is_refused() -> None:
    """Two versions of a model are never mixed in one score."""
    state = refold(FALLING, [event(1, "a", 0 * DAY)])
    other = model(
        engagement=rule("a", "event: a, points: 1"), stages=stage("mql", "enter: {at_least: {score: 5}}")
    )
    with pytest.raises(ValueError, match="refold the lead first"):
        next_change(other, state, StageState(stage="lead", since=NOW), NOW)
    with pytest.raises(ValueError, match="refold the lead first"):
        evaluate(other, state, NOW)
