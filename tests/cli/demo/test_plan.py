"""What one demo run sends, and in which portions."""

from datetime import UTC, datetime
from itertools import pairwise

from services.cli.demo.plan import plan
from services.cli.demo.rows import Row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_portions_hold_everything_once_in_time_order(rows: list[Row]) -> None:
    """The portions together are all calls and all mails, each once and in order."""
    made = plan(rows, NOW, "r")
    portions = list(made.portions())
    assert [call for portion in portions for call in portion.calls] == list(made.calls)
    assert [mail for portion in portions for mail in portion.mails] == list(made.mails)


def test_mails_go_with_the_visits_of_their_time(rows: list[Row]) -> None:
    """A portion's mail events happened before the visits of the next portion."""
    portions = list(plan(rows, NOW, "r").portions())
    assert len(portions) > 10
    for portion, following in pairwise(portions):
        assert all(mail.at < following.calls[0].at for mail in portion.mails)


def test_a_plan_is_the_same_every_time(rows: list[Row]) -> None:
    """The same rows, time and run id give the same plan, ids included."""
    newest = rows[-500:]
    assert plan(newest, NOW, "r") == plan(newest, NOW, "r")
    assert plan(newest, NOW, "r").events == plan(newest, NOW, "s").events


def test_an_empty_plan(rows: list[Row]) -> None:
    """No rows make a plan that sends nothing."""
    made = plan([], NOW, "r")
    assert made.events == 0
    assert list(made.portions()) == []
