"""Who sends this? A write key from where SDKs put it → the source it belongs to.

In: a request's headers and query, or the key in its body. Out: a `Source`.
Refuses (`unauthorized`) unknown keys, and (`origin_not_allowed`) public keys used on foreign web pages.

The first place that has a key decides, in this order: Basic user, X-Write-Key, Bearer, `?writeKey=`, body.
"""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qs

from services.ingest.registry import Registry, Source
from shared.errors import Invalid

Headers = dict[bytes, bytes]
"""Header names in lower case → value; of repeated ones the last."""


def by_request(registry: Registry, headers: Headers, query: bytes) -> Source | None:
    """The source whose key is in the headers or the query; None if there is no key at all.

    Raises Invalid `unauthorized`, `origin_not_allowed`.
    """
    key = _from_authorization(headers) or _text(headers.get(b"x-write-key", b"")) or _from_query(query)
    return by_key(registry, key, headers) if key else None


def by_key(registry: Registry, key: Any, headers: Headers) -> Source:
    """The source with this key, from a body.

    Raises Invalid `unauthorized`, `origin_not_allowed`.
    """
    source = registry.by_key(key) if isinstance(key, str) and key else None
    if source is None:
        raise Invalid(
            "unauthorized",
            "no known write key. Send one of sources.yaml as Basic user, X-Write-Key or writeKey",
        )
    check_origin(source, headers)
    return source


def check_origin(source: Source, headers: Headers) -> None:
    """Let only listed web pages use a public key; programs send no Origin and pass.

    Raises Invalid `origin_not_allowed`.
    """
    origin = headers.get(b"origin")
    if origin is not None and source.access == "public" and not source.origins.allow(_text(origin)):
        raise Invalid(
            "origin_not_allowed",
            f'this page may not send to source "{source.id}". Add its origin to sources.yaml',
        )


def _from_authorization(headers: Headers) -> str:
    """Basic's user name or Bearer's token; empty if there is neither."""
    scheme, _, credential = headers.get(b"authorization", b"").strip().partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return _text(credential.strip())
    if scheme != b"basic":
        return ""
    try:
        return _text(base64.b64decode(credential).partition(b":")[0])
    except binascii.Error:
        return ""


def _from_query(query: bytes) -> str:
    if b"rite" not in query:
        return ""
    fields = parse_qs(query.decode("latin-1"))
    return (fields.get("writeKey") or fields.get("writekey") or [""])[0]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
