"""Rows and people → the calls that the shop's server makes with Segment's SDK.

In: rows in time order, who is who, how far to shift the time, a run id. Out: `Call`s in time order.
Refuses ids made from content: a call's message id is the run and the row number, so that sending the same
run again counts nothing, and the 30 rows that repeat another one count.

Before a visitor is known there is only the anonymous id; from the identify call on both ids are sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.cli.demo.people import Shopper
from services.cli.demo.rows import Row

Method = Literal["page", "track", "identify"]

SHOP: Final = "https://www.example.com"

# What shows a page; everything else is something the visitor does, under its own name.
_PAGES: Final[Mapping[str, str]] = {
    "home": "/",
    "catalog": "/catalog",
    "product_view": "/product",
    "promo_page": "/promo",
    "cart": "/cart",
    "shipping_details": "/checkout/shipping",
    "payment_details": "/checkout/payment",
    "account_page": "/account",
    "review_page": "/reviews",
    "compare": "/compare",
    "error_page": "/error",
}
# How a session's first page tells what brought it.
_ARRIVALS: Final[Mapping[str, tuple[str, str]]] = {
    "organic": ("", "https://www.google.com/"),
    "paid_search": ("?utm_source=google&utm_medium=cpc&utm_campaign=spring", "https://www.google.com/"),
    "social": ("?utm_source=linkedin&utm_medium=social", "https://www.linkedin.com/"),
    "email": ("?utm_source=newsletter&utm_medium=email", ""),
    "direct": ("", ""),
}
BROWSERS: Final[Mapping[str, str]] = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "mobile": "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0",
    "tablet": "Mozilla/5.0 (Android 14; Tablet; rv:128.0) Gecko/128.0 Firefox/128.0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One replay.

    id:     part of every message id: the same id again is the same events again
    shift:  added to every time, so that the newest event is now
    """

    id: str
    shift: timedelta

    @classmethod
    def ending(cls, now: datetime, rows: Sequence[Row], run_id: str) -> "Run":
        """The replay whose newest row happens `now`."""
        return cls(id=run_id, shift=now - rows[-1].at if rows else timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the SDK: `getattr(client, method)(**arguments)`."""

    at: datetime
    method: Method
    arguments: Mapping[str, Any]


def calls(rows: Sequence[Row], people: Mapping[str, Shopper], run: Run) -> Iterator[Call]:
    """Every call, in the order of the rows; an identify call precedes the row that made somebody known."""
    sessions: set[str] = set()
    for row in rows:
        person = people.get(row.visitor)
        if person and person.known_at == row.number:
            yield _identify(row, person, run)
        yield _act(row, person, run, first=row.session not in sessions)
        sessions.add(row.session)


def anonymous_id(visitor: str) -> str:
    """The cookie of this visitor."""
    return f"demo-{visitor}"


def user_id(visitor: str) -> str:
    """The customer number of a visitor who is known."""
    return f"customer-{visitor.removeprefix('user_')}"


def _identify(row: Row, person: Shopper, run: Run) -> Call:
    arguments = {
        **_who(row, person),
        **_envelope(row, run, f"{row.number}-identify"),
        "traits": dict(person.traits),
    }
    return Call(at=row.at + run.shift, method="identify", arguments=arguments)


def _act(row: Row, person: Shopper | None, run: Run, *, first: bool) -> Call:
    """A page view or a track call; the first of a session says where it came from."""
    envelope = _envelope(row, run, str(row.number))
    query, referrer = _ARRIVALS[row.channel] if first else ("", "")
    path = _PAGES.get(row.act, "/")
    page = {"url": f"{SHOP}{path}{query}", "path": path}
    if referrer:
        page["referrer"] = referrer
    envelope["context"]["page"] = page
    known = person if person and row.number >= person.known_at else None
    arguments = {**_who(row, known), **envelope, "properties": {"session": row.session}}
    if row.act in _PAGES:
        return Call(at=row.at + run.shift, method="page", arguments={**arguments, "name": row.act})
    return Call(at=row.at + run.shift, method="track", arguments={**arguments, "event": row.act})


def _who(row: Row, person: Shopper | None) -> dict[str, Any]:
    ids = {"anonymous_id": anonymous_id(row.visitor)}
    return {**ids, "user_id": user_id(row.visitor)} if person else ids


def _envelope(row: Row, run: Run, name: str) -> dict[str, Any]:
    return {
        "message_id": f"demo-{run.id}-{name}",
        "timestamp": row.at + run.shift,
        "context": {"userAgent": BROWSERS[row.platform], "channel": row.channel},
    }
