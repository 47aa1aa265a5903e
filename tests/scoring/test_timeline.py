"""A timeline keeps what folding event by event gives, under every model of its chart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import MAX_ATTRIBUTES, refold
from shared.scoring.engine.points import decayed
from shared.scoring.replay.timeline import Chart, Timeline
from tests.scoring import small, worlds

DAY = timedelta(days=1)


def ordered(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.occurred_at, event.event_id.bytes))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Compiled, Compiled]:
    """A random model, and one that has some of its rules, some with other points, and some of a third one."""
    one, third = draw(worlds.models()), draw(worlds.models())
    rules = []
    for rule in (*one.engagement, *third.engagement):
        what = draw(st.sampled_from(["same", "other points", "other name", "none"]))
        if what == "other points":
            rules.append(replace(rule, points=replace(rule.points, constant=rule.points.constant + 1)))
        elif what == "other name":
            rules.append(replace(rule, id=f"other {rule.id}"))
        elif what == "same":
            rules.append(rule)
    other = {rule.id: rule for rule in rules}
    return one, one.changed(engagement=tuple(other.values()))


@given(models=pairs(), events=worlds.events(max_size=20), cut=st.integers(0, 20))
@settings(max_examples=100)
def test_each_model_sees_what_folding_gives(
    models: tuple[Compiled, Compiled], events: list[Event], cut: int
) -> None:
    """After any number of events, the same state that each model would have come to alone."""
    events = ordered(events)
    timeline = Timeline(Chart(*models), events)
    cut = min(cut, len(events))
    for model in models:
        assert timeline.under(model).state(cut) == refold(model, events[:cut])
        assert timeline.under(model).state(len(events)) == refold(model, events)


@given(
    model=worlds.models(), events=worlds.events(max_size=20), cut=st.integers(0, 20), days=st.integers(0, 90)
)
@settings(max_examples=100)
def test_a_range_is_what_the_account_was_worth(
    model: Compiled, events: list[Event], cut: int, days: int
) -> None:
    """Neither more nor less: the extremes right before and right after each event, and at both ends."""
    events = ordered(events)
    track = Timeline(Chart(model), events).under(model)
    cut = min(cut, len(events))
    since = events[cut - 1].occurred_at if cut else worlds.START
    until = max([since, *(event.occurred_at for event in events)]) + days * DAY
    for rule in model.engagement:
        if rule.id not in track.state(len(events)).rules:
            continue
        values = []
        moments = [since, *(event.occurred_at for event in events[cut:]), until]
        for count, span in enumerate(pairwise(moments), start=cut):
            account = refold(model, events[:count]).rules.get(rule.id)
            values += [decayed(rule, account, at.timestamp()) if account else 0.0 for at in span]
        stretch = (cut, len(events), since.timestamp(), until.timestamp())
        assert track.range(rule, stretch) == pytest.approx((min(values), max(values)), abs=1e-9)


def test_an_account_that_two_models_share_is_kept_once() -> None:
    """Rules that keep the same are folded once, whatever else about them differs."""
    one = small.model(
        engagement=small.rule("look", "event: page.viewed, points: 1")
        + small.rule("ask", "event: form.submitted, points: 30")
    )
    look, ask = one.engagement
    other = one.changed(engagement=(replace(look, id="seen", group="who"), replace(ask, half_life_s=9.0)))
    chart = Chart(one, other)
    accounts = dict(chart.rule_states(one)), dict(chart.rule_states(other))
    assert accounts[0] == {"look": "look", "ask": "ask"}
    assert accounts[1]["seen"] == "look"
    assert accounts[1]["ask"] not in {"look", "ask"}
    assert len(chart.event_matchers["form.submitted"].of(small.event(1, "form.submitted", DAY)).pays) == 2
    assert Chart(one, one.changed(name="same rules")).event_matchers is one.event_matchers


def test_only_what_is_new_about_a_person_is_news() -> None:
    """Said again, it is none; 1 and true are equal for Python, and different to conditions."""
    said: list[dict[str, object]] = [{"n": 1}, {"n": 1}, {}, {"n": True}, {"n": True, "m": [1]}, {"m": [1.0]}]
    model = small.model()
    events = [
        small.event(number, "acted", timedelta(hours=-number), traits=traits)
        for number, traits in enumerate(said)
    ]
    assert Timeline(Chart(model), events).news == {0, 3, 4, 5}


def test_each_model_keeps_the_attributes_it_asks_for() -> None:
    """Of more attributes than are kept, two models that ask for different ones keep different ones."""
    asking = [
        small.model(fit=small.rule("a", f"when: {{{name}: 1}}, points: 1", group="who"))
        for name in ("y", "z")
    ]
    many = {f"a{number}": number for number in range(MAX_ATTRIBUTES)} | {"y": 1, "z": 1}
    timeline = Timeline(Chart(*asking), [small.event(1, "acted", DAY, traits=many)])
    for model, name in zip(asking, ("y", "z"), strict=True):
        assert {"y", "z"} & timeline.under(model).state(1).attributes.keys() == {name}


def test_events_out_of_order_are_refused() -> None:
    """History is read in order of time; another order is a mistake of the caller."""
    late = [small.event(1, "page.viewed", timedelta(0)), small.event(2, "page.viewed", 2 * DAY)]
    with pytest.raises(ValueError, match="comes too late"):
        Timeline(Chart(small.model()), late)
