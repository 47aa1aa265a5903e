"""The rows of the demo's data."""

from itertools import pairwise

from services.cli.demo.rows import chosen, read


def test_every_row_counts() -> None:
    """31,106 rows of 600 visitors come out in time order, those that repeat another one included."""
    rows = read()
    assert len(rows) == 31_106
    assert len({row.visitor for row in rows}) == 600
    assert [row.number for row in rows] == list(range(31_106))
    assert all(earlier.at <= later.at for earlier, later in pairwise(rows))
    repeated = len(rows) - len({(row.visitor, row.at, row.act, row.session) for row in rows})
    assert repeated == 30


def test_times_carry_their_zone() -> None:
    """Times are aware and in UTC."""
    offset = read()[0].at.utcoffset()
    assert offset is not None
    assert not offset


def test_users_keeps_whole_visitors() -> None:
    """`users` keeps every row of the first visitors and none of the others."""
    rows = read()
    kept = chosen(rows, users=7)
    visitors = {row.visitor for row in kept}
    assert len(visitors) == 7
    assert kept == [row for row in rows if row.visitor in visitors]


def test_limit_keeps_the_newest() -> None:
    """`limit` keeps the newest rows; zero keeps none."""
    rows = read()
    assert chosen(rows, limit=100) == rows[-100:]
    assert chosen(rows, limit=0) == []
    assert chosen(rows, limit=10**9) == rows
