"""What the demo tells Segment's SDK."""

from datetime import UTC, datetime

from services.cli.demo.calls import Run, calls
from services.cli.demo.people import people
from services.cli.demo.rows import Row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = 1


def test_the_newest_event_is_now(rows: list[Row]) -> None:
    """Times are shifted as one: the newest is now, distances stay."""
    made = list(calls(rows, {}, Run.ending(NOW, rows, "r")))
    assert made[-1].at == NOW
    assert made[-1].at - made[0].at == rows[-1].at - rows[0].at
    assert all(call.arguments["timestamp"] == call.at for call in made)


def test_every_row_has_its_own_message_id(rows: list[Row]) -> None:
    """No two calls of a run share a message id, and a run with another id shares none with it."""
    found = people(rows, SEED)
    first, again, other = (
        [call.arguments["message_id"] for call in calls(rows, found, Run.ending(NOW, rows, run))]
        for run in ("a", "a", "b")
    )
    assert len(set(first)) == len(first) == len(rows) + len(found)
    assert first == again
    assert not set(first) & set(other)


def test_anonymous_until_identified(rows: list[Row]) -> None:
    """A visitor is anonymous until their identify call, and both ids are sent from it on."""
    found = people(rows, SEED)
    known: set[str] = set()
    for call in calls(rows, found, Run.ending(NOW, rows, "r")):
        cookie = call.arguments["anonymous_id"]
        if call.method == "identify":
            assert "@" in call.arguments["traits"]["email"]
            known.add(cookie)
        assert ("user_id" in call.arguments) is (cookie in known)
    assert len(known) == len(found)


def test_a_session_tells_where_it_came_from_once(rows: list[Row]) -> None:
    """Only a session's first page carries its campaign and the site that led to it."""
    paid = [row for row in rows if row.channel == "paid_search"]
    made = list(calls(paid, {}, Run.ending(NOW, paid, "r")))
    landed = [call for call in made if "utm_medium=cpc" in call.arguments["context"]["page"]["url"]]
    assert len(landed) == len({row.session for row in paid})
    assert all("referrer" in call.arguments["context"]["page"] for call in landed)


def test_no_rows_no_calls() -> None:
    """An empty selection makes no calls and needs no newest row."""
    assert list(calls([], {}, Run.ending(NOW, [], "r"))) == []
