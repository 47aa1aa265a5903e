"""The surroundings of an event, in our words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest import context
from services.ingest.draft import Arrival
from services.ingest.registry import Registry

CHROME = "Mozilla/5.0 (Windows NT 10.0) Chrome/141.0"


def arrival(registry: Registry, source: str = "website", **changed: Any) -> Arrival:
    """A request from 203.0.113.77 with Chrome."""
    return Arrival(
        **{
            "source": registry.sources[source],
            "received_at": datetime(2026, 1, 1, tzinfo=UTC),
            "ip": "203.0.113.77",
            "user_agent": CHROME,
            **changed,
        }
    )


def test_campaign_and_click_ids_come_from_the_address(registry: Registry) -> None:
    """The utm parameters and click ids of the page's address are found."""
    page = {"url": "https://shop.example/?utm_source=google&utm_campaign=spring&gclid=Cj0&utm_id=7#top"}
    described = context.describe({"page": page}, {}, arrival(registry))
    assert described["campaign"] == {"source": "google", "name": "spring", "id": "7"}
    assert described["click_ids"] == {"gclid": "Cj0"}


def test_the_senders_campaign_goes_before_ours(registry: Registry) -> None:
    """What an SDK read out of the address itself is kept."""
    raw = {"page": {"url": "https://x.example/?utm_source=a"}, "campaign": {"source": "b", "medium": "cpc"}}
    assert context.describe(raw, {}, arrival(registry))["campaign"] == {"source": "b", "medium": "cpc"}


def test_page_event_without_context_has_its_page_in_the_properties(registry: Registry) -> None:
    """Server-side SDKs send a page view's address as a property."""
    described = context.describe(
        {}, {"url": "https://x.example/a?utm_source=n", "title": "A"}, arrival(registry)
    )
    assert described["page"] == {"url": "https://x.example/a?utm_source=n", "title": "A"}
    assert described["campaign"] == {"source": "n"}


@pytest.mark.parametrize(
    ("raw", "referrer"),
    [
        ({"page": {"url": "https://x.example/", "referrer": "https://google.com/"}}, "https://google.com/"),
        ({"page": {"url": "https://x.example/b", "referrer": "https://x.example/a"}}, None),
        ({"page": {"url": "https://x.example/", "referrer": "$direct"}}, None),
        (
            {"page": {"url": "https://x.example/"}, "referrer": {"url": "https://t.example/"}},
            "https://t.example/",
        ),
        ({"page": {"url": "https://x.example/", "referrer": "http://[bad"}}, "http://[bad"),
        ({}, None),
    ],
)
def test_referrer_is_another_site(registry: Registry, raw: dict[str, Any], referrer: str | None) -> None:
    """The own site and `$direct` are no referrers."""
    described = context.describe(raw, {}, arrival(registry))
    assert described.get("referrer") == ({"url": referrer} if referrer else None)


@pytest.mark.parametrize(
    ("ip", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678::1", "2001:db8:1234::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        (" 203.0.113.77 ", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", ""),
        ("", ""),
    ],
)
def test_addresses_lose_their_host(ip: str, kept: str) -> None:
    """/24 and /48 are all that leaves."""
    assert context.truncate(ip) == kept


def test_browser_is_where_it_connects_from(registry: Registry) -> None:
    """A public key cannot claim another address than its own."""
    described = context.describe({"ip": "198.51.100.9"}, {}, arrival(registry))
    assert (described["ip"], described["user_agent"]) == ("203.0.113.0", CHROME)


def test_server_speaks_for_a_person_elsewhere(registry: Registry) -> None:
    """A secret source's own address and client are not the person's."""
    described = context.describe({"ip": "198.51.100.9"}, {}, arrival(registry, "product"))
    assert described == {"ip": "198.51.100.0"}


def test_who_objects_leaves_no_address(registry: Registry) -> None:
    """Global Privacy Control removes even the truncated address, and is noted."""
    described = context.describe({"ip": "198.51.100.9"}, {}, arrival(registry, "product", anonymous=True))
    assert described == {"privacy_control": True}


def test_unknown_fields_stay(registry: Registry) -> None:
    """What we do not know is kept; credentials and what we rewrote are not."""
    raw = {"os": {"name": "Linux"}, "sessionId": 17, "writeKey": "k", "traits": {"a": 1}, "userAgent": "x"}
    described = context.describe(raw, {}, arrival(registry, "product"))
    assert described == {"os": {"name": "Linux"}, "sessionId": 17, "user_agent": "x"}


@pytest.mark.parametrize(
    "odd", [7, "text", [], None, {"url": 3}, {"url": "https://x.example/?" + "a=1&" * 500}]
)
def test_odd_shapes_are_no_crash(registry: Registry, odd: Any) -> None:
    """Whatever stands where an object should be, the event survives it."""
    raw = {"page": odd, "campaign": odd, "referrer": odd, "click_ids": odd, "ip": odd, "userAgent": odd}
    assert isinstance(context.describe(raw, {}, arrival(registry)), dict)
