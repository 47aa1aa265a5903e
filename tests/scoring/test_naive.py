"""The engine beside an evaluation as slow and plain as the definition: nothing folded, nothing remembered.

Rules are judged one condition at a time, for each event anew; repetitions, sequences and limits look through
everything that came before; points are added up one by one. Values are odd on purpose: 1, True, 1.0 and "1"
follow each other, so that whoever takes one for another is found out.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import exp2, floor
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.definition import rules as definition
from shared.scoring.definition.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Condition,
    Not,
    Test,
    as_profile,
    on_event,
    on_profile,
)
from shared.scoring.definition.fields import event_getter
from shared.scoring.definition.rules import Clamp, EngagementRule, Occurrence, Points
from shared.scoring.definition.stages import StageName
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.next_change import is_quiet, next_change
from shared.scoring.engine.score import Standing, evaluate, evaluation, standing
from shared.scoring.engine.state import EMPTY, Attribute, LeadState
from shared.scoring.engine.transitions import StageState
from shared.scoring.replay.life import Life
from tests.scoring import small
from tests.scoring.naive_consent import agrees, counting, objects, stamp
from tests.scoring.worlds import PURPOSES, START, events, models

thorough = settings(
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LATER = START + timedelta(days=110)
moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: LATER + timedelta(minutes=minutes))
stages: st.SearchStrategy[StageName] = st.sampled_from(["lead", "mql", "sql", "recycled"])

ODD: list[Any] = [
    *(True, 1, 1.0, "1", "1.0", "true", False, 0, 0.0, -0.0, "-0.0", "", None, "ulm", "Ulm ", "x" * 250),
    *([1, "ulm"], [], {"a": {"b": 2}}, {"a": 1}, float("nan"), 2, "2"),
]
odd = st.sampled_from(ODD)
FIELDS = ("properties.n", "properties.n.a", "properties.n.a.b", "page.path", "traits.size")
PROFILE_FIELDS = ("size", "city", "city.a", "city.a.b", "email_domain")


SHARP: list[Condition] = [
    ALWAYS,
    *(Test(field="properties.n", operator="eq", operand=text) for text in ("1", "1.0", "true", "0", "0.0")),
    *(Test(field="properties.n", operator="eq", operand=text) for text in ("-0.0", "false", "ulm", "nan")),
    *(Test(field="properties.n", operator=how, operand=1.0) for how in ("eq", "gte", "lt")),
    *(Test(field="properties.n", operator="exists", operand=wanted) for wanted in (True, False)),
    Test(field="properties.n", operator="matches", operand="^(1|x+)$"),
    Test(field="properties.n", operator="not_in", operand=frozenset({"1", "ulm"})),
    Test(field="properties.n.a", operator="exists", operand=True),
    Test(field="properties.n.a.b", operator="eq", operand=2.0),
]
SHARP_FIT = [replace(each, field=each.field.partition(".")[2]) for each in SHARP if isinstance(each, Test)]


def single(fields: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    """Tests that tell values apart which look the same."""
    field = st.sampled_from(fields)
    texts = st.sampled_from(["1", "1.0", "true", "0", "0.0", "-0.0", "ulm", "x", "firma.example"])
    return st.one_of(
        st.builds(Test, field=field, operator=st.sampled_from(["eq", "not_eq"]), operand=texts),
        st.builds(Test, field=field, operator=st.sampled_from(["contains", "starts_with"]), operand=texts),
        st.builds(Test, field=field, operator=st.just("in"), operand=texts.map(lambda one: frozenset({one}))),
        st.builds(Test, field=field, operator=st.sampled_from(["eq", "gte", "lt"]), operand=st.just(1.0)),
        st.builds(Test, field=field, operator=st.just("exists"), operand=st.booleans()),
        st.builds(Test, field=field, operator=st.just("matches"), operand=st.just("^(1|x+|ulm)$")),
    )


def conditions(fields: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    one = single(fields)
    pair = st.tuples(one, one)
    return st.one_of(
        st.just(ALWAYS),
        one,
        one.map(lambda part: Not(part=part)),
        pair.map(lambda parts: All(parts=parts)),
        pair.map(lambda parts: AnyOf(parts=parts)),
    )


on_events, on_people = conditions(FIELDS), conditions(PROFILE_FIELDS)


@st.composite
def odd_models(draw: st.DrawFn) -> Compiled:
    """Models whose rules ask for odd values."""
    model = draw(models())
    asking = [replace(rule, event=replace(rule.event, when=draw(on_events))) for rule in model.engagement]
    fit = [replace(rule, when=draw(on_people)) for rule in model.fit]
    return model.changed(engagement=tuple(asking), fit=tuple(fit))


@st.composite
def odd_events(draw: st.DrawFn) -> list[Event]:
    """Events in order of arrival, with odd values where rules look."""
    return [
        msgspec.structs.replace(
            event,
            properties={"n": draw(odd), **({"path": draw(odd)} if draw(st.booleans()) else {})},
            traits={name: draw(odd) for name in ("size", "city") if draw(st.integers(0, 3)) == 0},
            email=draw(st.sampled_from([None, None, "Anna@firma.example", "anna"])),
        )
        for event in draw(events())
    ]


def meets(occurrence: Occurrence, event: Event) -> bool:
    return (not occurrence.names or event.name in occurrence.names) and on_event(occurrence.when)(event)


def hits(rule: EngagementRule, everything: list[Event]) -> list[tuple[Event, bool]]:
    """The events that count for the rule, each with whether it is paid."""
    ordered = [event for event in counting(everything) if agrees(rule.purpose, event, everything)]
    found: list[tuple[Event, bool]] = []
    for position, event in enumerate(ordered):
        before = ordered[:position]
        if meets(rule.event, event) and repeats(rule, event, before) and follows(rule, event, before):
            found.append((event, within_limit(rule, event, found)))
    return found


def age_s(event: Event, other: Event) -> float:
    return event.occurred_at.timestamp() - other.occurred_at.timestamp()


def repeats(rule: EngagementRule, event: Event, before: list[Event]) -> bool:
    if rule.repeat is None:
        return True
    near = [each for each in before if meets(rule.event, each) and age_s(event, each) <= rule.repeat.within_s]
    return len(near) >= rule.repeat.times - 1


def follows(rule: EngagementRule, event: Event, before: list[Event]) -> bool:
    after = rule.after
    return after is None or any(
        meets(after.first, each) and age_s(event, each) <= after.within_s for each in before
    )


def within_limit(rule: EngagementRule, event: Event, found: list[tuple[Event, bool]]) -> bool:
    if rule.limit is None:
        return True
    window = rule.limit.per.index
    index = window(event.occurred_at.timestamp())
    here = [(each, paid) for each, paid in found if window(each.occurred_at.timestamp()) == index]
    if rule.limit.for_each:
        value = thing(rule.limit.for_each, event)
        told_apart = list(
            dict.fromkeys(thing(rule.limit.for_each, each) for each, _ in [*here, (event, True)])
        )
        if value not in told_apart[: definition.MOST_VALUES]:
            return False
        here = [(each, paid) for each, paid in here if thing(rule.limit.for_each, each) == value]
    return len([each for each, paid in here if paid]) < rule.limit.times


def thing(field: str, event: Event) -> str:
    """What an event is about, in words: text without case, whole numbers without a point."""
    getter = event_getter(field)
    assert getter is not None
    match getter(event):
        case bool(value):
            return str(value).lower()
        case str(value):
            return value.strip().casefold()
        case float(value) if value == value // 1:
            return str(int(value))
        case int(value) | float(value):
            return str(value)
    return ""


def profile(ordered: list[Event]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for event in ordered:
        said |= {**event.traits, **({"email": event.email} if event.email else {})}
    return as_profile(said)


def pays(rule: EngagementRule, event: Event) -> float:
    """What this event is worth, by the rule's points alone."""
    getter = event_getter(rule.points.by) if rule.points.by else None
    return rule.points.worth(getter(event) if getter else None)


