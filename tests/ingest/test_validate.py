"""What may become an event."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.ingest.draft import Arrival, Draft
from services.ingest.registry import Registry
from services.ingest.validate import address, validate
from shared.errors import Invalid
from shared.events import Event, Machine
from shared.ids import event_id
from shared.testing import SequentialIds

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(registry: Registry, source: str = "product", **parts: Any) -> Event:
    """The event that a draft with these parts becomes."""
    draft = Draft(**{"name": "signed.up", "user_id": "u1", **parts})
    arrival = Arrival(source=registry.sources[source], received_at=NOW, ip="203.0.113.7", user_agent="curl/8")
    return validate(draft, arrival, SequentialIds())


def test_a_good_draft_is_an_event(registry: Registry) -> None:
    """Source, kind and times come from how it arrived, the rest from the draft."""
    made = event(
        registry, traits={"company": "ACME"}, properties={"plan": "pro"}, extra={"channel": "server"}
    )
    assert made == Event(
        event_id=made.event_id,
        source="product",
        kind="product",
        name="signed.up",
        occurred_at=NOW,
        received_at=NOW,
        user_id="u1",
        namespace="product",
        traits={"company": "ACME"},
        properties={"plan": "pro"},
        extra={"channel": "server"},
    )


def test_the_draft_may_know_its_kind_better(registry: Registry) -> None:
    """A form on a website is a form."""
    assert event(registry, "website", kind="form").kind == "form"


def test_the_same_message_is_the_same_event(registry: Registry) -> None:
    """The sender's message id, and nothing else, names an event."""
    assert event(registry, message_id="m1").event_id == event_id("product", "m1")
    assert event(registry, message_id=17).event_id == event_id("product", "17")


def test_without_a_message_id_the_fingerprint_names_it(registry: Registry) -> None:
    """A sender without ids still sends the same event twice, not two."""
    assert event(registry, fingerprint="form:abc").event_id == event_id("product", "form:abc")


@pytest.mark.parametrize("message_id", [None, "", "  "])
def test_without_both_it_is_new(registry: Registry, message_id: Any) -> None:
    """An SDK call without an id gets a fresh one."""
    assert event(registry, message_id=message_id).event_id == UUID(int=1)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("u1", "u1"), (" u1 ", "u1"), (42, "42"), (4.5, "4.5"), ("42", "42"), (2**70, str(2**70)), ("ü", "ü")],
)
def test_ids_are_text(registry: Registry, sent: Any, kept: str) -> None:
    """Numbers become text, spaces around an id are dropped."""
    assert event(registry, user_id=sent).user_id == kept


@pytest.mark.parametrize("value", [True, {"id": 1}, ["u1"], "x" * 256])
@pytest.mark.parametrize("part", ["user_id", "anonymous_id", "previous_id", "account_id", "message_id"])
def test_what_names_nothing_is_no_id(registry: Registry, part: str, value: Any) -> None:
    """Booleans, objects, lists and novels are refused wherever an id belongs."""
    with pytest.raises(Invalid) as refused:
        event(registry, **{part: value})
    assert refused.value.code == "invalid_id"
    assert refused.value.field


def test_message_ids_have_segments_limit(registry: Registry) -> None:
    """100 characters are a message id, 101 are not."""
    event(registry, message_id="m" * 100)
    with pytest.raises(Invalid, match="101 characters"):
        event(registry, message_id="m" * 101)


@pytest.mark.parametrize(
    "nobody",
    [{}, {"user_id": None, "anonymous_id": ""}, {"emails": ("not an address",)}, {"emails": (None, 7, {})}],
)
def test_somebody_must_be_identified(registry: Registry, nobody: dict[str, Any]) -> None:
    """Without user id, anonymous id or e-mail address there is no lead to count for."""
    with pytest.raises(Invalid) as refused:
        event(registry, **{"user_id": None, **nobody})
    assert refused.value.code == "no_identity"


def test_an_address_identifies(registry: Registry) -> None:
    """The first valid address is the person's, its domain in lower case."""
    made = event(registry, user_id=None, emails=("nonsense", "Ann@EXAMPLE.com", "other@example.com"))
    assert made.email == "Ann@example.com"


