"""How fast a source may send."""

import pytest

from services.ingest.registry import Registry
from services.ingest.throttle import Throttle


def test_a_burst_passes_then_the_rate_rules(registry: Registry) -> None:
    """0.2 events/s: two at once, then one every five seconds."""
    source, throttle = registry.sources["limited"], Throttle()
    assert [throttle.wait_s(source, 1, 0.0) for _ in range(3)] == [0.0, 0.0, 5.0]
    assert throttle.wait_s(source, 1, 4.0) == pytest.approx(1.0)
    assert throttle.wait_s(source, 1, 5.0) == 0.0


def test_a_large_batch_passes_once_in_a_while(registry: Registry) -> None:
    """What never fits the bucket passes a full one, and the source then pays for it."""
    source, throttle = registry.sources["limited"], Throttle()
    assert throttle.wait_s(source, 100, 0.0) == 0.0
    assert throttle.wait_s(source, 1, 0.0) == pytest.approx(99 / 0.2)


def test_idle_time_does_not_add_up(registry: Registry) -> None:
    """A night of silence allows no larger burst."""
    source, throttle = registry.sources["limited"], Throttle()
    throttle.wait_s(source, 2, 0.0)
    assert [throttle.wait_s(source, 1, 40_000.0) for _ in range(3)] == [0.0, 0.0, 5.0]


def test_no_limit_no_wait(registry: Registry) -> None:
    """Sources without a limit are never held."""
    assert Throttle().wait_s(registry.sources["product"], 10**9, 0.0) == 0.0


def test_an_empty_batch_costs_nothing(registry: Registry) -> None:
    """No events, no tokens, no wait, even from an empty bucket."""
    source, throttle = registry.sources["limited"], Throttle()
    throttle.wait_s(source, 50, 0.0)
    assert throttle.wait_s(source, 0, 0.0) == 0.0
