"""The months of `events`: which there are, which may lose visitors (pure).

In: names of partitions, a moment, days. Out: months, each by its first day.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

_NAME: Final = re.compile(r"events_(\d{4})_(\d{2})")


def month_of(partition: str) -> date | None:
    """The month that this partition of `events` holds; None for the one that holds what has no month."""
    found = _NAME.fullmatch(partition)
    return date(int(found[1]), int(found[2]), 1) if found else None


def partition_of(month: date) -> str:
    """The name of the partition for this month."""
    return f"events_{month:%Y_%m}"


def end_of(month: date) -> datetime:
    """The first moment after this month."""
    year, number = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return datetime(year, number, 1, tzinfo=UTC)


def due(partitions: Iterable[str], now: datetime, days: int) -> list[date]:
    """The months of which every event was received more than so many days ago, oldest first; 0 days: none."""
    months = sorted(month for each in partitions if (month := month_of(each)))
    return [month for month in months if end_of(month) <= now - timedelta(days=days)] if days else []
