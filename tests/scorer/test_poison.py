"""When a partition halts instead of dead-lettering everything."""

from services.scorer.poison import CONSECUTIVE, SHARE, WINDOW, PoisonLimit


def test_single_poison_is_tolerated() -> None:
    """A bad record now and then never halts a partition."""
    limit = PoisonLimit()
    for number in range(5_000):
        limit.saw(poison=number % 50 == 0)
    assert not limit.exceeded


def test_many_in_a_row_halt() -> None:
    """More than the allowed number in a row is our fault, not the data's."""
    limit = PoisonLimit()
    for _ in range(CONSECUTIVE):
        limit.saw(poison=True)
    assert not limit.exceeded
    limit.saw(poison=True)
    assert limit.exceeded


def test_a_high_share_halts() -> None:
    """Poison spread thinly, but more than the share of the window, halts too."""
    limit = PoisonLimit()
    every = round(1 / (2 * SHARE))
    for number in range(WINDOW):
        limit.saw(poison=number % every == 0)
    assert limit.exceeded


def test_the_window_forgets() -> None:
    """Poison that has left the window counts no more."""
    limit = PoisonLimit()
    for number in range(WINDOW):
        limit.saw(poison=number % 10 == 0)
    for _ in range(WINDOW):
        limit.saw(poison=False)
    assert not limit.exceeded
