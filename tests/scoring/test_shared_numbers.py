"""For a lead that never met what two models differ in, the one on the other's rules is the other one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.definition.conditions import ALWAYS
from shared.scoring.definition.rules import Clamp, Occurrence
from shared.scoring.definition.stages import Line, Move, Stage
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.score import evaluate
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.life import Life, live
from shared.scoring.replay.shared_numbers import SharedNumbers, shared_numbers
from shared.scoring.replay.timeline import Chart, Timeline, Track
from tests.scoring import small, worlds
from tests.scoring.test_fast_replay import persons

DAY = timedelta(days=1)


@st.composite
def drafts(draw: st.DrawFn) -> tuple[Compiled, Compiled]:
    """A random model, and one with other stages, of whose rules one is changed, or gone, or new."""
    active = draw(worlds.models())
    rules = list(active.engagement)
    place = draw(st.integers(0, len(rules) - 1)) if rules else 0
    what = draw(st.sampled_from(["nothing", "bounds", "half-life", "gone", "new"]))
    if what == "new" or not rules:
        rules.insert(place, draw(worlds.engagement_rules(99)))
    elif what == "gone":
        del rules[place]
    elif what == "bounds":
        rules[place] = replace(rules[place], between=Clamp(lowest=0, highest=1))
    elif what == "half-life":
        rules[place] = replace(rules[place], half_life_s=86_400.0 * 3)
    return active, active.changed(engagement=tuple(rules), stages=draw(worlds.stage_paths()))


def twin_track(models: tuple[Compiled, Compiled], events: Sequence[Event]) -> tuple[Track, Track]:
    """The tracks of both models, of one that never met what they differ in; other leads are passed over."""
    chart = Chart(*models)
    shared = shared_numbers(chart, *models)
    assume(shared is not None)
    assert shared is not None
    timeline = Timeline(chart, events)
    assume(timeline.lacks(shared.apart))
    track = timeline.under(models[0])
    return track, track.staged_as(shared.model)


def story(life: Life) -> tuple[object, ...]:
    """All that a life tells, apart from whose rules it was lived under."""
    steps = [(step.transition, step.standing) for step in life.steps]
    return steps, life.ledger, life.known, life.at, life.standing()


@given(models=drafts(), events=persons(), wait=st.integers(-40, 100))
@settings(max_examples=300)
def test_lives_and_receipts_are_those_of_the_other_model(
    models: tuple[Compiled, Compiled], events: list[Event], wait: int
) -> None:
    """The same moves with the same numbers, and a receipt with the same lines, although all is shared."""
    tracks = twin_track(models, events)
    until = worlds.START + timedelta(days=60 + wait)
    for track, model in zip(tracks, models, strict=True):
        assert story(fast_replay(track, until)) == story(live(model, events, until))
    shared = tracks[1]
    end = until + 100 * DAY
    mine = evaluate(shared.model, shared.state(len(events)), end)
    assert mine == evaluate(
        models[1], Timeline(Chart(models[1]), events).under(models[1]).state(len(events)), end
    )


def shared(one: Compiled, other: Compiled) -> SharedNumbers | None:
    return shared_numbers(Chart(one, other), one, other)


def three_rules() -> Compiled:
    lines = ("look", "page.viewed"), ("ask", "form.submitted"), ("click", "email.clicked")
    rules = [small.rule(name, f"event: {event}, points: 5") for name, event in lines]
    return small.model(
        engagement="".join(rules), fit=small.rule("is", "when: {x: 1}, points: 1", group="who")
    )


def test_what_differs_is_apart() -> None:
    """A changed rule with its account in both models, one that is gone, and a new one; the rest is shared."""
    active = three_rules()
    look, click = active.engagement[0], active.engagement[2]
    new = replace(look, id="new", event=Occurrence(names=frozenset({"b"}), when=ALWAYS))
    draft = active.changed(engagement=(replace(look, half_life_s=9.0), click, new))
    found = shared(active, draft)
    assert found is not None
    assert found.apart == {"look", "look of 0", "ask", "new of 0"}
    assert found.model.engagement == active.engagement
    assert found.model.person is active.person


def test_the_same_account_under_another_clamp_is_apart() -> None:
    """What is kept is the same, and what it is worth is not."""
    active = three_rules()
    look, *rest = active.engagement
    found = shared(active, active.changed(engagement=(replace(look, between=Clamp(highest=3)), *rest)))
    assert found is not None
    assert found.apart == {"look"}


def test_the_stages_are_the_other_models() -> None:
    """Rules of the one, stages of the other."""
    active = three_rules()
    move = Move(to="mql", kind="enter", line=Line(at_least={"score": 3}), text="")
    draft = active.changed(stages=(Stage(name="lead", label={"en": "", "de": ""}, moves=(move,)),))
    found = shared(active, draft)
    assert found is not None
    assert (found.model.stages, found.apart) == (draft.stages, frozenset())


def _heavier(model: Compiled) -> Compiled:
    return model.changed(dimensions=tuple(replace(one, weight=one.weight * 2) for one in model.dimensions))


def _clamped(model: Compiled) -> Compiled:
    return model.changed(groups=tuple(replace(one, between=Clamp(highest=1)) for one in model.groups))


def _fitting(model: Compiled) -> Compiled:
    return model.changed(fit=tuple(replace(rule, points=rule.points + 1) for rule in model.fit))


def _graded(model: Compiled) -> Compiled:
    return model.changed(grades=replace(model.grades, letters=(99, *model.grades.letters[1:])))


def _asking(model: Compiled) -> Compiled:
    asks = small.model(fit=small.rule("a", "when: {y: 1}, points: 1", group="who")).fit[0].when
    line = Line(profile=asks)
    move = Move(to="mql", kind="enter", line=line, text="")
    return model.changed(stages=(Stage(name="lead", label={"en": "", "de": ""}, moves=(move,)),))


def _reversed(model: Compiled) -> Compiled:
    return model.changed(engagement=model.engagement[::-1])


@pytest.mark.parametrize("other", [_heavier, _clamped, _fitting, _graded, _asking, _reversed])
def test_models_that_differ_in_more_have_no_twin(other: Callable[[Compiled], Compiled]) -> None:
    """Weights, groups, fit, grades, what is kept of a person, the order of rules: nothing is taken over."""
    active = three_rules()
    assert other(active) != active
    assert shared(active, other(active)) is None


def test_true_is_not_one() -> None:
    """They are equal in Python, and not in a rule: a draft that changes one for the other differs."""

    def asking(value: str) -> Compiled:
        fit = small.rule("vip", f"when: {{vip: {value}}}, points: 1", group="who")
        did = small.rule("a", f"event: a, when: {{properties.x: {value}}}, points: 1")
        return small.model(engagement=did, fit=fit)

    one, true = asking("1"), asking("true")
    assert true.beside(one).person is true.person
    assert shared(one, true) is None
    found = shared(one, one.changed(engagement=true.engagement))
    assert found is not None
    assert found.apart == {"a", "a of 0"}
