"""Segment's items, as its SDKs and RudderStack's send them."""

from typing import Any

import msgspec
import pytest

from services.ingest.draft import Draft
from services.ingest.limits import Limits
from services.ingest.sources import segment
from shared.errors import Invalid

LIMITS = Limits(batch_items=3, event_bytes=1000, decompressed_bytes=1000, depth=4)


def draft(item: dict[str, Any], call: str | None = None, sent: Any = None) -> Draft:
    """The draft of one item of a batch."""
    return segment.draft(dict(item), call, sent)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"type": "track", "event": "Order Completed"}, "Order Completed"),
        ({"type": "page"}, "page.viewed"),
        ({"type": "screen"}, "screen.viewed"),
        ({"type": "identify"}, "person.identified"),
        ({"type": "group", "groupId": "g"}, "account.joined"),
        ({"type": "alias", "previousId": "a"}, "person.aliased"),
    ],
)
def test_every_type_has_our_name(item: dict[str, Any], name: str) -> None:
    """Track keeps its own name; the other five have one each."""
    assert draft(item).name == name


def test_parts_go_to_their_places() -> None:
    """Ids, times and properties are found; what is left over is kept as extra, the key is not."""
    found = draft(
        {
            "type": "track",
            "event": "e",
            "messageId": "m",
            "userId": "u",
            "anonymousId": None,
            "timestamp": "2026-01-01T00:00:00Z",
            "properties": {"a": 1},
            "context": {"ip": "1.2.3.4"},
            "integrations": {"All": True},
            "writeKey": "secret",
            "sentAt": "2026-01-01T00:00:01Z",
            "_metadata": {"bundled": []},
            "channel": "server",
        }
    )
    assert found == Draft(
        name="e",
        message_id="m",
        user_id="u",
        occurred="2026-01-01T00:00:00Z",
        sent="2026-01-01T00:00:01Z",
        properties={"a": 1},
        context={"ip": "1.2.3.4"},
        extra={"integrations": {"All": True}, "channel": "server"},
    )


def test_rudders_items_have_only_an_original_timestamp() -> None:
    """`originalTimestamp` is the sender's own time, also where `timestamp` is there too."""
    assert draft({"type": "page", "originalTimestamp": "o"}, sent="s").occurred == "o"
    assert draft({"type": "page", "originalTimestamp": "o", "timestamp": "t"}).occurred == "o"


def test_the_batchs_sent_at_serves_items_without_one() -> None:
    """An item's own sentAt goes before the batch's."""
    assert draft({"type": "page"}, sent="batch").sent == "batch"
    assert draft({"type": "page", "sentAt": "own"}, sent="batch").sent == "own"


def test_a_receipt_counts_with_the_items_own_sent_at_only() -> None:
    """An item's receivedAt belongs to its own sending, not to that of the batch it is passed on in."""
    item = {"type": "page", "receivedAt": "r"}
    assert draft(item, sent="batch").collected is None
    assert draft({**item, "sentAt": "own"}, sent="batch").collected == "r"
    assert draft({**item, "sentAt": "own"}).extra == {"receivedAt": "r"}


def test_identify_takes_traits_from_both_places() -> None:
    """RudderStack puts traits into the context; the item's own win."""
    found = draft(
        {
            "type": "identify",
            "traits": {"email": "a@example.com", "plan": "pro"},
            "context": {"traits": {"plan": "free", "city": "Ulm"}},
        }
    )
    assert found.traits == {"email": "a@example.com", "plan": "pro", "city": "Ulm"}
    assert found.emails == ("a@example.com",)


@pytest.mark.parametrize(
    ("item", "emails"),
    [
        ({"type": "identify", "properties": {"email": "p"}}, ("p",)),
        ({"type": "track", "event": "e", "context": {"traits": {"email": "c"}}}, ("c",)),
        ({"type": "track", "event": "Invited", "properties": {"email": "somebody.else"}}, ()),
        ({"type": "group", "groupId": "g", "traits": {"email": "office@account"}}, ()),
        ({"type": "group", "groupId": "g", "context": {"traits": {"email": "c"}}}, ("c",)),
    ],
)
def test_only_this_persons_address_identifies(item: dict[str, Any], emails: tuple[str, ...]) -> None:
    """An invited colleague's or an account's address is somebody else's."""
    assert draft(item).emails == emails


def test_group_traits_are_the_accounts() -> None:
    """The company's name is not the person's."""
    found = draft({"type": "group", "groupId": "g", "traits": {"name": "ACME"}, "properties": {"x": 1}})
    assert (found.account_id, found.properties, found.traits) == ("g", {"name": "ACME", "x": 1}, None)


