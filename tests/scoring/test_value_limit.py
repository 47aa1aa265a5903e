"""A limit for each value of a field: which events are paid, what is kept, when history has to be asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Event
from shared.scoring.analysis.nearest import nearest
from shared.scoring.analysis.reach import most
from shared.scoring.definition import rules as definition
from shared.scoring.definition.digest import digest
from shared.scoring.definition.rules import Limit, Window
from shared.scoring.engine import value_limit
from shared.scoring.engine.compiled import Compiled
from shared.scoring.engine.fold import fold, refold
from shared.scoring.engine.score import evaluate, standing
from shared.scoring.engine.state import EMPTY, LeadState, RuleState, ValueCounts, decode
from shared.scoring.engine.transitions import StageState
from shared.scoring.replay.fast_replay import fast_replay
from shared.scoring.replay.life import live as lived
from shared.scoring.replay.timeline import Chart, Timeline
from shared.scoring.words.receipts import Language, sentence
from tests.scoring import worlds
from tests.scoring.naive_consent import stamp
from tests.scoring.small import NOW, event, model, rule, stage
from tests.scoring.test_naive import hits, live, moments, naive, odd, thorough

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def limited(times: int = 1, per: str = "ever", *, extra: str = "") -> Compiled:
    """One rule of five points, limited for each e-mail."""
    limit = f"limit: {{times: {times}, per: {per}, for_each: properties.mail}}"
    return model(engagement=rule("opened", f"event: a, points: 5, {limit}{extra}"))


def opened(number: int, mail: object, age: timedelta) -> Event:
    return event(number, "a", age, properties={} if mail is None else {"mail": mail})


def fold_all(compiled: Compiled, *events: Event) -> LeadState | None:
    """Folded one after the other; None as soon as one cannot be."""
    state: LeadState | None = EMPTY
    for each in events:
        state = fold(compiled, state, each) if state else None
    return state


def kept(state: LeadState | None, name: str = "opened") -> RuleState:
    assert state is not None
    return state.rules[name]


def told(state: LeadState | None) -> tuple[int, int]:
    return kept(state).matched, kept(state).paid


@pytest.fixture
def two_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that tell two values apart."""
    monkeypatch.setattr(value_limit, "MOST_VALUES", 2)
    monkeypatch.setattr(definition, "MOST_VALUES", 2)


