"""A fast replay gives the life that is lived event by event."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.definition.stages import Line, Move, Stage, StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.consent import has_objected
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.score import standing
from shared.scoring.replay.fast_replay import _bounds, fast_replay
from shared.scoring.replay.life import Life, live
from shared.scoring.replay.timeline import Chart, Timeline, Track
from tests.scoring import small, worlds

DAY = timedelta(days=1)


@st.composite
def persons(draw: st.DrawFn) -> list[Event]:
    """Events of somebody who becomes known at some point, and whom sales may move by hand."""
    found = draw(worlds.events(max_size=25))
    found.sort(key=lambda event: (event.occurred_at, event.event_id.bytes))
    known_from = draw(st.integers(0, len(found)))
    return [
        draw(st.sampled_from([_moved, _told]))(draw, event)
        if draw(st.integers(0, 5)) == 0
        else _known(event, known=n >= known_from)
        for n, event in enumerate(found)
    ]


def _known(event: Event, *, known: bool) -> Event:
    return msgspec.structs.replace(event, user_id="u" if known else None)


def _moved(draw: st.DrawFn, event: Event) -> Event:
    properties = {"stage": draw(st.sampled_from(["mql", "lead", "recycled"]))}
    if draw(st.booleans()):
        properties["hold_until"] = (event.occurred_at + 3 * DAY).isoformat()
    return msgspec.structs.replace(event, name="lead.moved", kind="crm", properties=properties)


def _told(draw: st.DrawFn, event: Event) -> Event:
    name = draw(st.sampled_from(["deal.created", "deal.lost"]))
    deal = {"deal_id": draw(st.sampled_from([None, 1]))}
    return msgspec.structs.replace(event, name=name, kind="crm", properties=deal)


@st.composite
def models(draw: st.DrawFn) -> Compiled:
    """Random models in which event "c" leads from MQL to recycled, and a deal from lead to SQL and back."""
    model = draw(worlds.models())
    by_event = {
        "mql": _by_event("recycled", "c"),
        "lead": _by_event("sql", "deal.created"),
        "sql": _by_event("lead", "deal.lost"),
    }
    stages = [
        Stage(name=stage.name, label=stage.label, moves=(*by_event.get(stage.name, ()), *stage.moves))
        for stage in model.stages
    ]
    return model.changed(stages=tuple(stages))


def _by_event(to: StageName, name: str) -> tuple[Move, ...]:
    return (Move(to=to, kind="enter", line=Line(), text=name, event=frozenset({name})),)


def track(model: Compiled, events: Sequence[Event]) -> Track:
    """What is kept of these events under one model."""
    return Timeline(Chart(model), events).under(model)


def facts(life: Life) -> tuple[object, ...]:
    return life.steps, life.ledger, life.state, life.known, life.at


@given(model=models(), events=persons(), wait=st.integers(-40, 400))
@settings(max_examples=400)
def test_fast_replay_gives_every_step_that_living_gives(
    model: Compiled, events: list[Event], wait: int
) -> None:
    """Same transitions at the same microsecond with the same numbers, for any model and history."""
    until = worlds.START + timedelta(days=60 + wait)
    assert facts(fast_replay(track(model, events), until)) == facts(live(model, events, until))


def story(count: int) -> Sequence[Event]:
    """Somebody known who looks at a page every day, and then asks for a demo."""
    looks = [
        small.event(n, "page.viewed", timedelta(days=count - n), email="a@b.example") for n in range(count)
    ]
    return [*looks, small.event(count, "form.submitted", timedelta(0), email="a@b.example")]


def test_a_quiet_life_is_not_looked_at_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred events that move nobody cost a few looks, and the step at the end is found."""
    model = small.model(
        engagement=small.rule("look", "event: page.viewed, points: 1, half_life: 1d")
        + small.rule("ask", "event: form.submitted, points: 30"),
        stages=small.stage("mql", "enter: [{at_least: {score: 20}}]"),
    )
    events = story(200)
    met: list[Event] = []
    meet = Life.meet

    def meet_and_tell(life: Life, event: Event) -> None:
        met.append(event)
        meet(life, event)

    monkeypatch.setattr(Life, "meet", meet_and_tell)
    life = fast_replay(track(model, events), small.NOW)
    assert [step.transition.stage for step in life.steps] == ["lead", "mql"]
    assert len(met) < 60


@pytest.mark.parametrize(
    ("before", "during", "least", "most"),
    [
        ([], [(5, 8)], 0, 8),  # nothing before the first event
        ([], [(5, -8)], -8, 0),
        ([(5, 8)], [], 0, 8),  # what is there only shrinks
        ([(5, -8)], [], -8, 0),
        ([(5, 20)], [(1, 3)], 1, 20),  # a late gain after a long decay
        ([(5, -20)], [(1, -3)], -20, -1),
        ([(5, -20)], [(4, 1)], -20, -1),  # a small gain leaves a debt that shrinks
        ([(5, 20)], [(4, -1)], 1, 20),
        ([(5, 4)], [(4, -9), (3, 9)], -7, 6),  # down and up again
    ],
)
def test_bounds_of_one_rule(
    before: list[tuple[int, int]], during: list[tuple[int, int]], least: int, most: int
) -> None:
    """A rule with a half-life of a day: (days ago, points) before the stretch, and in it until now."""
    model = small.model(
        engagement=small.rule(
            "sum", "event: acted, half_life: 1d, points: {by: properties.n, each: 1, between: [-50, 50]}"
        )
    )
    acts = [
        small.event(n, "acted", timedelta(days=ago), properties={"n": points})
        for n, (ago, points) in enumerate([*before, *during])
    ]
    life = Life.begin(model, acts[0].occurred_at)
    life.state = refold(model, acts[: len(before)])
    low, high = _bounds(life, track(model, acts), (len(before), len(acts)), small.NOW)
    assert (low["engagement"], high["engagement"]) == (least, most)


@given(model=models(), events=worlds.events(max_size=25), cut=st.integers(0, 25), wait=st.integers(0, 60))
@settings(max_examples=150)
def test_bounds_hold_at_every_moment_of_the_stretch(
    model: Compiled, events: list[Event], cut: int, wait: int
) -> None:
    """Before and after each event, until the end: every shown number lies within the bounds.

    A stretch holds no event that takes something back: those are met one by one. Of somebody who objects
    nobody asks.
    """
    ordered = [msgspec.structs.replace(event, traits={}) for event in events]
    ordered.sort(key=lambda event: (event.occurred_at, event.event_id.bytes))
    cut = min(cut, len(ordered))
    life = Life.begin(model, ordered[cut - 1].occurred_at if cut else worlds.START)
    life.state = refold(model, ordered[:cut])
    until = (ordered[-1].occurred_at if ordered else worlds.START) + wait * DAY
    whole = track(model, ordered)
    assume(whole.timeline.news.isdisjoint(range(cut, len(ordered))) and not has_objected(life.state))
    low, high = _bounds(life, whole, (cut, len(ordered)), until)
    state = life.state
    seen = [standing(model, state, life.at).shown]
    for event in ordered[cut:]:
        seen.append(standing(model, state, event.occurred_at).shown)
        state = fold(model, state, event, in_order=True) or state
        seen.append(standing(model, state, event.occurred_at).shown)
    seen.append(standing(model, state, until).shown)
    for shown in seen:
        assert {name for name, points in shown.items() if not low[name] <= points <= high[name]} == set()
