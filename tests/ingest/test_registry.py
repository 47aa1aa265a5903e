"""Sources, and the web pages they allow."""

import pytest

from services.ingest.registry import Origins, Registry
from shared.errors import Invalid
from tests.ingest.senders import PRODUCT_KEY, SITE


@pytest.mark.parametrize(
    ("entry", "origin", "allowed"),
    [
        ("https://www.example.com", "https://www.example.com", True),
        ("https://www.example.com/", "https://www.example.com", True),
        ("https://www.example.com", "HTTPS://WWW.EXAMPLE.COM", True),
        ("https://www.example.com", "http://www.example.com", False),
        ("https://www.example.com", "https://wwwxexample.com", False),
        ("https://www.example.com", "https://www.example.com.evil.example", False),
        ("https://www.example.com", "https://www.example.com:8443", False),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "https://evil.example/.example.com", False),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost:evil", False),
        ("null", "null", True),
        ("https://a.example", "null", False),
        ("*", "https://anything.example", True),
    ],
)
def test_origins_match_whole_and_exactly(entry: str, origin: str, *, allowed: bool) -> None:
    """A wildcard stands for subdomains or a port, and nothing else slips through."""
    assert Origins.of([entry]).allow(origin) is allowed


def test_no_origins_allow_none() -> None:
    """A source without pages takes nothing from pages."""
    assert not Origins.of([]).allow(SITE)


def test_a_form_and_a_hook_are_found_by_name(registry: Registry) -> None:
    """Each form and hook leads to the source it belongs to."""
    source, form = registry.form("contact")
    assert (source.id, form.id) == ("forms", "contact")
    assert registry.hook("sendgrid", "email")[0].id == "email"


@pytest.mark.parametrize(
    ("provider", "source"), [("sendgrid", "website"), ("sendgrid", "none"), ("x", "email")]
)
def test_what_is_not_declared_is_not_there(registry: Registry, provider: str, source: str) -> None:
    """Another provider, a source without a hook, no source: all `unknown_hook`."""
    with pytest.raises(Invalid) as refused:
        registry.hook(provider, source)
    assert refused.value.code == "unknown_hook"


def test_keys_are_not_kept(registry: Registry) -> None:
    """Nobody finds a key in the memory of the registry's own fields."""
    assert registry.by_key(PRODUCT_KEY) is registry.sources["product"]
    assert PRODUCT_KEY not in repr(vars(registry))