@pytest.fixture(scope="module")
def two_values_for_long() -> Iterator[None]:
    """The same, for tests that run many examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_limit, "MOST_VALUES", 2)
        patch.setattr(definition, "MOST_VALUES", 2)
        yield


def test_the_same_thing_pays_once_and_three_things_three_times() -> None:
    """Five opens of one e-mail pay once; three e-mails pay three times."""
    one = [opened(n, "spring", n * HOUR) for n in range(5, 0, -1)]
    three = [opened(n, f"mail-{n}", n * HOUR) for n in range(3, 0, -1)]
    assert told(fold_all(limited(), *one)) == (5, 1)
    assert told(fold_all(limited(), *three)) == (3, 3)
    assert standing(limited(), refold(limited(), [*one, *three]), NOW).shown["engagement"] == 5 + 15


@pytest.mark.parametrize(
    "same",
    [
        ("Spring", " spring ", "SPRING"),
        (42, 42.0, "42"),
        (True, "true", "TRUE"),
        (None, "", "  ", [], ["spring"], {"a": 1}),
        ("\ud83d", "\ud83d "),
        (0, 0.0, -0.0, "0"),
    ],
)
def test_what_counts_as_the_same_thing(same: tuple[object, ...]) -> None:
    """Text without case, whole numbers however written; all that is neither is one thing: no value."""
    events = [opened(n, value, -n * HOUR) for n, value in enumerate(same)]
    assert told(refold(limited(), events)) == (len(same), 1)


def test_what_counts_as_different_things() -> None:
    """Ids that are numbers in value only, fractions, and no value beside a value."""
    values = ["7", "007", "7.0", 7.5, "1e2", 100, "true", False, None, "none", "x" * 300, "x" * 301]
    events = [opened(n, value, -n * HOUR) for n, value in enumerate(values)]
    assert told(refold(limited(), events)) == (len(values), len(values))


def test_windows_begin_anew_for_each_value() -> None:
    """Twice a day of each e-mail: what yesterday paid does not count today."""
    ages = (30, 29, 28, 3, 2, 1)  # NOW is noon: the first three lie on the day before
    events = [
        opened(n, mail, age * HOUR + timedelta(minutes=m))
        for n, (age, m, mail) in enumerate((age, m, mail) for age in ages for m, mail in enumerate("xy"))
    ]
    assert told(refold(limited(2, "day"), events)) == (12, 8)


def test_a_late_event_of_a_value_with_room_folds() -> None:
    """Nothing is displaced: the other e-mail was paid as it would have been."""
    state = fold_all(limited(), opened(1, "x", HOUR), opened(2, "y", 2 * HOUR))
    assert told(state) == (2, 2)
    again = fold(limited(), state or EMPTY, opened(3, "x", timedelta(0)))
    assert told(again) == (3, 1 + 1)


@pytest.mark.parametrize("age", [3, 5])
def test_a_late_event_of_a_value_that_is_used_up_needs_history(age: int) -> None:
    """It is among the earliest now, or may be: the newest paid event of any value is later."""
    compiled = limited()
    events = [opened(1, "x", 4 * HOUR), opened(2, "y", 2 * HOUR)]
    late = opened(3, "x", age * HOUR)
    assert fold_all(compiled, *events, late) is None
    earliest = kept(refold(compiled, [*events, late])).newest[-1]
    assert earliest == stamp(late if age == 5 else events[0])


def test_a_late_event_in_an_older_window_needs_history() -> None:
    """Nobody knows any more which values the older window had paid."""
    state = fold_all(limited(1, "day"), opened(1, "x", timedelta(0)))
    assert fold(limited(1, "day"), state or EMPTY, opened(2, "y", 2 * DAY)) is None


def test_a_tie_goes_to_the_smaller_id() -> None:
    """At the same moment the event with the smaller id is earlier, in any order of arrival."""
    state = fold_all(limited(), opened(5, "x", HOUR)) or EMPTY
    assert fold(limited(), state, opened(4, "x", HOUR)) is None
    assert told(fold(limited(), state, opened(6, "x", HOUR))) == (2, 1)


def test_two_leads_who_turn_out_to_be_one_opened_an_e_mail_once() -> None:
    """After a merge the history of both is folded: each e-mail is paid once, whoever opened it."""
    one = [opened(1, "x", 5 * HOUR), opened(2, "y", 2 * HOUR)]
    other = [opened(3, "y", 4 * HOUR), opened(4, "z", HOUR)]
    merged = refold(limited(), [*one, *other])
    assert told(merged) == (4, 3)
    assert kept(merged).newest == (stamp(other[1]), stamp(other[0]), stamp(one[0]))


def test_what_concerns_no_rule_leaves_the_rules_as_they_are() -> None:
    """The very same rule states stay with the lead, though other events of that name are paid."""
    compiled = model(
        engagement=rule(
            "opened",
            "event: a, when: {properties.mail: [x, y]}, points: 5, "
            "limit: {times: 1, per: ever, for_each: properties.mail}",
        )
    )
    state = refold(compiled, [opened(1, "x", HOUR)])
    after = fold(compiled, state, opened(2, "z", timedelta(0)))
    assert after is not None
    assert after.rules is state.rules
    assert told(fold(compiled, after, opened(3, "y", timedelta(0)))) == (2, 2)


@pytest.mark.usefixtures("two_values")
def test_the_values_that_came_first_are_told_apart() -> None:
    """With room for two, events of a third pay nothing, and what comes in order needs no history."""
    compiled = limited(2)
    events = [opened(n, mail, (9 - n) * HOUR) for n, mail in enumerate(["x", "y", "z", "x", "z", "y", "y"])]
    assert told(fold_all(compiled, *events)) == (7, 4)
    assert kept(fold_all(compiled, *events)) == kept(refold(compiled, events))


@pytest.mark.usefixtures("two_values")
def test_a_late_value_that_came_before_them_takes_its_place() -> None:
    """Whatever order they arrive in, the two values whose first event is earliest are paid."""
    compiled = limited()
    events = [opened(n, mail, (9 - n) * HOUR) for n, mail in enumerate(["x", "y", "z", "z", "y", "x"])]
    derived = refold(compiled, events)
    assert kept(derived).newest == (stamp(events[1]), stamp(events[0]))
    for arriving in permutations(events):
        assert facts(live(compiled, list(arriving))) == facts(derived)


@pytest.mark.usefixtures("two_values")
def test_values_are_told_apart_anew_in_each_window() -> None:
    """A third e-mail of yesterday is the first one of today."""
    events = [opened(n, mail, 26 * HOUR - n * HOUR) for n, mail in enumerate("xyz")]
    assert told(refold(limited(1, "day"), [*events, opened(9, "z", HOUR)])) == (4, 3)


def test_what_is_kept_does_not_grow_with_values() -> None:
    """Two hundred values are told apart, in some two kilobytes; thousands take no more."""
    compiled = limited()
    thousand = [opened(n, f"mail-{n}", -n * HOUR) for n in range(1_000)]
    state = fold_all(compiled, *thousand)
    assert told(state) == (1_000, definition.MOST_VALUES)
    few = refold(compiled, thousand[: definition.MOST_VALUES])
    assert 2_000 < len(few.encode()) < 2_600
    assert len((state or EMPTY).encode()) <= len(few.encode()) + 4


def test_values_are_not_kept_in_clear() -> None:
    """What a lead opened does not stand in its state: a hash does, the same in every process."""
    state = refold(limited(), [opened(1, "secret-offer", HOUR)])
    assert b"secret" not in state.encode()
    counts = kept(state).window
    assert isinstance(counts, ValueCounts)
    assert counts.paid == {15550817088389793806: 1}
    assert decode(state.encode()) == state


def test_a_limit_without_for_each_keeps_what_it_kept() -> None:
    """Its states stay current: their key is that of a limit which had no such field."""
    plain = Limit(times=1, per=Window(unit="ever"))
    assert digest(plain) == "5f066dd9d1eac52a"
    assert digest(plain) != digest(replace(plain, for_each="name")) != digest(replace(plain, for_each="kind"))
    keys = {
        limited().fold_key,
        model(engagement=rule("opened", "event: a, points: 5, limit: {times: 1, per: ever}")).fold_key,
    }
    assert len(keys) == 2
    assert fold(limited(2), refold(limited(), [opened(1, "x", HOUR)]), opened(2, "x", HOUR)) is None


def test_repetition_and_sequence_come_before_the_limit() -> None:
    """What does not qualify neither is paid nor takes the place of a value."""
    compiled = limited(extra=", after: {event: b, within: 1d}")
    events = [
        opened(1, "x", 5 * HOUR),
        event(2, "b", 4 * HOUR),
        opened(3, "x", 3 * HOUR),
        opened(4, "x", HOUR),
    ]
    assert told(fold_all(compiled, *events)) == (2, 1)
    assert kept(refold(compiled, events)).newest == (stamp(events[2]),)


@pytest.mark.usefixtures("two_values")
def test_what_would_move_a_lead_counts_other_things_too() -> None:
    """Another e-mail would be paid, as long as there is room for one in the window."""
    compiled = model(
        engagement=rule(
            "opened", "event: a, points: 9, limit: {times: 1, per: day, for_each: properties.mail}"
        ),
        stages=stage("mql", "enter: {at_least: {score: 18}}, leave: {below: {score: 5}, to: lead}"),
    )
    lead = StageState(stage="lead", since=NOW - DAY)
    one = refold(compiled, [opened(1, "x", HOUR)])
    assert [(each.rule, each.times) for each in nearest(compiled, one, lead, NOW)] == [("opened", 1)]
    assert [each.times for each in nearest(compiled, refold(compiled, []), lead, NOW)] == [2]
    higher = compiled.changed(stages=model(stages=stage("mql", "enter: {at_least: {score: 19}}")).stages)
    assert nearest(higher, one, lead, NOW) == []
    yesterday = refold(compiled, [opened(1, "x", DAY), opened(2, "y", DAY)])
    assert [each.times for each in nearest(higher, yesterday, lead, NOW)] == [1]


def test_the_most_that_a_rule_can_reach() -> None:
    """As often as its limit lets it pay for each of two hundred values, or without end by windows."""
    assert most(limited(3).model)["engagement"] == 5 * 3 * definition.MOST_VALUES
    assert most(limited(3, "day").model)["engagement"] == float("inf")
    assert most(limited(3, extra=", between: [0, 20]").model)["engagement"] == 20


LABEL = '{label: {en: "Opened {times}", de: "{times} geöffnet"}, group: did, event: a, points: 5, limit: '


@pytest.mark.parametrize(
    ("limit", "mails", "en", "de"),
    [
        (
            "{times: 1, per: ever, for_each: properties.mail}",
            "xyxxz",
            "5 times (3 different counted)",
            "5* (3 verschiedene gezählt)",
        ),
        (
            "{times: 2, per: ever, for_each: properties.mail}",
            "xxxyy",
            "5 times (4 counted, 2 different)",
            "5* (4 gezählt, 2 verschiedene)",
        ),
        (
            "{times: 2, per: ever, for_each: properties.mail}",
            "xxy",
            "3 times (2 different)",
            "3* (2 verschiedene)",
        ),
        ("{times: 2, per: ever, for_each: properties.mail}", "xxx", "3 times (2 counted)", "3* (2 gezählt)"),
        ("{times: 1, per: ever, for_each: properties.mail}", "xxx", "3 times (1 counted)", "3* (1 gezählt)"),
        ("{times: 1, per: ever, for_each: properties.mail}", "xyz", "3 times", "3*"),
        ("{times: 1, per: 1h, for_each: properties.mail}", "xxxy", "4 times", "4*"),
        ("{times: 1, per: day, for_each: properties.mail}", "xxxy", "4 times (2 counted)", "4* (2 gezählt)"),
        ("{times: 3, per: ever}", "xxxy", "4 times (3 counted)", "4* (3 gezählt)"),
    ],
)
def test_the_receipt_says_how_many_different_things_were_paid(
    limit: str, mails: str, en: str, de: str
) -> None:
    """Where it is not plain from the count; a limit by windows forgets which they were, and does not say."""
    compiled = model(engagement=f"  opened: {LABEL}{limit}}}\n")
    events = [opened(n, mail, (10 - n) * HOUR) for n, mail in enumerate(mails)]
    [line] = evaluate(compiled, refold(compiled, events), NOW).contributions
    last = 11 - len(mails)
    languages: tuple[tuple[Language, str], ...] = (
        ("en", f"Opened {en}, last {last} hours ago"),
        ("de", f"{de} geöffnet, zuletzt vor {last} Stunden"),
    )
    for language, text in languages:
        written = text.replace("*", "\N{MULTIPLICATION SIGN}")
        assert sentence(line, language, NOW) == f"{written}: +{line.points}"


@st.composite
def value_models(draw: st.DrawFn) -> Compiled:
    """Random models in which every rule is limited for each value of a field."""
    compiled = draw(worlds.models())
    each = st.builds(
        Limit, times=st.integers(1, 2), per=worlds.windows, for_each=st.sampled_from(["properties.n", "name"])
    )
    return compiled.changed(engagement=tuple(replace(rule, limit=draw(each)) for rule in compiled.engagement))


@st.composite
def value_events(draw: st.DrawFn) -> list[Event]:
    """Events in order of arrival, about a few odd things."""
    return [
        msgspec.structs.replace(each, properties={"n": draw(st.one_of(odd, st.sampled_from("vwxyz")))})
        for each in draw(worlds.events(max_size=20))
    ]


def facts(state: LeadState) -> dict[str, Any]:
    """What must be the same, whatever order the events arrived in: all but the last bits of sums."""
    return {
        name: (one.matched, one.paid, one.newest, one.last, one.window) for name, one in state.rules.items()
    }


@pytest.mark.usefixtures("two_values_for_long")
@given(value_models(), value_events(), moments)
@thorough
def test_any_order_of_arrival_is_the_definition(
    compiled: Compiled, stored: list[Event], at: datetime
) -> None:
    """More values than can be told apart, late and in any order: live is a refold is a plain evaluation."""
    arrived, derived = live(compiled, stored), refold(compiled, stored)
    assert facts(arrived) == facts(derived)
    assert standing(compiled, arrived, at).shown == naive(compiled, stored, at)
    ordered = sorted(stored, key=stamp)
    for each in compiled.engagement:
        found = hits(each, ordered)
        counted = derived.rules.get(each.id)
        assert (counted.paid if counted else 0) == len([paid for _, paid in found if paid])


@pytest.mark.usefixtures("two_values_for_long")
@given(value_models(), value_events(), st.integers(0, 400))
@thorough
def test_a_fast_replay_is_the_life(compiled: Compiled, stored: list[Event], wait: int) -> None:
    """The same steps at the same moments, and the same state, as living event by event."""
    events = [msgspec.structs.replace(each, user_id="u") for each in sorted(stored, key=stamp)]
    until = worlds.START + timedelta(days=20 + wait)
    track = Timeline(Chart(compiled), events).under(compiled)
    one, other = fast_replay(track, until), lived(compiled, events, until)
    assert (one.steps, one.ledger, one.state) == (other.steps, other.ledger, other.state)
