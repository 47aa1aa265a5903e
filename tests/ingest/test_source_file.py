"""sources.yaml: read whole, or refused with every mistake and its line."""

import hashlib
from pathlib import Path

import pytest

from services.ingest import source_file
from services.ingest.registry import Registry
from shared.errors import Misconfigured
from tests.ingest.senders import ENVIRONMENT, PRODUCT_KEY, SENDGRID_PUBLIC_KEY, SOURCES

ROOT = Path(__file__).parents[2]


def read(text: str) -> Registry:
    """Read a file with the tests' environment."""
    return source_file.read(text, file="sources.yaml", environment=ENVIRONMENT)


def problems(text: str) -> list[str]:
    """All that is wrong with a file."""
    with pytest.raises(Misconfigured) as refused:
        read(text)
    return list(refused.value.problems)


def test_the_reference_file_is_right() -> None:
    """deploy/config/sources.yaml works as soon as the variables that it names are set."""
    text = (ROOT / "deploy/config/sources.yaml").read_text()
    environment = {
        "LEADSCORE_KEY_WEBSITE": "w" * 20,
        "LEADSCORE_KEY_PRODUCT": "p" * 20,
        "LEADSCORE_KEY_CRM": "c" * 20,
        "SENDGRID_PUBLIC_KEY": SENDGRID_PUBLIC_KEY,
    }
    registry = source_file.read(text, file="sources.yaml", environment=environment)
    assert set(registry.sources) == {"website", "product", "crm", "forms", "email"}
    assert registry.hook("sendgrid", "email")[1].max_age_s == 25 * 3600


def test_secrets_come_from_the_environment() -> None:
    """A `${NAME}` is replaced by the variable."""
    source = read(SOURCES).by_key(PRODUCT_KEY)
    assert source is not None
    assert source.id == "product"


def test_hashed_keys_work() -> None:
    """A key may stand in the file as its SHA-256."""
    digest = hashlib.sha256(b"some long enough key").hexdigest()
    text = f"""
version: 1
sources:
  - id: server
    access: secret
    kind: product
    keys: ["sha256:{digest}"]
"""
    source = read(text).by_key("some long enough key")
    assert source is not None
    assert source.id == "server"


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    """One start shows the whole list: schema, environment, keys."""
    text = """
version: 1
sources:
  - id: Server
    access: hidden
    kind: product
    keys:
      - ${NOT_SET}
  - id: server
    acess: secret
    kind: product
"""
    found = problems(text)
    assert [problem.split(" ")[0] for problem in found] == [
        "sources.yaml:4:",
        "sources.yaml:5:",
        "sources.yaml:9:",
        "sources.yaml:10:",
        "sources.yaml:8:",
    ]
    assert "${NOT_SET} is not set" in found[-1]
    assert 'Did you mean "access"?' in found[3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("${KEY_PRODUCT}", "a-literal-secret-key"), ":15: a secret key is written into the file"),
        (("${KEY_PRODUCT}", "${KEY_WEBSITE}"), ':15: this key already belongs to source "website"'),
        (("id: product", "id: website"), 'source "website" is here 2 times'),
        (("id: contact", "id: demo-request"), 'form "demo-request" is here 2 times'),
        (("${SENDGRID}", "bm90IGEga2V5"), "not a P-256 public key"),
        (("${SENDGRID}", "???"), "not a P-256 public key"),
        (
            ("    origins:\n      - https://www.shop.example\n  - id: product", "  - id: product"),
            "without origins",
        ),
        (("thanks: https://www.shop.example/thanks", "thanks: javascript:alert(1)"), "thanks"),
    ],
)
def test_mistakes_that_a_schema_cannot_see(change: tuple[str, str], said: str) -> None:
    """Literal secrets, keys and ids used twice, keys that are none, pages missing."""
    found = problems(SOURCES.replace(*change))
    assert any(said in problem for problem in found), found


def test_a_source_may_name_its_namespace() -> None:
    """Two products have user ids of their own; without a word the kind of the source decides."""
    registry = read(SOURCES.replace("id: website\n", "id: website\n    namespace: shop\n"))
    namespaces = {source.id: source.namespace for source in registry.sources.values()}
    assert namespaces == {
        "website": "shop",
        "product": "product",
        "limited": "product",
        "forms": "product",
        "email": "email",
    }


def test_a_namespace_is_written_like_an_id() -> None:
    """It goes into identities for good: no spaces, no capitals."""
    (problem,) = problems(SOURCES.replace("id: website\n", "id: website\n    namespace: The Shop\n"))
    assert problem.startswith('sources.yaml:5: sources "website", namespace:')


@pytest.mark.parametrize("kind", ["crm", "email"])
def test_no_foreign_ids_are_taken_for_the_products(kind: str) -> None:
    """A CRM called `product` has to say whose ids it sends, since by default it would share the product's."""
    section = f"version: 1\nsources:\n  - id: product\n    access: secret\n    kind: {kind}\n"
    (problem,) = problems(section)
    assert problem.startswith("sources.yaml:3: ")
    assert f"Write `namespace: {kind}`" in problem
    for namespace in (kind, "product"):
        registry = read(f"{section}    namespace: {namespace}\n")
        assert registry.sources["product"].namespace == namespace


def test_a_form_may_say_that_servers_send_it() -> None:
    """Off unless written: a form of a website is sent by browsers."""
    registry = read(SOURCES.replace("- id: contact", "- id: contact\n        server: true"))
    assert registry.form("contact")[1].server
    assert not registry.form("demo-request")[1].server


def test_short_keys_are_refused_and_never_shown() -> None:
    """A key that can be guessed is a mistake; the message does not repeat it."""
    with pytest.raises(Misconfigured) as refused:
        source_file.read(SOURCES, file="s", environment={**ENVIRONMENT, "KEY_PRODUCT": "hunter2"})
    assert "a key of 7 characters" in str(refused.value)
    assert "hunter2" not in str(refused.value)
