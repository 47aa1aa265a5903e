"""A past for the measurements: people who visit, read, ask and buy, the same in every run.

In: the number of a person, how many there are, a moment. Out: that person's events, in order of time.
Refuses to look like one busy hour: visits come in sessions over half a year, most people stay anonymous,
and those who do not have most of the events.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared import ids
from shared.events import (
    EMAIL_CLICKED,
    EMAIL_OPENED,
    FORM_SUBMITTED,
    PAGE_VIEWED,
    PERSON_IDENTIFIED,
    Event,
    Kind,
)

_SPAN_S: Final = 180 * 86_400
_SESSION_S: Final = 1200
_PATHS: Final = {
    "/": 34,
    "/blog/leads": 40,
    "/docs/start": 10,
    "/product/scoring": 6,
    "/features": 4,
    "/pricing": 4,
    "/careers": 2,
}
_FORMS: Final = {"newsletter": 50, "whitepaper": 30, "webinar": 12, "contact": 5, "demo-request": 3}
_TITLES: Final = ("Engineer", "Sales Manager", "Buyer", "Assistant", "Student", "Head of Marketing", "CTO")
_INDUSTRIES: Final = ("retail", "education", "public sector", "health", "software", "logistics")
_HOSTS: Final = ("company.example", "factory.example", "gmail.com", "gmx.de", "web.de")
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many people with how many events in all, and what share of them is known.

    Known people have about eight times as many events as anonymous ones.
    """

    people: int
    events: int
    known: float

    def of(self, person: int) -> tuple[bool, int]:
        """Whether this one is known, and how many events they have."""
        chance = random.Random(person)
        known = chance.random() < self.known
        quiet = self.events / self.people / (1 + 7 * self.known)
        mean = quiet * (8 if known else 1)
        return known, max(2 if known else 1, round(chance.gammavariate(2, mean / 2)))


def past(crowd: Crowd, person: int, now: datetime) -> list[Event]:
    """All events of one person until now."""
    known, number = crowd.of(person)
    chance = random.Random(f"past {person}")
    moments = sorted(_moments(chance, number), reverse=True)
    becomes_known = chance.randrange(number) if known else number
    events = []
    for position, ago_s in enumerate(moments):
        details = _identified(chance, person) if position == becomes_known else _act(chance, position)
        events.append(_event(person, position, now - timedelta(seconds=ago_s), details))
    return events


def _moments(chance: random.Random, number: int) -> Iterator[float]:
    """Seconds ago: sessions of a few events, spread over half a year."""
    left = number
    while left > 0:
        begin = chance.random() * _SPAN_S + _SESSION_S
        for _ in range(min(left, chance.randint(1, 5))):
            left -= 1
            yield begin - chance.random() * _SESSION_S


def _act(chance: random.Random, position: int) -> dict[str, Any]:
    """What somebody does: mostly looking, sometimes reading mail, now and then a form."""
    die = chance.random()
    if die < 0.74 or position == 0:
        return _view(chance)
    if die < 0.94:
        return _details("email", EMAIL_OPENED, properties={"campaign": f"letter-{chance.randint(1, 20)}"})
    if die < 0.98:
        return _details("email", EMAIL_CLICKED, properties={"url": "https://www.example.com/pricing"})
    [form] = chance.choices(list(_FORMS), list(_FORMS.values()))
    return _details("form", FORM_SUBMITTED, properties={"form": form})


def _view(chance: random.Random) -> dict[str, Any]:
    [path] = chance.choices(list(_PATHS), list(_PATHS.values()))
    page = {"url": f"https://www.example.com{path}", "path": path, "title": "A page of the website"}
    return _details("web", PAGE_VIEWED, properties={"path": path}, context={"page": page})


def _identified(chance: random.Random, person: int) -> dict[str, Any]:
    email = f"person-{person}@{chance.choice(_HOSTS)}"
    traits = {
        "email": email,
        "title": chance.choice(_TITLES),
        "industry": chance.choice(_INDUSTRIES),
        "employees": round(chance.paretovariate(0.6)),
    }
    if chance.random() < 0.4:
        traits["company"] = "Company"
    return _details("web", PERSON_IDENTIFIED, traits=traits) | {"email": email, "user_id": f"user-{person}"}


def _details(kind: Kind, name: str, **fields: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "name": name, **fields}


def _event(person: int, position: int, at: datetime, details: dict[str, Any]) -> Event:
    library = {"name": "analytics-python", "version": "2.4.0"}
    context = {"library": library, "user_agent": _AGENT, **details.pop("context", {})}
    return Event(
        event_id=ids.event_id("bench", f"{person}-{position}"),
        source="bench",
        occurred_at=at,
        received_at=at + timedelta(milliseconds=50),
        anonymous_id=f"visitor-{person}",
        context=context,
        **details,
    )