def worth(rule: EngagementRule, everything: list[Event], at: datetime) -> float:
    """What the rule pays; a rule that never saw an event of its own pays nothing, whatever its bounds."""
    ordered = [event for event in counting(everything) if agrees(rule.purpose, event, everything)]
    concerned = [rule.event, *([rule.after.first] if rule.after else [])]
    if not any(meets(each, event) for each in concerned for event in ordered):
        return 0.0
    total = 0.0
    for event, paid in hits(rule, everything):
        left = exp2((event.occurred_at - at).total_seconds() / rule.half_life_s) if rule.half_life_s else 1.0
        total += paid * pays(rule, event) * left
    return rule.between.of(total)


def naive(model: Compiled, stored: list[Event], at: datetime) -> dict[str, int]:
    """Every dimension and the score, from scratch."""
    ordered = sorted(stored, key=stamp)
    if objects(ordered):
        return dict.fromkeys([*(each.id for each in model.dimensions), "score"], 0)
    person = profile(counting(ordered))
    rules = [(rule.group, worth(rule, ordered, at)) for rule in model.engagement]
    rules += [(rule.group, rule.points) for rule in model.fit if on_profile(rule.when)(person)]
    shown = {}
    for dimension in model.dimensions:
        groups = [
            clamped(group.between, [points for name, points in rules if name == group.id])
            for group in model.groups
            if group.dimension == dimension.id
        ]
        shown[dimension.id] = rounded(clamped(dimension.between, groups))
    total = rounded(sum(each.weight * shown[each.id] for each in model.dimensions))
    return {**shown, "score": max(0, min(100, total))}


