"""Identity once more, from docs/guides/identity.md alone, and random events to hold the product against it.

In: events. Out: which identifiers are one person, and whose each event is. Refuses to be fast: it looks at
all events in the order in which they happened, as the guide tells it.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from shared.events import Event, Kind, default_namespace
from shared.ids import EventId
from shared.leads.identifiers import Identifier
from tests.scorer.identity.people import RULES, seen

SOURCES: Final[dict[str, Kind]] = {
    "product": "product",
    "website": "web",
    "forms": "form",
    "crm": "crm",
    "second-crm": "crm",
    "mailer": "email",
}
NOBODY: Final = ("null", "n/a", "undefined", "test", "null@null.com")
PEOPLE_PER_DAY: Final = 4

Name = str
"""`product:user-1`, or an address: an identifier as a person would note it down."""

Owner = frozenset[Name]
"""Whose an event is: all names of a known person; `{"device tablet"}` of a visitor; empty for nobody."""

OF_NOBODY: Final[Owner] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Whom one event names.

    strong: strongest first
    former: the user id that an alias call says was there before
    """

    strong: tuple[Name, ...]
    former: Name | None
    device: str | None


def said(event: Event) -> Said:
    """Rules 1, 2, 6, 7, placeholders and spelling."""
    namespace = event.namespace or default_namespace(event.kind, event.source)
    strong = []
    if user := _somebody(event.user_id):
        strong.append(f"{namespace}:{user}")
    strong += [one for one in (_somebody(event.email), user) if one and "@" in one]
    former = _somebody(event.previous_id)
    return Said(
        strong=tuple(dict.fromkeys(strong)),
        former=f"{namespace}:{former}" if former and user else None,
        device=_somebody(event.anonymous_id),
    )


def _somebody(text: str | None) -> str | None:
    """The one spelling, None for a placeholder."""
    if text is None:
        return None
    normal = text.strip().lower() if "@" in text else text.strip()
    return None if normal.lower() in NOBODY else normal


def hashed(name: Name) -> Identifier:
    """The identifier that stands for this name in the database."""
    namespace, colon, user = name.partition(":")
    found = RULES.user_id(user, namespace) if colon else RULES.address(name)
    assert found
    return found


@dataclass(slots=True)
class Groups:
    """Names in groups, of which two may become one."""

    of: dict[Name, set[Name]] = field(default_factory=dict)

    def get(self, name: Name) -> set[Name]:
        """The group of this name, of its own if it is new."""
        return self.of.setdefault(name, {name})

    def join(self, one: Name, other: Name) -> None:
        """Make their groups one."""
        into, gone = self.get(one), self.get(other)
        if into is not gone:
            into |= gone
            self.of |= dict.fromkeys(gone, into)


def in_order(events: Iterable[Event]) -> list[Event]:
    """In the order of occurrence, each message once."""
    return sorted({one.event_id: one for one in events}.values(), key=lambda one: one.occurred_at)


def people(events: Iterable[Event]) -> Groups:
    """Rules 1 to 7: joined in order, unless one person would have two user ids of a namespace."""
    ordered = in_order(events)
    accounts, found = Groups(), Groups()
    used = {name for one in map(said, ordered) for name in one.strong}
    for one in map(said, ordered):
        if one.former in used:
            accounts.join(one.strong[0], one.former)
            found.join(one.strong[0], one.former)
    for one in map(said, ordered):
        for name in one.strong:
            found.get(name)
        for place, name in enumerate(one.strong):
            for other in one.strong[place + 1 :]:
                if not _two_users(accounts, found.get(name), found.get(other)):
                    found.join(name, other)
    return found


def _two_users(accounts: Groups, some: set[Name], others: set[Name]) -> bool:
    """Whether one person would have two user ids of a namespace."""
    users = {name.partition(":")[0]: accounts.get(name) for name in some if ":" in name}
    return any(
        space in users and accounts.get(name) is not users[space]
        for name, space in ((name, name.partition(":")[0]) for name in others if ":" in name)
    )