def test_page_name_and_category_are_properties() -> None:
    """Segment puts them beside the properties."""
    found = draft({"type": "page", "name": "Pricing", "category": "Docs", "properties": {"url": "u"}})
    assert found.properties == {"url": "u", "name": "Pricing", "category": "Docs"}
    assert found.extra == {}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({}, "unknown_type"),
        ({"type": "charge"}, "unknown_type"),
        ({"type": "t"}, "unknown_type"),
        ({"type": ["track"]}, "unknown_type"),
        ({"type": "group"}, "no_group"),
        ({"type": "group", "groupId": ""}, "no_group"),
        ({"type": "alias", "userId": "u"}, "no_previous_id"),
    ],
)
def test_what_says_nothing_is_refused(item: dict[str, Any], code: str) -> None:
    """A type that is none, a group without a group, an alias of nobody."""
    with pytest.raises(Invalid) as refused:
        draft(item)
    assert refused.value.code == code


def test_the_path_decides_over_the_item() -> None:
    """A single call is of the type that its path says."""
    assert draft({"type": "track", "event": "x"}, call="page").name == "page.viewed"


@pytest.mark.parametrize(
    ("context", "consent"),
    [
        ({"consent": {"categoryPreferences": {"Advertising": True, "x": "?"}}}, {"Advertising": True}),
        ({"consent": {"marketing": False}}, {"marketing": False}),
        ({"consent": {}}, None),
        ({"consent": "yes"}, None),
        ({"consent": {"categoryPreferences": 1}}, None),
        ("nonsense", None),
    ],
)
def test_consent_is_purpose_by_purpose(context: Any, consent: dict[str, bool] | None) -> None:
    """Segment's consent object or bare purposes; anything else says nothing."""
    assert segment.consent(context) == consent


@pytest.mark.parametrize("odd", [None, 7, "text", [], [{}], True, {"traits": 7}])
def test_odd_shapes_wait_for_validation(odd: Any) -> None:
    """Drafting never crashes: validate.py says what is wrong."""
    for type_ in segment.TYPES:
        parts = {"traits": odd, "properties": odd, "context": odd, "event": odd}
        assert isinstance(draft({"type": type_, "groupId": 1, "previousId": 1, **parts}), Draft)


def test_a_batch_is_opened_without_looking_into_its_items() -> None:
    """Items stay raw bytes, so that a broken one is only itself broken."""
    items = segment.open_batch(b'{"batch":[{"a":1}, 7],"writeKey":"k","sentAt":"s"}', LIMITS)
    assert (items.raw, items.key, items.sent) == ([b'{"a":1}', b"7"], "k", "s")


def test_a_bare_list_is_a_batch() -> None:
    """Some senders leave the envelope out."""
    assert segment.open_batch(b' [{"a":1}]', LIMITS).raw == [b'{"a":1}']


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "invalid_batch"),
        (b'{"batch":null}', "invalid_batch"),
        (b'{"batch":7}', "invalid_json"),
        (b'"batch"', "invalid_json"),
        (b'{"batch":[1,2,3,4]}', "too_many_events"),
        (b'{"batch":[1],"context":{"a":{"b":{"c":{"d":1}}}}}', "too_deep"),
        (msgspec.json.encode({"batch": [1], "context": {"a": "x" * 1000}}), "too_large"),
        (b'{"batch":[' + b"[" * 5000 + b"]}", "invalid_json"),
    ],
)
def test_what_is_no_batch_is_refused(body: bytes, code: str) -> None:
    """Each way of being no batch has its code."""
    with pytest.raises(Invalid) as refused:
        segment.open_batch(body, LIMITS)
    assert refused.value.code == code


def test_a_context_for_very_many_items_is_a_bomb() -> None:
    """What every item inherits is counted for every item."""
    limits = Limits(decompressed_bytes=1000, event_bytes=1000)
    body = msgspec.json.encode({"batch": [1] * 20, "context": {"a": "x" * 300}})
    with pytest.raises(Invalid) as refused:
        segment.open_batch(body, limits)
    assert refused.value.code == "too_large"


def test_items_inherit_the_batchs_context() -> None:
    """Their own fields win, key by key; what is no object is left for validation."""
    inherited = {"context": {"ip": "1.2.3.4", "os": "x"}, "integrations": {"All": True}}
    item = segment.with_defaults({"context": {"os": "own"}, "integrations": "?"}, inherited)
    assert item == {"context": {"ip": "1.2.3.4", "os": "own"}, "integrations": "?"}
