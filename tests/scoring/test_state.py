"""The bytes of a lead's state: compact, versioned, and never misread."""

from datetime import timedelta

import pytest

from shared.errors import Invalid
from shared.scoring.engine.fold import refold
from shared.scoring.engine.score import evaluate
from shared.scoring.engine.state import EMPTY, LAYOUT, decode, empty
from tests.scoring.small import NOW, event, model, rule


def test_the_empty_state_is_a_few_bytes() -> None:
    """A lead of whom nothing is known costs next to nothing."""
    assert empty() is EMPTY
    assert decode(EMPTY.encode()) == EMPTY
    assert len(EMPTY.encode()) < 40
    assert EMPTY.first_at is None
    assert EMPTY.last_at is None


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x00\x96", LAYOUT, LAYOUT + b"\xff", LAYOUT + b"\xa3abc"])
def test_foreign_bytes_are_refused_with_the_remedy(data: bytes) -> None:
    """Another layout or damage is Invalid, and the message says to refold."""
    with pytest.raises(Invalid, match="Refold the lead") as caught:
        decode(data)
    assert caught.value.code == "state_unreadable"


def test_a_state_is_not_evaluated_before_its_latest_event() -> None:
    """An earlier moment would make decayed points larger than they ever were: it is moved to the event."""
    halving = model(engagement=rule("a", "event: a, points: 8, half_life: 1d"))
    state = refold(halving, [event(1, "a", timedelta(0))])
    found = evaluate(halving, state, NOW - timedelta(days=2))
    assert (found.total, found.as_of) == (8, NOW)


def test_state_does_not_grow_with_history() -> None:
    """A thousand events take the room of a hundred."""
    busy = model(engagement=rule("a", "event: a, points: 1, half_life: 7d, limit: {times: 2, per: day}"))
    few = refold(busy, [event(n, "a", timedelta(hours=n)) for n in range(100)])
    many = refold(busy, [event(n, "a", timedelta(hours=n)) for n in range(1000)])
    assert len(many.encode()) <= len(few.encode()) + 10
