"""The shop events that ship with the demo → `Row`s in time order.

In: data/ecom_events.csv.gz (synthetic; origin and licence in data/NOTICE). Out: frozen rows.
Refuses to tell rows apart by content: 30 of them repeat another one exactly, so the number is the identity.
"""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).with_name("data") / "ecom_events.csv.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that one visitor did in the shop.

    number:    place in the file, from 0: the row's identity
    visitor:   `user_0000` … `user_0599`
    act:       `home`, `add_to_cart`, `purchase` … (19 of them)
    session:   visits of half an hour or so
    platform:  desktop, mobile, tablet
    channel:   what brought the session: direct, email, organic, paid_search, social
    """

    number: int
    visitor: str
    at: datetime
    act: str
    session: str
    platform: str
    channel: str


def read(path: Path = DATA) -> list[Row]:
    """All rows, oldest first."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        return list(_rows(csv.DictReader(text)))


def chosen(rows: Sequence[Row], *, users: int | None = None, limit: int | None = None) -> list[Row]:
    """A part of the rows, still in time order.

    users:  only this many visitors, those seen first
    limit:  only this many rows, the newest
    """
    if users is not None:
        kept = set(list(dict.fromkeys(row.visitor for row in rows))[:users])
        rows = [row for row in rows if row.visitor in kept]
    return list(rows if limit is None else rows[max(0, len(rows) - limit) :])


def _rows(lines: Iterable[Mapping[str, str]]) -> Iterator[Row]:
    for number, line in enumerate(lines):
        props = json.loads(line["props"])
        yield Row(
            number=number,
            visitor=line["lead_id"],
            at=datetime.fromisoformat(line["ts"]),
            act=line["event_type"],
            session=props["session"],
            platform=props["platform"],
            channel=props["channel"],
        )
