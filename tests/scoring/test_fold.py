"""Which events fold in one step, which need the lead's history, and what is kept of a person."""

from datetime import timedelta
from typing import Any

import pytest

from shared.scoring.engine.fold import MAX_ATTRIBUTES, MAX_TEXT_CHARS, fold, is_current, refold
from shared.scoring.engine.state import EMPTY, LeadState
from tests.scoring.small import NOW, event, model, rule

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LIMITED = model(engagement=rule("daily", "event: a, points: 5, limit: {times: 2, per: day}"))


def folded(state: LeadState | None) -> LeadState:
    assert state is not None
    return state


def test_a_late_event_without_limit_folds() -> None:
    """Sums with a half-life take an older event at its decayed worth."""
    halving = model(engagement=rule("halving", "event: a, points: 8, half_life: 1d"))
    newer, older = event(1, "a", 0 * DAY), event(2, "a", 3 * DAY)
    state = folded(fold(halving, folded(fold(halving, EMPTY, newer)), older))
    assert state.rules["halving"].value == pytest.approx(9)
    assert state.rules["halving"].at_s == NOW.timestamp()
    assert state.first_at == NOW - 3 * DAY
    assert state.last_at == NOW


def test_a_late_event_in_an_older_window_needs_history() -> None:
    """Nobody knows any more what the older window had paid."""
    state = folded(fold(LIMITED, EMPTY, event(1, "a", 0 * DAY)))
    assert fold(LIMITED, state, event(2, "a", 2 * DAY)) is None


def test_a_late_event_in_a_window_with_room_folds() -> None:
    """While the window is not full every order gives the same."""
    state = folded(fold(LIMITED, EMPTY, event(1, "a", 1 * HOUR)))
    assert folded(fold(LIMITED, state, event(2, "a", 2 * HOUR))).rules["daily"].paid == 2


def test_a_late_event_in_a_full_window_needs_history() -> None:
    """It is among the earliest now, and one that was paid is not."""
    state = EMPTY
    for number, age in enumerate((3, 2), start=1):
        state = folded(fold(LIMITED, state, event(number, "a", age * HOUR)))
    assert fold(LIMITED, state, event(3, "a", 4 * HOUR)) is None
    assert folded(fold(LIMITED, state, event(4, "a", 1 * HOUR))).rules["daily"].paid == 2


def test_a_late_event_does_not_move_the_end_of_a_window_back() -> None:
    """Paid at 1 and 3 o'clock, in whichever order: what comes for 2 o'clock displaces 3."""
    state = EMPTY
    for number, age in enumerate((1, 3), start=1):
        state = folded(fold(LIMITED, state, event(number, "a", age * HOUR)))
    assert fold(LIMITED, state, event(3, "a", 2 * HOUR)) is None


def test_at_the_same_moment_the_smaller_id_is_earlier() -> None:
    """Ties are broken by the event's id, in any order of arrival."""
    state = EMPTY
    for number in (5, 6):
        state = folded(fold(LIMITED, state, event(number, "a", HOUR)))
    assert fold(LIMITED, state, event(4, "a", HOUR)) is None
    assert folded(fold(LIMITED, state, event(7, "a", HOUR))).rules["daily"].matched == 3


