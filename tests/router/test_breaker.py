"""When a destination is left alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.breaker import (
    HEALTHY,
    Health,
    Policy,
    after_answer,
    after_failure,
    disabled,
    on_trial,
)
from tests.router.situations import AT

POLICY = Policy()


def failing(times: int, health: Health = HEALTHY, at: datetime = AT) -> Health:
    for _ in range(times):
        health = after_failure(POLICY, health, at)
    return health


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_it_opens_at_the_tenth_failure_in_a_row() -> None:
    """Nine failures are bad luck, ten are a state."""
    assert failing(9).state == "closed"
    assert failing(10).state == "open"
    assert failing(10).open_until == later(30)


def test_an_answer_in_between_starts_the_count_again() -> None:
    """Only failures in a row open it."""
    assert failing(9, after_answer(failing(9))).state == "closed"


def test_while_open_nothing_may_try() -> None:
    """Deliveries keep their attempts while the destination is down."""
    opened = failing(10)
    assert on_trial(POLICY, opened, later(29.9)) is None
    assert on_trial(POLICY, opened, later(30)) is not None


def test_one_trial_at_a_time() -> None:
    """A second trial may start only when the first is over or must be lost."""
    trying = on_trial(POLICY, failing(10), later(30))
    assert trying is not None
    assert trying.state == "half_open"
    assert on_trial(POLICY, trying, later(89)) is None
    assert on_trial(POLICY, trying, later(90)) is not None


@pytest.mark.parametrize(("trip", "open_s"), [(1, 60), (2, 120), (5, 900), (40, 900)])
def test_a_failed_trial_doubles_the_wait_up_to_15_minutes(trip: int, open_s: float) -> None:
    """30 s, 60 s, 120 s … 15 min."""
    half_open = replace(HEALTHY, breaker="half_open", failures=9 + trip, trips=trip, failing_since=AT)
    assert after_failure(POLICY, half_open, AT).open_until == later(open_s)


def test_failures_of_what_was_under_way_do_not_open_it_again() -> None:
    """Eight requests that fail together are one outage, not eight trips."""
    assert failing(17).trips == 1
    assert failing(17).open_until == later(30)


def test_five_days_of_nothing_but_failure_disable() -> None:
    """120 h after the first failure without a success the destination is switched off."""
    health = failing(10)
    assert failing(1, health, later(120 * 3600 - 1)).state != "disabled"
    assert failing(1, health, later(120 * 3600)).state == "disabled"


def test_a_disabled_destination_stays_so_until_a_person_acts() -> None:
    """Neither time nor a late answer enables it; the first reason stays."""
    off = disabled(HEALTHY, "the receiver answered 410 Gone", AT)
    assert on_trial(POLICY, off, later(1e9)) is None
    assert after_answer(off).state == "disabled"
    assert disabled(off, "another", later(5)) == off


@given(st.lists(st.tuples(st.sampled_from(["fail", "answer", "try"]), st.floats(0, 4000)), max_size=60))
def test_it_never_locks_itself_out(steps: list[tuple[str, float]]) -> None:
    """Whatever happens, waiting long enough allows a try (unless it was disabled for good)."""
    health, now = HEALTHY, AT
    for step, passed_s in steps:
        now += timedelta(seconds=passed_s)
        if step == "fail":
            health = after_failure(POLICY, health, now)
        elif step == "answer":
            health = after_answer(health)
        else:
            health = on_trial(POLICY, health, now) or health
        assert health.failures >= 0
        assert (health.breaker == "closed") or health.open_until is not None
    if health.state != "disabled":
        assert on_trial(POLICY, health, now + timedelta(seconds=901)) is not None
