"""One normal form for every spelling, and placeholders."""

import pytest

from shared.events import OWN_NAMESPACE
from shared.leads.identifiers import IdentityRules, hash_identifier, is_address

KEY = b"a key of at least sixteen bytes"
RULES = IdentityRules(key=KEY)
OLD = "9bfcf05096b1e6420fddfb51e42f5a7b"  # made by the release before namespaces


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com ", "ada@example.com"),
        ("jose\u0301@bücher.example", "josé@bücher.example"),
        ("josé@xn--bcher-kva.example", "José@BÜCHER.example"),
    ],
)
def test_one_mailbox_is_one_identifier(one: str, other: str) -> None:
    """Case, blanks, Unicode form and IDNA make no difference."""
    assert RULES.address(one) == RULES.address(other) is not None


def test_an_id_keeps_its_case() -> None:
    """User ids differ by case, and not by blanks or Unicode form."""
    assert RULES.user_id("U1") != RULES.user_id("u1")
    assert RULES.user_id(" e\u0301-1 ") == RULES.user_id("é-1")


def test_an_address_as_user_id_is_spelled_like_an_address() -> None:
    """A user id that is an address differs by no more than an address does."""
    assert RULES.user_id("Lea@Firma.example") == RULES.user_id("lea@firma.example")
    assert is_address("lea@firma.example")
    assert not is_address("lea@firma")


def test_plus_tags_and_dots_only_on_request() -> None:
    """They are other mailboxes unless the operator says otherwise."""
    assert RULES.address("ada+news@firma.example") != RULES.address("ada@firma.example")
    asked = IdentityRules(key=KEY, plus_tags=True, gmail_dots=True)
    assert asked.address("ada+news@firma.example") == asked.address("ada@firma.example")
    assert asked.address("a.d.a+x@googlemail.com") == asked.address("ada@gmail.com")
    assert asked.address("a.da@firma.example") != asked.address("ada@firma.example")


@pytest.mark.parametrize(
    "value",
    [
        *("n/a", "N/A", "-", "test", "default", "admin", "unidentified", "undefined", "00000", "xxxx", " "),
        *("null@null.com", "test@example.com", "noreply@firma.example", "n/a@n/a.com", "asdf@mail.com"),
    ],
)
def test_placeholders_identify_nobody(value: str) -> None:
    """What senders write for nobody, as an id and as an address."""
    assert RULES.user_id(value) is None
    assert RULES.address(value) is None


@pytest.mark.parametrize(
    "value",
    ["info@firma.example", "admin@firma.example", "test@firma.example", "mueller@mueller.example", "7"],
)
def test_people_are_no_placeholders(value: str) -> None:
    """Mailboxes that somebody reads, and short ids."""
    assert RULES.user_id(value) is not None


def test_an_installation_adds_its_own_placeholders() -> None:
    """The operator's list counts in any spelling of case."""
    own = IdentityRules(key=KEY, placeholders=frozenset({"gast"}))
    assert own.user_id("GAST") is None
    assert RULES.user_id("GAST") is not None


def test_the_hash_depends_on_kind_key_and_namespace() -> None:
    """The same text as another kind, of another namespace, or under another key, is another identifier."""
    assert hash_identifier("email", "x", KEY) != hash_identifier("user_id", "x", KEY)
    assert hash_identifier("email", "x", KEY) != hash_identifier("email", "x", KEY[::-1])
    assert RULES.user_id("17", "crm") != RULES.user_id("17", "helpdesk")


def test_hashes_of_before_namespaces_stay_right() -> None:
    """The own namespace hashes as releases before it did."""
    found = RULES.user_id("user-1", OWN_NAMESPACE)
    assert found is not None
    assert found.value.hex() == hash_identifier("user_id", "user-1", KEY).hex()
    assert hash_identifier("user_id", "user-1", b"k" * 16).hex() == OLD
