"""When a failed delivery is tried again."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.retry import (
    REASONS,
    Disable,
    Failed,
    GiveUp,
    Reason,
    RetryAt,
    Schedule,
    decide,
)
from services.router.settings import RouterSettings
from tests.router.situations import AT

WAITS_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
SCHEDULE = Schedule(waits_s=WAITS_S)
ORDINARY = [reason for reason in REASONS if reason not in {"gone", "too_large", "kafka"}]


def wait_s(attempt: int, failed: Failed, jitter: float = 0.5) -> float:
    verdict = decide(SCHEDULE, attempt, failed, AT, jitter)
    assert isinstance(verdict, RetryAt)
    return (verdict.at - AT).total_seconds()


@pytest.mark.parametrize(("attempt", "expected_s"), list(enumerate(WAITS_S, start=1)))
def test_the_schedule_is_that_of_standard_webhooks(attempt: int, expected_s: float) -> None:
    """5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
    assert wait_s(attempt, Failed(reason="server_error", status=500)) == pytest.approx(expected_s)


def test_the_settings_default_to_it() -> None:
    """What the tests promise is what a router without settings does."""
    assert RouterSettings().retry_waits_s == WAITS_S


@given(
    attempt=st.integers(1, 9),
    reason=st.sampled_from(ORDINARY),
    retry_after_s=st.none() | st.floats(0, 1e9),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_every_wait_is_within_bounds(
    attempt: int, reason: Reason, retry_after_s: float | None, jitter: float
) -> None:
    """Never sooner than 80 % of the schedule; never later than its 120 %, or what Retry-After may ask."""
    scheduled_s = WAITS_S[attempt - 1]
    waited_s = wait_s(attempt, Failed(reason=reason, retry_after_s=retry_after_s), jitter)
    at_most_s = max(1.2 * scheduled_s, 1.2 * 60)
    if retry_after_s is not None:
        at_most_s = max(1.2 * scheduled_s, min(retry_after_s, max(3600, 2 * scheduled_s)))
    assert 0.8 * scheduled_s - 1e-3 <= waited_s <= at_most_s + 1e-3


@pytest.mark.parametrize(
    ("failed", "attempt", "expected_s"),
    [
        (Failed(reason="throttled", status=429), 1, 66),
        (Failed(reason="timeout"), 1, 66),
        (Failed(reason="throttled", status=429), 2, 300),
        (Failed(reason="throttled", status=429, retry_after_s=10), 1, 10),
        (Failed(reason="throttled", status=429, retry_after_s=86_400), 1, 3600),
        (Failed(reason="throttled", status=429, retry_after_s=1), 1, 5),
        (Failed(reason="server_error", status=500, retry_after_s=90), 1, 90),
        (Failed(reason="throttled", status=503, retry_after_s=9_000), 4, 9000),
        (Failed(reason="throttled", status=503, retry_after_s=90_000), 4, 14_400),
    ],
)
def test_retry_after_counts_within_limits(failed: Failed, attempt: int, expected_s: float) -> None:
    """A throttle waits a minute at least; a receiver can ask for an hour or twice the schedule's wait."""
    assert wait_s(attempt, failed) == pytest.approx(expected_s)


def test_the_tenth_failure_is_the_last() -> None:
    """Ten attempts in all, then a dead letter."""
    assert decide(SCHEDULE, 10, Failed(reason="connect"), AT, 0.5) == GiveUp()
    assert isinstance(decide(SCHEDULE, 9, Failed(reason="connect"), AT, 0.5), RetryAt)


@pytest.mark.parametrize("attempt", [1, 10])
def test_gone_disables_the_destination(attempt: int) -> None:
    """410 means: nothing any more, to nobody; the delivery itself is kept."""
    assert isinstance(decide(SCHEDULE, attempt, Failed(reason="gone", status=410), AT, 0.5), Disable)


def test_what_can_never_fit_is_not_tried_again() -> None:
    """A record that Kafka will never take is a dead letter at once."""
    assert decide(SCHEDULE, 1, Failed(reason="too_large"), AT, 0.5) == GiveUp()


@pytest.mark.parametrize("attempt", [1, 2, 10, 500])
def test_our_own_kafka_is_waited_for(attempt: int) -> None:
    """Infrastructure trouble never dead-letters, and recovers within seconds of the broker."""
    assert 4 <= wait_s(attempt, Failed(reason="kafka")) <= 6


@pytest.mark.parametrize(
    ("failed", "blames"),
    [
        (Failed(reason="server_error", status=500), True),
        (Failed(reason="timeout"), True),
        (Failed(reason="client_error", status=401), True),
        (Failed(reason="client_error", status=404), True),
        (Failed(reason="client_error", status=422), False),
        (Failed(reason="client_error", status=400), False),
        (Failed(reason="internal"), False),
    ],
)
def test_one_refused_body_does_not_blame_the_destination(failed: Failed, *, blames: bool) -> None:
    """The breaker counts what would hit the next delivery as well."""
    assert failed.blames_destination is blames


def test_jitter_spreads_what_failed_together() -> None:
    """Two deliveries that fail at the same moment come back at different ones."""
    failed = Failed(reason="server_error", status=500)
    assert wait_s(2, failed, 0.99) - wait_s(2, failed, 0.0) > timedelta(minutes=1).total_seconds()
