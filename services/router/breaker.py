"""Whether a destination is worth trying (pure).

In: a destination's health and what just happened. Out: its health afterwards.
Refuses to spend the attempts of waiting deliveries on a destination that is down.

    closed ──10 failures in a row──► open ──time passes──► half_open ──one delivery succeeds──► closed
                                      ▲                        │
                                      └──────it fails, twice the wait (at most 15 min)
    any ──410, or nothing but failures for 120 h──► disabled, until a person enables it
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to stop trying.

    failures:       in a row, before the breaker opens
    open_s:         how long it stays open the first time (seconds); doubles with every trip
    open_most_s:    how long at most
    trial_s:        how long a half-open trial may take before another one may start
    disable_after:  nothing but failures for so long disables the destination; None for never
    """

    failures: int = 10
    open_s: float = 30
    open_most_s: float = 900
    trial_s: float = 60
    disable_after: timedelta | None = timedelta(hours=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One destination's row in `destinations`.

    open_until:     when an open breaker allows a trial, and when a trial counts as lost
    failing_since:  the first failure after the last success
    failures:       in a row
    trips:          times it opened since the last success
    disabled_at:    when it was switched off, None if it is not
    """

    breaker: State = "closed"
    open_until: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    trips: int = 0
    disabled_at: datetime | None = None
    disabled_why: str | None = None

    @property
    def state(self) -> Literal["closed", "open", "half_open", "disabled"]:
        """One word for it all."""
        return "disabled" if self.disabled_at is not None else self.breaker


HEALTHY = Health()


def on_trial(policy: Policy, health: Health, now: datetime) -> Health | None:
    """The health of a destination while one delivery tries it, None if it is too early for that.

    A trial that never ends (its router died) makes room for another after `trial_s`.
    """
    if health.disabled_at is not None:
        return None
    if health.breaker == "closed":
        return health
    if health.open_until is not None and now < health.open_until:
        return None
    return replace(health, breaker="half_open", open_until=now + timedelta(seconds=policy.trial_s))


def after_failure(policy: Policy, health: Health, now: datetime) -> Health:
    """The health after the destination failed once more."""
    failing_since = health.failing_since or now
    health = replace(health, failures=health.failures + 1, failing_since=failing_since)
    if policy.disable_after is not None and now - failing_since >= policy.disable_after:
        return disabled(health, f"nothing but failures for {policy.disable_after.total_seconds():.0f} s", now)
    if health.breaker == "half_open" or (health.breaker == "closed" and health.failures >= policy.failures):
        return _opened(policy, health, now)
    return health


def after_answer(health: Health) -> Health:
    """The health after the destination answered, whatever it said about the delivery."""
    return replace(HEALTHY, disabled_at=health.disabled_at, disabled_why=health.disabled_why)


def disabled(health: Health, why: str, now: datetime) -> Health:
    """The health of a destination that gets nothing more until a person enables it."""
    return replace(health, disabled_at=health.disabled_at or now, disabled_why=health.disabled_why or why)


def _opened(policy: Policy, health: Health, now: datetime) -> Health:
    # 2**trips would not fit a timedelta long before trips gets large.
    open_s = min(policy.open_s * 2 ** min(health.trips, 16), policy.open_most_s)
    return replace(health, breaker="open", open_until=now + timedelta(seconds=open_s), trips=health.trips + 1)
