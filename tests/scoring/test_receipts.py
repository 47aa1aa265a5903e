"""The words of a receipt."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.scoring.engine.contributions import apportion
from shared.scoring.engine.fold import refold
from shared.scoring.engine.score import evaluate
from shared.scoring.words.receipts import Language, ago, sentence, signed
from tests.scoring.small import NOW, event, model, rule


@pytest.mark.parametrize(
    ("age", "en", "de"),
    [
        (timedelta(seconds=-5), "just now", "gerade eben"),
        (timedelta(seconds=59), "just now", "gerade eben"),
        (timedelta(seconds=60), "1 minute ago", "vor 1 Minute"),
        (timedelta(minutes=59), "59 minutes ago", "vor 59 Minuten"),
        (timedelta(hours=1), "1 hour ago", "vor 1 Stunde"),
        (timedelta(hours=11), "11 hours ago", "vor 11 Stunden"),
        (timedelta(hours=12, minutes=1), "yesterday", "gestern"),
        (timedelta(hours=36), "yesterday", "gestern"),
        (timedelta(hours=37), "2 days ago", "vor 2 Tagen"),
        (timedelta(days=400), "400 days ago", "vor 400 Tagen"),
    ],
)
def test_how_long_ago(age: timedelta, en: str, de: str) -> None:
    """Minutes and hours, then calendar days, in both languages."""
    assert ago(NOW - age, "en", NOW) == en
    assert ago(NOW - age, "de", NOW) == de


def test_hours_of_the_night_before_are_hours() -> None:
    """At two in the morning an event of eleven in the evening was three hours ago, not yesterday."""
    night = NOW.replace(hour=2)
    assert ago(night - timedelta(hours=3), "en", night) == "3 hours ago"


@pytest.mark.parametrize(("points", "text"), [(12, "+12"), (-3, "\N{MINUS SIGN}3")])
def test_points_have_their_sign(points: int, text: str) -> None:
    """A real minus, as wide as the plus."""
    assert signed(points) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Pricing page visited 3 times, last 2 days ago: +12"),
        ("de", "Preisseite 3\N{MULTIPLICATION SIGN} besucht, zuletzt vor 2 Tagen: +12"),
    ],
)
def test_the_sentence_of_the_guide(language: Language, text: str) -> None:
    """Count inside the label, the newest event, the points."""
    pricing = model(
        engagement='  p: {label: {en: "Pricing page visited {times}", de: "Preisseite {times} besucht"}, '
        "group: did, event: a, points: 4}"
    )
    state = refold(pricing, [event(n, "a", timedelta(days=2, hours=n)) for n in range(3)])
    (line,) = evaluate(pricing, state, NOW).contributions
    assert sentence(line, language, NOW) == text


def test_a_line_names_its_newest_paid_events() -> None:
    """Latest first, at most three, and only those that the limit let through."""
    limited = model(engagement=rule("a", "event: a, points: 1, limit: {times: 4, per: ever}"))
    state = refold(limited, [event(n, "a", timedelta(days=9 - n)) for n in range(1, 7)])
    (line,) = evaluate(limited, state, NOW).contributions
    assert line.event_ids == (UUID(int=4), UUID(int=3), UUID(int=2))
    assert (line.count, line.paid, line.raw, line.limited, line.decayed) == (6, 4, 6.0, 4.0, 4.0)
    assert line.last_at == NOW - timedelta(days=3)


@pytest.mark.parametrize(
    ("exact", "total", "whole"),
    [
        ([], 0, []),
        ([1.0, 2.0], 3, [1, 2]),
        ([0.4, 0.3, 0.3], 1, [1, 0, 0]),
        ([0.5, 0.5], 1, [1, 0]),
        ([2.5, 2.5, -1.0], 4, [3, 2, -1]),
        ([-0.6, 0.6], 0, [-1, 1]),
        ([1.9999999999, 3.0], 5, [2, 3]),
        ([0.2, 0.2], 2, [1, 1]),
        ([1.0, 0.1], 0, [0, 0]),
        ([10.4], 11, [11]),
    ],
)
def test_whole_points_by_largest_remainder(exact: list[float], total: int, whole: list[int]) -> None:
    """They always add up, and the largest remainders are rounded up first."""
    assert apportion(exact, total) == whole
    assert sum(apportion(exact, total)) == total