def clamped(clamp: Clamp, parts: list[float]) -> float:
    return max(clamp.lowest, min(clamp.highest, sum(parts)))


def rounded(points: float) -> int:
    return floor(round(points, 6) + 0.5)


def live(model: Compiled, arriving: list[Event]) -> LeadState:
    """Fold, and refold where fold gives up; look at the numbers in between, as the scorer does."""
    state = EMPTY
    for position, event in enumerate(arriving):
        folded = fold(model, state, event)
        state = refold(model, arriving[: position + 1]) if folded is None else folded
        standing(model, state, event.occurred_at)
    return state


@given(odd_models(), odd_events(), moments)
@thorough
def test_the_numbers_are_those_of_the_definition(model: Compiled, stored: list[Event], at: datetime) -> None:
    """Folded live or from history, every dimension and the score are what a plain evaluation gives."""
    expected = naive(model, stored, at)
    for state in (live(model, stored), refold(model, stored)):
        assert standing(model, state, at).shown == expected
        assert evaluate(model, state, at).shown == expected


@given(odd_models(), odd_events())
@thorough
def test_what_consent_left_out_is_told_as_by_the_definition(model: Compiled, stored: list[Event]) -> None:
    """Of every purpose: how many events its rules would have looked at, and did not."""
    ordered = sorted(stored, key=stamp)
    counted = counting(ordered)
    expected = {}
    for purpose in PURPOSES:
        rules = [rule for rule in model.engagement if rule.purpose == purpose]
        left_out = [
            event
            for event in counted
            if any(meets(each, event) for rule in rules for each in occurrences_of(rule))
            and not agrees(purpose, event, ordered)
        ]
        if left_out:
            expected[f"consent {purpose.id}"] = (len(left_out), left_out[-1].occurred_at)
    for state in (live(model, stored), refold(model, stored)):
        lines = evaluate(model, state, LATER).contributions
        told = {line.rule: (line.count, line.last_at) for line in lines if line.kind == "consent"}
        assert told == expected


def occurrences_of(rule: EngagementRule) -> list[Occurrence]:
    return [rule.event, *([rule.after.first] if rule.after else [])]


@given(odd_models(), odd_events())
@thorough
def test_the_counts_are_those_of_the_definition(model: Compiled, stored: list[Event]) -> None:
    """Of every rule: how many events met it, how many were paid, the newest, the points without decay."""
    ordered = sorted(stored, key=stamp)
    for state in (live(model, stored), refold(model, stored)):
        for rule in model.engagement:
            found = hits(rule, ordered)
            paid = [event for event, pays in found if pays]
            account = state.rules.get(rule.id)
            if account is None:
                assert found == []
                continue
            assert (account.matched, account.paid) == (len(found), len(paid))
            assert account.newest == tuple(stamp(event) for event in reversed(paid[-3:]))
            assert account.last == (stamp(found[-1][0]) if found else None)
            assert account.raw == pytest.approx(sum(pays(rule, event) for event, _ in found))
            assert account.limited == pytest.approx(sum(pays(rule, event) for event in paid))


