"""Thousands of events of one person are judged in a moment: a flood must not hold a transaction up."""

import time

import pytest

from services.scorer.judge.acts import act
from services.scorer.judge.verdicts import verdicts
from shared.events import Event
from tests.scorer.judge.conftest import LIMITS
from tests.scorer.judge.mails import GATEWAY, MAC, WINDOWS, clicked, delivered, opened, viewed

FLOODS = {
    "traps": [clicked(1 + n / 1e4, "/do-not-follow", ip=f"203.0.{n % 250}.0") for n in range(2000)],
    "links": [clicked(1 + n / 1e3, f"/{n}", agent=(MAC, WINDOWS)[n % 2]) for n in range(2000)],
    "pages": [viewed(n / 1e3, f"/{n}") for n in range(2000)],
    "opens": [opened(9_000 + n / 1e3, ip=GATEWAY) for n in range(1000)]
    + [
        clicked(8_000 + n / 100, "/a", ip=f"203.0.{n % 250}.0", agent=(MAC, WINDOWS)[n % 2])
        for n in range(1000)
    ],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_judged_in_a_moment(flood: str) -> None:
    """As much as is read of one person takes less than three seconds of the processor."""
    events: list[Event] = [delivered(), *FLOODS[flood]]
    acts = [act(one, believed=True) for one in events]
    started_s = time.process_time()
    assert verdicts(acts, frozenset(), LIMITS)
    assert time.process_time() - started_s < 3
