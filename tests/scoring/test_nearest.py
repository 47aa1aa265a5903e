"""What would have changed the stage: the nearest rules that would, one at a time."""

from datetime import timedelta

from shared.scoring.analysis.nearest import Nearest, nearest
from shared.scoring.engine.fold import refold
from shared.scoring.engine.transitions import StageState
from tests.scoring.small import NOW, event, model, rule, stage

DAY = timedelta(days=1)
MODEL = model(
    engagement=rule("click", "event: click, points: 12, limit: {times: 2, per: day}")
    + rule("demo", "event: demo, points: 30, half_life: 10d")
    + rule("view", "event: view, points: 7")
    + rule("again", "event: view, points: 90, repeat: {times: 5, within: 1d}")
    + rule("minus", "event: minus, points: -9"),
    fit=rule("big", "when: {size: {gte: 100}}, points: 20", group="who")
    + rule("small", "when: {size: {lt: 100}}, points: -5", group="who"),
    stages=stage("mql", "enter: {at_least: {score: 40}}, leave: {below: {score: 20}, to: lead}")
    + stage("sal", "enter: {event: lead.accepted}")
    + stage("sql", "enter: {at_least: {score: 90}, from: mql}")
    + stage("recycled", "enter: {event: lead.rejected, from: mql}"),
)
LEAD = StageState(stage="lead", since=NOW - DAY)


def short(found: list[Nearest]) -> list[tuple[str, str, int, int]]:
    return [(each.stage, each.rule, each.times, each.total) for each in found]


def test_the_nearest_come_first() -> None:
    """One demo, or two clicks, or to be accepted; a rule for repetition is not offered."""
    state = refold(MODEL, [event(1, "click", 2 * DAY), event(2, "demo", 10 * DAY)])
    assert short(nearest(MODEL, state, LEAD, NOW)) == [
        ("mql", "demo", 1, 57),
        ("mql", "big", 1, 47),
        ("sal", "lead.accepted", 1, 27),
        ("mql", "click", 2, 51),
        ("mql", "view", 2, 41),
    ]


def test_what_the_limit_would_not_pay_is_not_offered() -> None:
    """Two clicks were paid today already: a third changes nothing."""
    state = refold(MODEL, [event(1, "click", timedelta(hours=2)), event(2, "click", timedelta(hours=1))])
    offered = short(nearest(MODEL, state, LEAD, NOW))
    assert ("mql", "view", 3, 45) in offered
    assert not [each for each in offered if each[1] == "click"]


def test_more_than_three_times_is_not_near() -> None:
    """From nothing only the demo and its like are near."""
    offered = short(nearest(MODEL, refold(MODEL, []), LEAD, NOW))
    assert offered == [("sal", "lead.accepted", 1, 0), ("mql", "demo", 2, 60)]


def test_a_way_back_is_not_offered() -> None:
    """To be rejected would move an MQL too, but not up."""
    assert any(move.to == "recycled" for move in MODEL.moves["mql"])
    found = nearest(MODEL, refold(MODEL, []), StageState(stage="mql", since=NOW - DAY), NOW)
    assert "recycled" not in {each.stage for each in found}


def test_nothing_is_offered_where_the_move_happens_anyway() -> None:
    """Who stands above the line needs nothing; only what leads elsewhere remains."""
    state = refold(MODEL, [event(n, "demo", timedelta(0)) for n in range(2)])
    assert short(nearest(MODEL, state, LEAD, NOW)) == [("sal", "lead.accepted", 1, 60)]
    assert nearest(MODEL, state, StageState(stage="customer", since=NOW), NOW) == []
