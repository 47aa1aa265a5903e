"""People and their visits → what SendGrid would report about the mails they got.

In: rows in time order, who is who, the run. Out: SendGrid's events, in time order.
Refuses to report what has not happened yet: nothing is later than the newest row.

Everyone known gets a welcome mail; a visit that came by e-mail had a newsletter before it. Some mail programs
open every mail at once by themselves (Apple's privacy protection): SendGrid marks those opens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.cli.demo.calls import SHOP, Run
from services.cli.demo.people import Shopper, dice
from services.cli.demo.rows import Row

_MAIL_CLIENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0"
_BOUNCES: Final = 0.03
_OPENS_WELCOME: Final = 0.55
_UNSUBSCRIBES: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed:
    """One event as SendGrid's webhook has it, and when it happened."""

    at: datetime
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    """One mail to one person; `name` is unique per person."""

    person: Shopper
    name: str
    category: str
    run: Run


def mails(rows: Sequence[Row], people: Mapping[str, Shopper], run: Run, seed: int) -> list[Mailed]:
    """Everything the e-mail provider reports, oldest first."""
    if not rows:
        return []
    newest = rows[-1].at + run.shift
    made = [*_welcomes(rows, people, run, seed), *_newsletters(rows, people, run)]
    return sorted(
        (mail for mail in made if mail.at <= newest), key=lambda mail: (mail.at, mail.event["sg_event_id"])
    )


def _welcomes(rows: Sequence[Row], people: Mapping[str, Shopper], run: Run, seed: int) -> Iterator[Mailed]:
    for row in rows:
        person = people.get(row.visitor)
        if person is None or person.known_at != row.number:
            continue
        mail = _Mail(person=person, name="welcome", category="welcome", run=run)
        sent = row.at + run.shift + timedelta(minutes=1)
        chance = dice(seed, row.visitor, "welcome")
        if chance.random() < _BOUNCES:
            yield _report(mail, "bounce", sent)
            continue
        yield from _delivered(mail, sent)
        if chance.random() < _OPENS_WELCOME:
            yield _report(mail, "open", sent + timedelta(minutes=chance.randint(3, 600)))
        if chance.random() < _UNSUBSCRIBES:
            yield _report(mail, "unsubscribe", sent + timedelta(hours=30))


def _newsletters(rows: Sequence[Row], people: Mapping[str, Shopper], run: Run) -> Iterator[Mailed]:
    """Delivered, opened and clicked just before each visit that an e-mail brought."""
    seen: set[str] = set()
    for row in rows:
        person = people.get(row.visitor)
        begins = row.session not in seen
        seen.add(row.session)
        if begins and row.channel == "email" and person and row.number > person.known_at:
            mail = _Mail(person=person, name=row.session, category="newsletter", run=run)
            visit = row.at + run.shift
            yield from _delivered(mail, visit - timedelta(hours=2))
            yield _report(mail, "open", visit - timedelta(seconds=40))
            yield _report(mail, "click", visit - timedelta(seconds=5))


def _delivered(mail: _Mail, at: datetime) -> Iterator[Mailed]:
    yield _report(mail, "delivered", at)
    if mail.person.machine:
        yield _report(mail, "open", at + timedelta(seconds=2), machine=True)


def _report(mail: _Mail, event: str, at: datetime, *, machine: bool = False) -> Mailed:
    """SendGrid's fields (Event Webhook reference); `sg_event_id` is its own id of the event."""
    visitor = mail.person.visitor
    fields: dict[str, Any] = {
        "email": mail.person.email,
        "event": event,
        "timestamp": int(at.timestamp()),
        "sg_event_id": f"demo-{mail.run.id}-{visitor}-{mail.name}-{event}{'-machine' * machine}",
        "sg_message_id": f"demo-{mail.run.id}-{visitor}-{mail.name}",
        "category": [mail.category],
    }
    if event in {"open", "click"}:
        fields["useragent"] = _MAIL_CLIENT
    if event == "open":
        fields["sg_machine_open"] = machine
    if event == "click":
        fields["url"] = f"{SHOP}/?utm_source=newsletter&utm_medium=email"
    return Mailed(at=at, event=fields)
