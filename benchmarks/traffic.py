"""The events that the measurements send: shaped as Segment's SDKs shape them, about 460 bytes each.

In: numbers. Out: JSON bodies. Refuses randomness: the n-th event is the same in every run but for its time.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

_PATHS: Final = ("/", "/pricing", "/product/scoring", "/docs/start", "/blog/leads")


def visit(number: int, *, leads: int, prefix: str = "bench") -> dict[str, Any]:
    """The n-th page view of a population of so many anonymous visitors."""
    path = _PATHS[number % len(_PATHS)]
    return {
        "type": "page",
        "messageId": f"{prefix}-{number}",
        "anonymousId": f"{prefix}-visitor-{number % leads}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "properties": {"title": "A page of the website", "path": path, "variant": number % 7},
        "context": {
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "page": {"url": f"https://www.example.com{path}", "path": path},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        },
        "integrations": {},
    }


def identify(person: str) -> dict[str, Any]:
    """Somebody makes themselves known who fits: with a demo request they qualify at once."""
    return {
        "type": "identify",
        "messageId": f"{person}-identify",
        "userId": person,
        "anonymousId": f"{person}-cookie",
        "traits": {
            "email": f"{person}@company.example",
            "company": "Company",
            "title": "Head of Marketing",
            "industry": "software",
            "employees": 250,
        },
    }


def body(event: dict[str, Any]) -> bytes:
    """The body of a single call."""
    return json.dumps(event).encode()


def batch(events: list[dict[str, Any]]) -> bytes:
    """The body of `/v1/batch`."""
    return json.dumps({"batch": events, "sentAt": datetime.now(UTC).isoformat()}).encode()
