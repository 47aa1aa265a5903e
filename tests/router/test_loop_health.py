"""What /livez and /readyz hear about a loop."""

from datetime import timedelta

from services.router.loop_health import LoopHealth
from shared.testing import FrozenClock


def test_a_loop_is_not_ready_before_its_first_good_turn() -> None:
    """But it is alive."""
    pulse = LoopHealth("plan", FrozenClock())
    assert pulse.fresh() == "no turn yet"
    assert pulse.alive() == ""
    pulse.beat()
    assert pulse.fresh() == ""


def test_postgres_away_makes_it_unready_and_not_dead() -> None:
    """Killing the process would not bring Postgres back."""
    clock = FrozenClock()
    pulse = LoopHealth("plan", clock)
    for _ in range(10):
        clock.advance(timedelta(seconds=30))
        pulse.miss("Postgres is away")
    assert pulse.fresh() == "Postgres is away"
    assert pulse.alive() == ""
    pulse.beat()
    assert pulse.fresh() == ""


def test_a_loop_that_hangs_is_stale_then_dead() -> None:
    """15 s without a turn: send it nothing; 60 s: restart it."""
    clock = FrozenClock()
    pulse = LoopHealth("plan", clock)
    pulse.beat()
    clock.advance(timedelta(seconds=16))
    assert pulse.fresh() == "last good turn 16 s ago"
    assert pulse.alive() == ""
    clock.advance(timedelta(seconds=45))
    assert pulse.alive() == "no turn for 61 s"
