"""Histories that look like those of a company's website, mails and product, the same in every run.

In: how many leads, a seed. Out: each lead's events in order of time.
Refuses to flatter what remembers: hundreds of paths, thousands of ids, texts that never come twice, and one
event in eight that no rule knows.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.events import (
    EMAIL_BOUNCED,
    EMAIL_CLICKED,
    EMAIL_DELIVERED,
    EMAIL_OPENED,
    EMAIL_UNSUBSCRIBED,
    FORM_SUBMITTED,
    PAGE_VIEWED,
    PERSON_IDENTIFIED,
    Event,
    Kind,
)
from shared.ids import EventId

END: Final = datetime(2026, 11, 1, tzinfo=UTC)
_SPAN_S: Final = 180 * 86_400
_MEAN_EVENTS: Final = 10
_PAGES: Final = (
    *(
        ("/", 300),
        ("/pricing", 60),
        ("/de/preise", 30),
        ("/careers", 12),
        ("/de/jobs/backend", 4),
        ("/cancel", 2),
    ),
    *((f"/product/{part}", 20) for part in ("scoring", "routing", "receipts", "privacy", "sdk", "console")),
    *((f"/docs/{part}/{page}", 4) for part in ("start", "api", "sdk", "security") for page in range(12)),
    *((f"/blog/{2020 + rank % 7}/how-to-{rank}", 200 / (rank + 4)) for rank in range(400)),
)
_PATHS: Final = [path for path, _ in _PAGES]
_PATH_WEIGHTS: Final = [weight for _, weight in _PAGES]
_FORMS: Final = (
    "newsletter",
    "whitepaper",
    "ebook",
    "webinar",
    "contact",
    "demo-request",
    "feedback",
    "survey",
)
_TITLES: Final = (
    "CTO",
    "Head of Sales",
    "Marketing Manager",
    "Student",
    "Geschäftsführer",
    "Buyer",
    "Assistant",
)
_DOMAINS: Final = ("gmail.com", "gmx.de", "competitor.example", "mailinator.com")
_INDUSTRIES: Final = ("software", "retail", "insurance", "health", "education", "logistics", "public sector")
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

Details = dict[str, Any]


def histories(leads: int, seed: int) -> list[list[Event]]:
    """The events of so many leads, about ten each; a few have hundreds."""
    return [list(_history(random.Random(f"{seed} {lead}"), lead)) for lead in range(leads)]


def _history(chance: random.Random, lead: int) -> Iterator[Event]:
    number = max(1, round(chance.gammavariate(0.8, _MEAN_EVENTS / 0.8)))
    known = chance.random() < 0.5
    becomes_known = chance.randrange(number) if known else number
    moments = sorted(chance.random() * _SPAN_S for _ in range(number))
    for position, after_s in enumerate(moments):
        kind, name, details = (
            _identified(chance, lead)
            if position == becomes_known
            else _act(chance, position >= becomes_known)
        )
        at = END - timedelta(seconds=_SPAN_S - after_s)
        yield Event(
            event_id=EventId(UUID(int=chance.getrandbits(128))),
            source="website",
            kind=kind,
            name=name,
            occurred_at=at,
            received_at=at + timedelta(seconds=1),
            anonymous_id=f"visitor-{lead}",
            user_id=f"user-{lead}" if position >= becomes_known else None,
            **details,
        )


def _act(chance: random.Random, known: bool) -> tuple[Kind, str, Details]:  # noqa: FBT001 - a fact of the lead
    """Something a person does; only those who are known get mail and use the product."""
    makers = _MAKERS if known else _MAKERS[:_ANONYMOUS]
    [(_, make)] = chance.choices(makers, [weight for weight, _ in makers])
    return make(chance)


def _view(chance: random.Random) -> tuple[Kind, str, Details]:
    [path] = chance.choices(_PATHS, _PATH_WEIGHTS)
    session = f"{chance.getrandbits(64):x}"
    context: Details = {
        "page": {
            "path": path,
            "url": f"https://www.example.com{path}?s={session}",
            "title": f"Page {path.rpartition('/')[2]}",
            "referrer": chance.choice(("", "https://www.google.com/", "https://www.example.com/")),
        },
        "user_agent": _AGENT,
        "locale": chance.choice(("de-DE", "en-US", "en-GB")),
    }
    if chance.random() < 0.15:
        context["campaign"] = {"name": f"{chance.choice(('brand', 'retarget'))}-{chance.randrange(40)}"}
    return "web", PAGE_VIEWED, {"properties": {"session": session}, "context": context}


def _identified(chance: random.Random, lead: int) -> tuple[Kind, str, Details]:
    named = chance.random() < 0.6
    domain = f"firm-{chance.randrange(3000)}.example" if named else chance.choice(_DOMAINS)
    traits: Details = {
        "name": f"Person {lead}",
        "title": chance.choice(_TITLES),
        "industry": chance.choice(_INDUSTRIES),
        "employees": round(chance.paretovariate(0.6)),
        "country": chance.choice(("de", "at", "fr", "us")),
        "department": chance.choice(("marketing", "sales", "it", "")),
    }
    if named:
        traits["company"] = {"name": domain, "employee_count": chance.randrange(5000)}
    return "web", PERSON_IDENTIFIED, {"traits": traits, "email": f"person-{lead}@{domain}"}


def _form(chance: random.Random) -> tuple[Kind, str, Details]:
    return "form", FORM_SUBMITTED, {"properties": {"form": chance.choice(_FORMS), "message": _words(chance)}}


def _mail(chance: random.Random) -> tuple[Kind, str, Details]:
    names = (EMAIL_DELIVERED, EMAIL_OPENED, EMAIL_CLICKED, EMAIL_BOUNCED, EMAIL_UNSUBSCRIBED)
    [name] = chance.choices(names, (50, 35, 12, 2, 1))
    letter = {"campaign": f"letter-{chance.randrange(60)}", "message": f"{chance.getrandbits(64):x}"}
    return "email", name, {"properties": letter}


def _use(chance: random.Random) -> tuple[Kind, str, Details]:
    names = ("signed_in", "feature_used", "user_invited", "trial_started", "plan_limit_reached", "exported")
    [name] = chance.choices(names, (40, 40, 4, 6, 2, 8))
    feature = chance.choice(("export", "api", "sso", "board", "search", "import", "audit-log"))
    plan = chance.choice(("free", "team", "business"))
    return (
        "product",
        name,
        {"properties": {"feature": feature, "plan": plan, "took_ms": chance.random() * 900}},
    )


def _rest(chance: random.Random) -> tuple[Kind, str, Details]:
    names = ("video_watched", "price_calculated", "webinar_attended", "support_asked", "session_started")
    [name] = chance.choices(names, (15, 8, 6, 6, 65))
    topic = chance.choice(("upgrade", "price", "complaint", "bug", "question"))
    numbers = {"seconds": chance.randrange(600), "seats": chance.randrange(1, 500)}
    return "web", name, {"properties": {"topic": topic, **numbers}}


def _words(chance: random.Random) -> str:
    return " ".join(f"{chance.getrandbits(24):x}" for _ in range(12))


_MAKERS: Final[list[tuple[int, Callable[[random.Random], tuple[Kind, str, Details]]]]] = [
    *((66, _view), (9, _rest), (2, _form)),
    *((14, _mail), (11, _use)),
]
_ANONYMOUS: Final = 3