def test_a_user_id_that_is_an_address_is_one_too(registry: Registry) -> None:
    """Whoever uses addresses as user ids has told the address; the id stays as it was sent."""
    made = event(registry, user_id="Ann@EXAMPLE.com")
    assert (made.user_id, made.email) == ("Ann@EXAMPLE.com", "Ann@example.com")


def test_an_address_beside_the_user_id_goes_first(registry: Registry) -> None:
    """A trait says the address on purpose, an id only looks like one."""
    assert event(registry, user_id="old@example.com", emails=("new@example.com",)).email == "new@example.com"


@pytest.mark.parametrize("part", ["previous_id", "anonymous_id", "account_id"])
def test_no_other_id_is_an_address(registry: Registry, part: str) -> None:
    """Who somebody was before, which browser it is and where they work are not where to write to."""
    assert event(registry, **{part: "ann@example.com"}).email is None


@pytest.mark.parametrize(
    ("source", "namespace"),
    [("website", "product"), ("product", "product"), ("forms", "product"), ("email", "email")],
)
def test_a_user_id_says_whose_it_is(registry: Registry, source: str, namespace: str) -> None:
    """The company's own sources share one namespace; a provider's ids are its own."""
    assert event(registry, source).namespace == namespace


def test_the_source_decides_whose_ids_they_are(registry: Registry) -> None:
    """An event of another kind than its source's still has ids of the source's namespace."""
    assert event(registry, "email", kind="web").namespace == "email"
    assert event(registry, "website", kind="crm").namespace == "product"


def test_without_a_user_id_there_is_no_namespace(registry: Registry) -> None:
    """An address or a browser's id is nobody's but the person's."""
    assert event(registry, user_id=None, anonymous_id="a1").namespace is None
    assert event(registry, user_id="  ", emails=("ann@example.com",)).namespace is None


def test_an_invalid_address_stays_a_trait(registry: Registry) -> None:
    """A typo in an e-mail address loses the identity, not the event."""
    made = event(registry, emails=("ann@",), traits={"email": "ann@"})
    assert (made.email, made.traits) == (None, {"email": "ann@"})


@pytest.mark.parametrize(
    "text",
    ["a@localhost", "a b@example.com", "@", "a@b@example.com", "a@example.com\0", "x" * 300 + "@example.com"],
)
def test_what_is_no_address(text: str) -> None:
    """Checked by syntax alone; nobody is asked over the network."""
    assert address(text) is None


@pytest.mark.parametrize("name", [None, "", "   ", 7, {"a": 1}, "x" * 201])
def test_events_have_names(registry: Registry, name: Any) -> None:
    """A name is some text, of at most 200 characters."""
    with pytest.raises(Invalid) as refused:
        event(registry, name=name)
    assert refused.value.code == "no_name"


@pytest.mark.parametrize("part", ["traits", "properties", "context"])
@pytest.mark.parametrize("value", ["text", 7, [], True])
def test_objects_are_objects(registry: Registry, part: str, value: Any) -> None:
    """What should be an object and is not is refused by name; null is an empty one."""
    with pytest.raises(Invalid) as refused:
        event(registry, **{part: value})
    assert (refused.value.code, refused.value.field) == ("invalid_field", part)
    empty: dict[str, Any] = {part: None}
    assert getattr(event(registry, **empty), part) == {}


def test_machines_are_marked_not_dropped(registry: Registry) -> None:
    """A crawler's event is an event with a hint; what a secret source says of a client is none by itself."""
    assert event(registry, "website").machine == Machine(reason="user_agent")
    assert event(registry, "product").machine is None


def test_a_broken_clock_is_flagged(registry: Registry) -> None:
    """Readers see that the time was not corrected."""
    made = event(registry, occurred="2024-01-01T00:00:00Z", sent="2024-01-01T00:00:00Z")
    assert made.context["clock"] == "unreliable"


@pytest.mark.parametrize("name", ["person.objected", "person.objection_withdrawn"])
def test_an_objection_comes_from_a_server_or_a_form(registry: Registry, name: str) -> None:
    """A key that stands in web pages may not speak for whomever it names."""
    assert event(registry, name=name).name == name
    assert event(registry, "website", kind="form", name=name).name == name
    with pytest.raises(Invalid, match="a source with a secret key, or from a form") as refused:
        event(registry, "website", name=name)
    assert (refused.value.code, refused.value.field) == ("not_allowed", "event")
