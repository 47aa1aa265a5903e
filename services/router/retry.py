"""When to try a failed delivery again, if at all (pure).

In: which attempt failed, how, the present, a random number. Out: `RetryAt`, `GiveUp` or `Disable`.
Refuses to let a receiver decide alone: its Retry-After counts within limits.

In words, the first that applies:
1. 410 Gone: the receiver wants nothing any more. The destination is disabled; the delivery waits for whoever
   enables it again.
2. A body that can never be taken (too large for Kafka): give up, it stays wrong.
3. Kafka away: try again after the first wait, for ever. It is our own, and infrastructure never dead-letters.
4. All attempts used: give up.
5. Otherwise wait as the schedule says, 20 % more or less. After a throttle or a timeout at least a minute;
   with Retry-After at least that, but at most an hour or twice the schedule's wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Reason = Literal[
    "redirect",
    "client_error",
    "server_error",
    "throttled",
    "gone",
    "timeout",
    "dns",
    "connect",
    "tls",
    "broken_reply",
    "denied_address",
    "kafka",
    "too_large",
    "internal",
]
REASONS: Final[tuple[str, ...]] = get_args(Reason)

SPREAD: Final = 0.2

# The receiver judged this one body; the next may be welcome.
_ABOUT_THE_BODY: Final = frozenset({400, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The destination has it."""

    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The destination does not have it, as far as we know.

    status:         HTTP status, None if there was no answer
    detail:         for operators, such as the beginning of the reply; kept in the database, never logged
    retry_after_s:  seconds the receiver asked us to wait
    """

    reason: Reason
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None

    @property
    def blames_destination(self) -> bool:
        """Whether the next delivery would probably fail too; what the breaker counts."""
        return self.reason not in {"too_large", "internal"} and self.status not in _ABOUT_THE_BODY


Outcome = Delivered | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How patient we are.

    waits_s:            wait after attempt 1, 2, …; one more attempt than waits (seconds)
    throttled_least_s:  shortest wait after a throttle or a timeout without Retry-After
    retry_after_most_s: longest Retry-After that counts, unless the schedule itself waits half as long
    """

    waits_s: tuple[float, ...]
    throttled_least_s: float = 60
    retry_after_most_s: float = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    """Try again, not before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Dead-letter it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disable:
    """Keep it, and send nothing more to this destination until a person enables it again."""

    why: str


Verdict = RetryAt | GiveUp | Disable


def decide(schedule: Schedule, attempt: int, failed: Failed, now: datetime, jitter: float) -> Verdict:
    """What follows from this failure.

    attempt:  the one that failed, 1 is the first
    jitter:   random, 0 ≤ jitter < 1
    """
    if failed.reason == "gone":
        return Disable(why="the receiver answered 410 Gone")
    if failed.reason == "too_large":
        return GiveUp()
    if failed.reason == "kafka":
        return RetryAt(at=now + timedelta(seconds=_spread(schedule.waits_s[0], jitter)))
    if attempt > len(schedule.waits_s):
        return GiveUp()
    return RetryAt(at=now + timedelta(seconds=_wait_s(schedule, attempt, failed, jitter)))


def _wait_s(schedule: Schedule, attempt: int, failed: Failed, jitter: float) -> float:
    scheduled_s = schedule.waits_s[attempt - 1]
    wait_s = _spread(scheduled_s, jitter)
    if failed.retry_after_s is not None:
        most_s = max(schedule.retry_after_most_s, 2 * scheduled_s)
        return max(wait_s, min(failed.retry_after_s, most_s))
    if failed.reason in {"throttled", "timeout"}:
        return max(wait_s, _spread(schedule.throttled_least_s, jitter / 2 + 0.5))
    return wait_s


def _spread(wait_s: float, jitter: float) -> float:
    """The wait, 20 % shorter or longer, so that what failed together does not come back together."""
    return wait_s * (1 - SPREAD + 2 * SPREAD * jitter)
