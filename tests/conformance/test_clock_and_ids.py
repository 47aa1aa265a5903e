"""What every clock and every source of ids promises, the fake ones too."""

from datetime import timedelta

import pytest

from shared.clock import Clock, SystemClock
from shared.ids import Ids, SystemIds
from shared.testing import FrozenClock, SequentialIds


@pytest.mark.parametrize("clock", [SystemClock(), FrozenClock()], ids=["system", "frozen"])
def test_a_clock_is_aware_and_in_utc(clock: Clock) -> None:
    """`now` carries UTC, and the monotonic clock never goes back."""
    before_s = clock.monotonic_s()
    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic_s() >= before_s


@pytest.mark.parametrize("ids", [SystemIds(), SequentialIds()], ids=["system", "sequential"])
def test_fresh_ids_differ_and_sort_by_age(ids: Ids) -> None:
    """No id comes twice, and a later one sorts after an earlier one (index pages fill in order)."""
    made = [ids.fresh() for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert made == sorted(made)
