"""The surroundings of an event, in our words: page, campaign, click ids, referrer, client.

In: a sender's context and properties, and how the request came. Out: the context of the event.
Refuses whole IP addresses: /24 and /48 are what leaves this file, or nothing where a person objects.
Fields we do not know stay as they came.
"""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from services.ingest.draft import Arrival

CLICK_IDS: Final = frozenset(
    {
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "fbclid", "msclkid", "twclid"),
        *("li_fat_id", "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx", "mc_cid"),
    }
)
CAMPAIGN_FIELDS: Final = ("source", "medium", "name", "term", "content", "id")

_PAGE_FIELDS: Final = ("url", "path", "title", "search", "referrer")
# Read here and written again in our words, or nobody's business (credentials, raw addresses).
_READ: Final = frozenset(
    {
        *("page", "campaign", "referrer", "ip", "userAgent", "user_agent", "traits", "consent", "click_ids"),
        *("writeKey", "direct"),
    }
)
_NO_REFERRER: Final = frozenset({"", "$direct"})
_MAX_QUERY_FIELDS: Final = 100


def describe(raw: Mapping[str, Any], properties: Mapping[str, Any], arrival: Arrival) -> dict[str, Any]:
    """The event's context.

    raw:         the sender's, Segment's field names
    properties:  of a page event, where senders without a context put the address
    """
    context = {key: value for key, value in raw.items() if key not in _READ}
    page = _page(raw.get("page"), properties)
    query = _query(page)
    referrer = _referrer(raw.get("referrer"), page)
    found = {
        "page": page,
        "campaign": _campaign(raw.get("campaign"), query),
        "click_ids": {**_texts(raw.get("click_ids")), **{k: v for k, v in query.items() if k in CLICK_IDS}},
        "referrer": {"url": referrer} if referrer else None,
        "user_agent": user_agent(raw, arrival),
        "ip": _ip(raw, arrival),
    }
    context.update((key, value) for key, value in found.items() if value)
    if arrival.anonymous:
        context["privacy_control"] = True
    return context


def user_agent(raw: Mapping[str, Any], arrival: Arrival) -> str:
    """The person's client: what the context says, else the browser that sent a public source's request."""
    said = raw.get("userAgent") or raw.get("user_agent")
    if isinstance(said, str):
        return said
    return arrival.user_agent if arrival.source.access == "public" else ""


@lru_cache(maxsize=4096)
def truncate(ip: str) -> str:
    """An address without its host part (/24, /48 for IPv6); empty for what is no address."""
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
        return _texts({field: properties.get(field) for field in _PAGE_FIELDS})
    return {}


def _query(page: Mapping[str, str]) -> dict[str, str]:
    """The parameters of the page's address, the first of repeated ones."""
    _, mark, query = page.get("url", "").partition("?")
    query = query.partition("#")[0] if mark else page.get("search", "").removeprefix("?")
    if "=" not in query:
        return {}
    try:
        pairs = parse_qsl(query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def _campaign(raw: Any, query: Mapping[str, str]) -> dict[str, str]:
    """The campaign that brought the person here; the sender's reading of the address goes before ours."""
    tagged = {field: query[utm(field)] for field in CAMPAIGN_FIELDS if query.get(utm(field))}
    return {**tagged, **_texts(raw)}


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