def owners(events: Iterable[Event]) -> dict[EventId, Owner]:
    """Whose each event is, if events arrive in the order of occurrence."""
    ordered = in_order(events)
    groups = people(ordered)
    found: dict[EventId, Owner] = {}
    devices: dict[str, _Device] = {}
    for place, event in enumerate(ordered):
        one = said(event)
        device = devices.setdefault(one.device, _Device()) if one.device else None
        if one.strong:
            found[event.event_id] = owner = frozenset(groups.get(one.strong[0]))
            if device:
                found |= device.known(event, owner)
                device.shared |= device.people(people(ordered[: place + 1]), event) > PEOPLE_PER_DAY
        else:
            found[event.event_id] = device.anonymous(event, one.device) if device else OF_NOBODY
    return found


@dataclass(slots=True)
class _Device:
    """Whom a device serves."""

    serves: Owner = OF_NOBODY
    waiting: list[EventId] = field(default_factory=list)
    seen: list[Event] = field(default_factory=list)
    shared: bool = False

    def known(self, event: Event, owner: Owner) -> dict[EventId, Owner]:
        """Somebody is known on it: gets what waited."""
        waited, self.waiting, self.serves = self.waiting, [], owner
        self.seen.append(event)
        return dict.fromkeys(waited, owner)

    def people(self, groups: Groups, now: Event) -> int:
        """How many became known on it within the day before."""
        day = [one for one in self.seen if now.occurred_at - one.occurred_at < timedelta(days=1)]
        return len({frozenset(groups.get(said(one).strong[0])) for one in day})

    def anonymous(self, event: Event, name: str | None) -> Owner:
        """Whose an anonymous event on it is, for now."""
        if self.shared:
            return OF_NOBODY
        if not self.serves:
            self.waiting.append(event.event_id)
        return self.serves or frozenset({f"device {name}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    ids: dict[str, list[str]]
    addresses: list[str]


def history(dice: random.Random, length: int) -> list[Event]:
    """Events of some people in the order of occurrence; now and then one names somebody else's identifier."""
    persons = [_person(dice, number) for number in range(dice.randint(2, 5))]
    devices = ["laptop", "phone", "Tablet"][: dice.randint(1, 3)]
    return [_event(dice, number, persons, devices) for number in range(length)]


def _person(dice: random.Random, number: int) -> _Person:
    addresses = [f"p{number}@firma.example", f"p{number}@privat.example"][: dice.choice((1, 1, 2))]
    ids = {
        "product": [f"u{number}", f"u{number}-new"],
        "crm": [f"8{number}", f"8{number}-again"],
        "second-crm": [f"8{number}"],
        "mailer": [dice.choice((addresses[0], f"m{number}"))],
    }
    return _Person(ids=ids, addresses=addresses)


def _event(dice: random.Random, number: int, persons: Sequence[_Person], devices: Sequence[str]) -> Event:
    source, kind = dice.choice(tuple(SOURCES.items()))
    namespace = default_namespace(kind, source)
    me = dice.choice(persons)
    his = me if dice.random() < 0.85 else dice.choice(persons)
    ids = me.ids[namespace]
    fields: dict[str, str | None] = {
        "user_id": _sometimes(dice, 0.5, ids[0] if dice.random() < 0.9 else ids[-1]),
        "email": _sometimes(dice, 0.45, dice.choice(his.addresses)),
        "anonymous_id": _sometimes(dice, 0.6, dice.choice(devices)),
        "namespace": _sometimes(dice, 0.5, namespace),
    }
    if dice.random() < 0.08:
        fields["user_id"] = dice.choice(NOBODY) if dice.random() < 0.7 else dice.choice(me.addresses)
    if namespace == "product" and dice.random() < 0.12:
        fields["user_id"] = me.ids["product"][1]
        fields["previous_id"] = dice.choice((me, his)).ids["product"][0]
    if fields["email"] and dice.random() < 0.2:
        fields["email"] = f" {fields['email'].upper()}"
    name = dice.choice(("page.viewed", "page.viewed", "form.submitted", "email.clicked"))
    return seen(number, source=source, kind=kind, name=name, **fields)


def _sometimes(dice: random.Random, chance: float, text: str) -> str | None:
    return text if dice.random() < chance else None
