"""What of a batch gives reason to judge anew, and how far around it (pure).

In: rows of a batch, leads as they were locked. Out: `Span`s. Refuses to look at everybody: a page view is
news only where the judge holds something against somebody, or if events come at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from services.scorer.judge.acts import EMAIL_REPLIED, MAIL_NAMES, SITE_NAMES
from services.scorer.judge.thresholds import BEFORE_DELIVERY_S, BURST_S, NEAR_S, Thresholds, lies_in
from services.scorer.settle import Lead
from services.scorer.store.events import Row
from shared.events import EMAIL_DELIVERED
from shared.ids import NOBODY, LeadId

_NEAR: Final = timedelta(seconds=NEAR_S)
_BURST: Final = timedelta(seconds=BURST_S)
_ALWAYS: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


class Span(NamedTuple):
    """A time in which the verdicts about a lead may have changed."""

    first: datetime
    last: datetime

    def with_(self, other: "Span") -> "Span":
        return Span(min(self.first, other.first), max(self.last, other.last))

    def holds(self, at: datetime) -> bool:
        return self.first <= at <= self.last

    def around(self) -> "Span":
        """As far as one event can change what is thought of another."""
        return self if self == WHOLE else Span(self.first - _NEAR, self.last + _NEAR)


WHOLE: Final = Span(*_ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a batch brings.

    mails:  leads with opens or clicks, or with events at once or from one's own network: judged in any case
    sent:   leads with nothing but deliveries: judged if they clicked with one of them
    proofs: when leads viewed a page, sent a form or replied: judged if something is held against them
    """

    mails: dict[LeadId, Span] = field(default_factory=dict)
    sent: dict[LeadId, Span] = field(default_factory=dict)
    proofs: dict[LeadId, list[datetime]] = field(default_factory=dict)


def news(rows: Iterable[Row], locked: Mapping[LeadId, Lead], limits: Thresholds) -> News:
    """What these rows bring, by lead."""
    site: defaultdict[LeadId, list[datetime]] = defaultdict(list)
    found = News(proofs=site)
    for row in rows:
        name = row.event.name
        if row.lead == NOBODY or not (name in MAIL_NAMES or name in SITE_NAMES):
            continue
        at = row.event.occurred_at
        if name not in SITE_NAMES and name != EMAIL_REPLIED:
            _widen(found.sent if name == EMAIL_DELIVERED else found.mails, row.lead, Span(at, at))
            continue
        site[row.lead].append(at)
        if limits.own_networks and lies_in(row.event.context.get("ip", ""), limits.own_networks):
            _widen(found.mails, row.lead, Span(at, at))
    for lead, times in site.items():
        if _at_once(times, locked.get(lead), limits.burst_events):
            _widen(found.mails, lead, Span(min(times), max(times)))
    for lead in found.sent.keys() & found.mails.keys():
        _widen(found.mails, lead, found.sent.pop(lead))
    return found


def with_a_delivery(sent: Span, limits: Thresholds) -> Span:
    """When clicks come with these deliveries."""
    quick = timedelta(seconds=limits.delivery_s)
    return Span(sent.first - timedelta(seconds=BEFORE_DELIVERY_S), sent.last + quick)


def held_span(proofs: Sequence[datetime], held: Span, limits: Thresholds) -> Span:
    """The time to judge anew of a lead against which something is held, when proofs come.

    held: from the first to the last event that the judge does not count
    """
    seen = Span(min(proofs), max(proofs))
    first = max(held.first, seen.first - timedelta(days=limits.proof_days))
    return seen.with_(Span(first, max(first, min(held.last, seen.last))))


def _at_once(times: Sequence[datetime], present: Lead | None, burst: int) -> bool:
    """Whether these may be part of a burst: they come with others of the same second, or late."""
    if len(times) + (present.event_count if present else 0) < burst:
        return False
    ordered = sorted(times)
    if present and ordered[0] <= present.last_seen_at + _BURST:
        return True
    return any(later - earlier <= _BURST for earlier, later in pairwise(ordered))


def _widen(spans: dict[LeadId, Span], lead: LeadId, span: Span) -> None:
    known = spans.get(lead)
    spans[lead] = known.with_(span) if known else span
