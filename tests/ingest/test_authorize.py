"""Who sends this, by the key they show."""

import base64

import pytest

from services.ingest import authorize
from services.ingest.registry import Registry
from shared.errors import Invalid
from tests.ingest.senders import PRODUCT_KEY, SITE, WEBSITE_KEY


def basic(user: str) -> bytes:
    """An Authorization header as Segment's SDKs send it."""
    return b"Basic " + base64.b64encode(f"{user}:".encode())


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({b"authorization": basic(PRODUCT_KEY)}, b""),
        ({b"authorization": b"basic " + base64.b64encode(PRODUCT_KEY.encode())}, b""),
        ({b"authorization": b"Bearer " + PRODUCT_KEY.encode()}, b""),
        ({b"x-write-key": PRODUCT_KEY.encode()}, b""),
        ({}, b"writeKey=" + PRODUCT_KEY.encode()),
        ({}, b"a=1&writekey=" + PRODUCT_KEY.encode()),
        ({b"authorization": basic(PRODUCT_KEY), b"x-write-key": WEBSITE_KEY.encode()}, b""),
        ({b"authorization": basic(""), b"x-write-key": PRODUCT_KEY.encode()}, b""),
        ({b"x-write-key": PRODUCT_KEY.encode()}, b"writeKey=" + WEBSITE_KEY.encode()),
    ],
)
def test_key_is_found_where_sdks_put_it(registry: Registry, headers: authorize.Headers, query: bytes) -> None:
    """Basic user, Bearer, X-Write-Key, query: the first that holds a key decides."""
    found = authorize.by_request(registry, headers, query)
    assert found is not None
    assert found.id == "product"


def test_no_key_at_all_leaves_it_to_the_body(registry: Registry) -> None:
    """Without a key in headers or query the body may still have one."""
    assert authorize.by_request(registry, {b"authorization": b"Basic ???"}, b"rewrite=1") is None


@pytest.mark.parametrize("key", ["nobody's-key", "", None, 7, {"a": 1}, "\ud800"])
def test_unknown_keys_are_refused(registry: Registry, key: object) -> None:
    """What is no known key is unauthorized, whatever its type."""
    with pytest.raises(Invalid) as refused:
        authorize.by_key(registry, key, {})
    assert refused.value.code == "unauthorized"


def test_messages_never_repeat_the_key(registry: Registry) -> None:
    """A mistyped key must not end up in a log."""
    with pytest.raises(Invalid) as refused:
        authorize.by_request(registry, {b"x-write-key": b"almost-the-key"}, b"")
    assert "almost" not in refused.value.message


def test_public_keys_belong_to_their_pages(registry: Registry) -> None:
    """A foreign page cannot use the website's key; the own page and programs can."""
    assert authorize.by_key(registry, WEBSITE_KEY, {b"origin": SITE.encode()}).id == "website"
    assert authorize.by_key(registry, WEBSITE_KEY, {}).id == "website"
    assert authorize.by_key(registry, PRODUCT_KEY, {b"origin": b"https://anywhere.example"}).id == "product"
    with pytest.raises(Invalid) as refused:
        authorize.by_key(registry, WEBSITE_KEY, {b"origin": b"https://evil.example"})
    assert refused.value.code == "origin_not_allowed"