@pytest.mark.parametrize("how", ["repeat: {times: 2, within: 1d}", "after: {event: b, within: 1d}"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_where_order_decides_a_late_event_needs_history(how: str, name: str) -> None:
    """Repetition and sequence look at what came before; an older event may change what was paid."""
    ordered = model(engagement=rule("ordered", f"event: a, points: 5, {how}"))
    state = folded(fold(ordered, EMPTY, event(1, "a", HOUR)))
    concerned = name == "a" or "after" in how
    assert (fold(ordered, state, event(2, name, 2 * HOUR)) is None) is concerned


def test_a_state_of_other_rules_needs_history() -> None:
    """Points once folded cannot be taken out; labels, fit rules and bounds may change freely."""
    state = folded(fold(LIMITED, EMPTY, event(1, "a", HOUR)))
    other = model(engagement=rule("daily", "event: a, points: 6, limit: {times: 2, per: day}"))
    renamed = model(
        engagement=rule("daily", "event: a, points: 5, between: [0, 9], limit: {times: 2, per: day}"),
        fit=rule("big", "when: {size: 5}, points: 1", group="who"),
    )
    assert fold(other, state, event(2, "a", 0 * HOUR)) is None
    assert fold(renamed, state, event(2, "a", 0 * HOUR)) is not None
    assert is_current(other, EMPTY)


def test_refold_until_leaves_out_what_came_later() -> None:
    """Events at the very moment count."""
    state = refold(LIMITED, [event(1, "a", HOUR), event(2, "a", 2 * HOUR)], until=NOW - 2 * HOUR)
    assert state.events == 1
    assert refold(LIMITED, []) == EMPTY


def test_the_last_writer_wins_whatever_came_first() -> None:
    """Per attribute, by time and then by id; an e-mail address of the event wins over the trait."""
    events = [
        event(1, "x", 2 * HOUR, traits={"city": "Ulm", "job": "CEO"}),
        event(2, "x", 2 * HOUR, traits={"city": "Bonn"}),
        event(3, "x", 3 * HOUR, traits={"city": "Kiel", "email": "x@x.example"}, email="Anna@firma.example"),
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        state = EMPTY
        for position in order:
            state = folded(fold(LIMITED, state, events[position]))
        assert state.profile == {
            "city": "Bonn",
            "job": "CEO",
            "email": "Anna@firma.example",
            "email_domain": "firma.example",
        }


def test_a_profile_keeps_at_most_a_hundred_attributes_those_of_the_model_first() -> None:
    """A flood of traits neither grows the state nor pushes out what the model asks for."""
    asking = model(fit=rule("zone", "when: {zone: 5}, points: 1", group="who"))
    flood = [event(n, "x", (50 - n) * HOUR, traits={f"t{n}-{m}": 1 for m in range(20)}) for n in range(1, 10)]
    asked = event(99, "x", 60 * HOUR, traits={"zone": 5})
    one = refold(asking, [asked, *flood])
    other = EMPTY
    for each in (*reversed(flood), asked):
        other = folded(fold(asking, other, each))
    assert len(one.profile) == MAX_ATTRIBUTES
    assert one.profile == other.profile
    assert one.profile["zone"] == 5


def test_a_model_that_asks_for_more_needs_the_history_of_a_full_profile() -> None:
    """What it asks for may have been left out; of others the state is theirs, too."""
    before = model(fit=rule("zone", "when: {zone: 5}, points: 1", group="who"))
    after = model(fit=rule("budget", "when: {zz_budget: 5}, points: 1", group="who"))
    traits = {f"a{n}": 1 for n in range(MAX_ATTRIBUTES)}
    for full, current in ((True, False), (False, True)):
        said = {**(traits if full else {}), "zz_budget": 5}
        for state in (
            fold(before, EMPTY, event(1, "x", HOUR, traits=said)),
            refold(before, [event(1, "x", HOUR, traits=said)]),
        ):
            assert state is not None
            assert (is_current(before, state), is_current(after, state)) == (True, current)
        assert refold(after, [event(1, "x", HOUR, traits=said)]).profile["zz_budget"] == 5


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x" * 2000, "x" * MAX_TEXT_CHARS),
        (["x" * 3000], None),
        (10**30, None),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        (False, False),
    ],
)
def test_large_values_are_cut_or_left_out(value: Any, kept: Any) -> None:
    """Text is cut at 500 characters; other values above 2,000 bytes are not kept."""
    state = folded(fold(LIMITED, EMPTY, event(1, "x", HOUR, traits={"t": value})))
    assert state.profile.get("t") == kept
    assert state.encode()


def test_a_value_that_is_not_kept_leaves_the_older_one() -> None:
    """Otherwise the result would depend on which came first."""
    small, huge = event(1, "x", 2 * HOUR, traits={"t": 1}), event(2, "x", HOUR, traits={"t": ["y" * 3000]})
    for order in ([small, huge], [huge, small]):
        state = EMPTY
        for each in order:
            state = folded(fold(LIMITED, state, each))
        assert state.profile["t"] == 1