def test_no_value_is_taken_for_another() -> None:
    """Whatever odd value was judged before, every other is judged as if it were the first."""
    base = small.model(engagement=small.rule("a", "event: a, points: 1"))
    [plain] = base.engagement
    by_table = Points(constant=0.0, by="properties.n", values={"1": 2.0, "true": 3.0, "0": 5.0, "ulm": 7.0})
    rules = [
        replace(plain, id=f"rule-{number}", points=by_table, event=replace(plain.event, when=when))
        for number, when in enumerate(SHARP)
    ]
    model = base.changed(engagement=tuple(rules))
    for first in ODD:
        for value in (first, *ODD):
            event = small.event(1, "a", timedelta(0), properties={"n": value})
            state = fold(model, EMPTY, event)
            expected = {rule.id: pays(rule, event) for rule in rules if on_event(rule.event.when)(event)}
            assert state is not None
            assert {name: account.raw for name, account in state.rules.items()} == expected, value


def test_nobody_is_taken_for_another() -> None:
    """Whoever was judged before, the same fit rules hold for a person as if nobody had been."""
    base = small.model(fit=small.rule("a", "when: {size: 1}, points: 1", group="who"))
    [plain] = base.fit
    rules = [replace(plain, id=f"rule-{number}", when=when) for number, when in enumerate(SHARP_FIT)]
    model = base.changed(fit=tuple(rules))
    for first in ODD:
        for value in (first, *ODD):
            attributes = {"n": Attribute(value, (0.0, b""))}
            held = model.person.of(attributes).fits.rules
            assert [rule.id for rule in held] == [rule.id for rule in rules if rule.holds({"n": value})]


def test_two_models_find_out_together_who_somebody_is() -> None:
    """If their fit rules are the same: one look for the same attributes."""
    base = small.model(fit=small.rule("a", "when: {size: 1}, points: 1", group="who"))
    draft = base.changed(engagement=()).beside(base)
    assert draft.engagement == ()
    said = {"size": Attribute(1, (0.0, b"a"))}
    assert base.person.of(said) is draft.person.of(said)
    for other, held in (
        ({"size": Attribute(True, (0.0, b"a"))}, []),
        ({**said, "city": said["size"]}, ["a"]),
    ):
        assert draft.person.of(other).profile == {name: each.value for name, each in other.items()}
        assert [rule.id for rule in draft.person.of(other).fits.rules] == held
    dearer = base.changed(fit=tuple(replace(rule, points=9.0) for rule in base.fit))
    assert dearer.beside(base) is dearer


@given(models(), events(), stages, moments, st.integers(0, 60))
@thorough
def test_known_numbers_change_no_answer(
    model: Compiled, stored: list[Event], name: StageName, at: datetime, days: int
) -> None:
    """Whether a stretch is quiet, and what comes next, does not depend on who worked out the points now."""
    state = refold(model, stored)
    stage = StageState(stage=name, since=at - timedelta(hours=30))
    span = (at, at + timedelta(days=days))
    found = evaluation(model, state, at)
    assert is_quiet(model, state, stage, span, found) is is_quiet(model, state, stage, span)
    assert next_change(model, state, stage, at, found) == next_change(model, state, stage, at)


@given(models(), events(), st.integers(0, 100))
@thorough
def test_a_life_has_the_numbers_of_its_moment(model: Compiled, stored: list[Event], hours: int) -> None:
    """Whatever was met or waited for last, the numbers are those of this state at this moment."""
    life = Life.begin(model, START)
    for event in sorted(stored, key=stamp):
        life.meet(event)
        assert fresh(life) == life.standing()
        life.wait(life.at + timedelta(hours=hours) / 100)
        assert fresh(life) == life.standing()


def fresh(life: Life) -> Standing:
    return standing(life.model, life.state, life.at)
