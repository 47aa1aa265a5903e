"""The surroundings of an event, in our words: page, campaign, click ids, referrer, client.

In: a sender's context and properties, and how the request came. Out: the context of the event.
Refuses whole IP addresses: /24 and /48 are what leaves this file, or nothing where a person objects.
Fields we do not know stay as they came.
"""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from services.ingest.draft import Arrival

CLICK_IDS: Final = frozenset(
    {
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "fbclid", "msclkid", "twclid"),
        *("li_fat_id", "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx", "mc_cid"),
    }
)
CAMPAIGN_FIELDS: Final = ("source", "medium", "name", "term", "content", "id")

PAGE_FIELDS: Final = ("url", "path", "title", "search", "referrer")
# Read here and written again in our words, or nobody's business (credentials, raw addresses).
_READ: Final = frozenset(
    {
        *("page", "campaign", "referrer", "ip", "userAgent", "user_agent", "traits", "consent", "click_ids"),
        *("writeKey", "direct"),
    }
)
_NO_REFERRER: Final = frozenset({"", "$direct"})
_MAX_QUERY_FIELDS: Final = 100
# What is remembered between events is bounded in number and in length.
_MAX_REMEMBERED_CHARS: Final = 500
_MAX_IP_CHARS: Final = 60
MAX_USER_AGENT_CHARS: Final = 1000


class _Tags(NamedTuple):
    """How a person came, by the address of the page."""

    campaign: Mapping[str, str]
    click_ids: Mapping[str, str]


_NO_TAGS: Final = _Tags(campaign={}, click_ids={})


def describe(raw: Mapping[str, Any], properties: Mapping[str, Any], arrival: Arrival) -> dict[str, Any]:
    """The event's context.

    raw:         the sender's, Segment's field names
    properties:  of a page event, where senders without a context put the address
    """
    context = {key: value for key, value in raw.items() if key not in _READ}
    page = _page(raw.get("page"), properties)
    referrer = _referrer(raw.get("referrer"), page)
    tags = _tags(page)
    found = {
        "page": page,
        "campaign": {**tags.campaign, **_texts(raw.get("campaign"))},
        "click_ids": {**tags.click_ids, **_texts(raw.get("click_ids"))},
        "referrer": {"url": referrer} if referrer else None,
        "user_agent": user_agent(raw, arrival),
        "ip": _ip(raw, arrival),
        "privacy_control": arrival.anonymous,
    }
    context.update({key: value for key, value in found.items() if value})
    return context


def user_agent(raw: Mapping[str, Any], arrival: Arrival) -> str:
    """The person's client: what the context says, else the browser that sent a public source's request."""
    said = raw.get("userAgent") or raw.get("user_agent")
    if isinstance(said, str):
        return said[:MAX_USER_AGENT_CHARS]
    return arrival.user_agent[:MAX_USER_AGENT_CHARS] if arrival.source.access == "public" else ""


def truncate(ip: str) -> str:
    """An address without its host part (/24, /48 for IPv6); empty for what is no address."""
    return _truncated(ip) if len(ip) <= _MAX_IP_CHARS else ""


@lru_cache(maxsize=4096)
def _truncated(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip.strip())
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False).network_address)


def utm(field: str) -> str:
    """The parameter of an address that holds a campaign's field."""
    return "utm_campaign" if field == "name" else f"utm_{field}"


def _ip(raw: Mapping[str, Any], arrival: Arrival) -> str:
    """Where the person is: a server tells us, a browser is connected to us."""
    if arrival.anonymous:
        return ""
    if arrival.source.access == "secret":
        said = raw.get("ip")
        return truncate(said) if isinstance(said, str) else ""
    return truncate(arrival.ip) if arrival.ip else ""


def _page(raw: Any, properties: Mapping[str, Any]) -> dict[str, str]:
    if isinstance(raw, dict):
        return _texts(raw)
    if isinstance(properties.get("url"), str):
        return _texts({field: properties.get(field) for field in PAGE_FIELDS})
    return {}


def _tags(page: Mapping[str, str]) -> _Tags:
    """What the page's address says of how the person came."""
    _, mark, query = page.get("url", "").partition("?")
    query = query.partition("#")[0] if mark else page.get("search", "").removeprefix("?")
    if "=" not in query:
        return _NO_TAGS
    return _read_tags(query) if len(query) <= _MAX_REMEMBERED_CHARS else _read_tags.__wrapped__(query)


@lru_cache(maxsize=4096)
def _read_tags(query: str) -> _Tags:
    """Campaign and click ids in a query, the first of repeated parameters."""
    try:
        first = dict(reversed(parse_qsl(query, max_num_fields=_MAX_QUERY_FIELDS)))
    except ValueError:
        return _NO_TAGS
    return _Tags(
        campaign={field: first[utm(field)] for field in CAMPAIGN_FIELDS if first.get(utm(field))},
        click_ids={name: value for name, value in first.items() if name in CLICK_IDS},
    )


def _referrer(raw: Any, page: Mapping[str, str]) -> str:
    """The page on another site that led here; empty if it was none, or our own."""
    said = raw.get("url") if isinstance(raw, dict) else raw
    url = said if isinstance(said, str) and said else page.get("referrer", "")
    if url in _NO_REFERRER or _host(url) == _host(page.get("url", "")):
        return ""
    return url


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _texts(raw: Any) -> dict[str, str]:
    """The text values of an object; anything else of it is not ours to guess."""
    if not isinstance(raw, dict):
        return {}
    return {key: value for key, value in raw.items() if isinstance(value, str) and value}
