"""For each code of refusals.py, a request that is refused with it: what an operation takes, made wrong."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from services.ingest.sources.providers.sendgrid import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.ingest.contract import Described
from tests.ingest.senders import (
    LIMITED_KEY,
    PRODUCT_KEY,
    SENDGRID_PRIVATE_KEY,
    SITE,
    WEBSITE_KEY,
)

Request = dict[str, Any]
"""What httpx is given"""

NAMES: Final = {"form": "contact", "provider": "sendgrid", "source": "email", "write_key": WEBSITE_KEY}
FOREIGN: Final = {"origin": "https://foreign.example"}


def address(one: Described, **names: str) -> str:
    """The operation's path with its parts filled in."""
    return one.path.format(**{**NAMES, **names})


def good(one: Described, body: Any, at: datetime) -> Request:
    """A request with this body that is accepted."""
    content = json.dumps(body).encode()
    if one.sent == "webhook":
        return {"url": address(one), "content": content, "headers": signed(content, at)}
    if one.sent == "form":
        return {"url": address(one), "content": content, "headers": {"origin": SITE}}
    return {"url": address(one), "content": content, "auth": (PRODUCT_KEY, "")}


def signed(content: bytes, at: datetime) -> dict[str, str]:
    """SendGrid's headers for this body."""
    timestamp = str(int(at.timestamp()))
    signature = SENDGRID_PRIVATE_KEY.sign(timestamp.encode() + content, ec.ECDSA(SHA256()))
    return {
        SIGNATURE_HEADER.decode(): base64.b64encode(signature).decode(),
        TIMESTAMP_HEADER.decode(): timestamp,
    }


def refused(one: Described, code: str, at: datetime) -> Request:
    """A request that this operation refuses with this code."""
    if one.method == "get":
        return _REFUSED_GETS[code](one)
    (body, *_) = one.examples().values()
    request = good(one, body, at)
    if code in _BODIES:
        return {**request, "content": _BODIES[code]}
    if code in _FIELDS:
        return {**request, "content": json.dumps(_FIELDS[code](body, one.sent)).encode()}
    return _REQUESTS[code](request, one, at)


def _without(*names: str) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
    return lambda body, _sent: {name: value for name, value in body.items() if name not in names}


def _with(**fields: Any) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
    return lambda body, _sent: {**body, **fields}


def _deep(body: Mapping[str, Any], _sent: str) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"deeper": deep}
    return {**body, "context": deep}


async def endless() -> AsyncIterator[bytes]:
    """A body that never ends."""
    yield b"{"
    await asyncio.Event().wait()


def _unauthorized(request: Request, _one: Described, _at: datetime) -> Request:
    return {**request, "auth": ("nobody", "")}


def _foreign(request: Request, one: Described, _at: datetime) -> Request:
    return {**request, "headers": FOREIGN, **({} if one.sent == "form" else {"auth": (WEBSITE_KEY, "")})}


def _stale(request: Request, _one: Described, at: datetime) -> Request:
    return {**request, "headers": signed(request["content"], at - timedelta(days=2))}


_BODIES: Final[Mapping[str, Any]] = {
    "too_large": b" " * (4 * 1024 * 1024 + 1),
    "invalid_gzip": b"\x1f\x8b\x08nonsense",
    "invalid_json": b"{",
    "not_an_object": b"[1]",
    "invalid_batch": b"{}",
    "invalid_form": b"",
    "too_many_events": b'{"batch":[' + b"1," * 2500 + b"1]}",
    "too_many_keys": json.dumps({str(number): 1 for number in range(10_001)}).encode(),
}
_FIELDS: Final[Mapping[str, Callable[[Mapping[str, Any], str], dict[str, Any]]]] = {
    "too_deep": _deep,
    "no_identity": _without("userId", "anonymousId", "traits", "email", "anonymous_id", "user_id"),
    "invalid_id": _with(userId={}, user_id={}),
    "invalid_field": _with(context=7),
    "invalid_time": _with(timestamp="soon"),
    "no_name": _without("event"),
    "no_group": _without("groupId"),
    "no_previous_id": _without("previousId"),
}
_REQUESTS: Final[Mapping[str, Callable[[Request, Described, datetime], Request]]] = {
    "unauthorized": _unauthorized,
    "origin_not_allowed": _foreign,
    "slow_body": lambda request, _one, _at: {**request, "content": endless()},
    "unsupported_encoding": lambda request, _one, _at: {
        **request,
        "headers": {**request.get("headers", {}), "content-encoding": "br"},
    },
    "not_allowed": lambda request, _one, _at: {
        **request,
        "auth": (WEBSITE_KEY, ""),
        "content": json.dumps({"event": "person.objected", "userId": "u"}).encode(),
    },
    "unknown_form": lambda request, one, _at: {**request, "url": address(one, form="other")},
    "unknown_hook": lambda request, one, _at: {**request, "url": address(one, source="other")},
    "invalid_signature": lambda request, _one, _at: {**request, "headers": {}},
    "stale_signature": _stale,
    "over_limit": lambda request, one, _at: {
        **request,
        **({} if one.sent == "form" else {"auth": (LIMITED_KEY, "")}),
    },
    "unavailable": lambda request, _one, _at: request,
    "internal": lambda request, _one, _at: request,
}
_REFUSED_GETS: Final[Mapping[str, Callable[[Described], Request]]] = {
    "unauthorized": lambda one: {"url": address(one, write_key="nobody")},
    "origin_not_allowed": lambda one: {"url": address(one), "headers": FOREIGN},
    "unknown_hook": lambda one: {"url": address(one, provider="other")},
    "unavailable": lambda one: {"url": address(one)},
}
