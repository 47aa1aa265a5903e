"""When did it happen, and by whose clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest import moment
from shared.errors import Invalid

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_clock_of_the_sender_is_corrected() -> None:
    """A client an hour behind said 10:50 and sent at 11:00: it happened at 11:50 of ours."""
    happened = moment.occurred("2026-06-01T10:50:00Z", "2026-06-01T11:00:00Z", NOW)
    assert happened == (NOW - timedelta(minutes=10), True)


def test_without_sent_at_the_sender_is_believed() -> None:
    """No sentAt, no correction."""
    assert moment.occurred("2026-06-01T10:50:00Z", None, NOW).at == NOW - timedelta(minutes=70)


def test_no_time_means_now() -> None:
    """An event without a time happened when it came."""
    assert moment.occurred(None, None, NOW) == (NOW, True)


@pytest.mark.parametrize("off_days", [-399, -90, -2, 2, 30, 399])
def test_a_clock_that_is_months_off_is_corrected(off_days: int) -> None:
    """However far a device's clock is off, sentAt tells by how much."""
    sent = NOW + timedelta(days=off_days)
    written = sent - timedelta(minutes=5)
    happened = moment.occurred(written.isoformat(), sent.isoformat(), NOW)
    assert happened == (NOW - timedelta(minutes=5), True)


def test_what_waited_in_a_queue_keeps_its_age() -> None:
    """A batch stored offline is stamped when it is sent: three days old stays three days old."""
    assert moment.occurred("2026-05-29T12:00:00Z", "2026-06-01T12:00:00Z", NOW).at == NOW - timedelta(days=3)


@pytest.mark.parametrize("off_days", [-401, 401])
def test_a_clock_further_off_is_not_corrected_but_flagged(off_days: int) -> None:
    """More than 400 days are no clock but a request of long ago, sent again with its old sentAt."""
    sent = NOW + timedelta(days=off_days)
    assert moment.occurred(sent.isoformat(), sent.isoformat(), NOW) == (min(sent, NOW), False)


def test_another_collectors_receipt_corrects_what_it_passes_on() -> None:
    """An archive of three months ago, imported today, happened three months ago by the right clock."""
    happened = moment.occurred("2026-02-20T09:50:00Z", "2026-02-20T10:00:00Z", NOW, "2026-03-01T12:00:00Z")
    assert happened == (datetime(2026, 3, 1, 11, 50, tzinfo=UTC), True)


@pytest.mark.parametrize("collected", ["soon", {"a": 1}, True, "2026-06-01T12:00:00"])
def test_nonsense_for_a_receipt_costs_only_the_correction(collected: Any) -> None:
    """What no collector writes corrects nothing, and no event is lost for it."""
    happened = moment.occurred("2026-06-01T10:00:00Z", "2026-06-01T10:30:00Z", NOW, collected)
    assert happened.at == NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-06-01T12:00:01Z", None),
        ("2030-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59Z", "2026-06-01T11:00:00Z"),
        (4102444800, None),
    ],
)
def test_nothing_happens_in_the_future(written: Any, sent: Any) -> None:
    """A time after our own clock's is our own clock's, however far."""
    assert moment.occurred(written, sent, NOW).at == NOW


@pytest.mark.parametrize(
    "sent", ["yesterday", "2026-06-01T10:00:00", {"a": 1}, [], True, 1e300, "0001-01-01T00:00:00Z"]
)
def test_nonsense_in_sent_at_costs_only_the_correction(sent: Any) -> None:
    """A sentAt serves the correction, and no event is lost for it."""
    assert moment.occurred("2026-06-01T11:00:00Z", sent, NOW).at == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T09:00:00.123Z", datetime(2026, 1, 31, 9, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-01-31T09:00:00.123456789Z", datetime(2026, 1, 31, 9, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-31T10:00:00+01:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (1769850000, datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (1769850000000, datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (1769850000.5, datetime(2026, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_times_as_senders_write_them(written: Any, meant: datetime) -> None:
    """ISO with a zone in every precision, seconds, milliseconds: always aware UTC."""
    read = moment.instant(written)
    assert read == meant
    assert read.utcoffset() == timedelta()


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31T09:00:00",
        "2026-01-31",
        "1999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "soon",
        True,
        {"$date": 1},
        ["2026-01-31T09:00:00Z"],
        1e308,
        -1e308,
        0,
    ],
)
def test_what_is_no_time_is_refused(written: Any) -> None:
    """Naive, too old, impossible or no times at all: `invalid_time`, never a crash."""
    with pytest.raises(Invalid) as refused:
        moment.occurred(written, None, NOW)
    assert (refused.value.code, refused.value.field) == ("invalid_time", "timestamp")
