"""Segment's tracking API, as its SDKs and RudderStack's send it → drafts.

In: a body of `/v1/batch` or of a single call such as `/v1/track`. Out: raw items, then a `Draft` of each.
Refuses bodies without items, too many of them, and types that are none of Segment's six.

| call     | our name                 | what is special |
|----------|--------------------------|-----------------|
| track    | its own `event`          | an address in its properties may be somebody else's |
| page     | page.viewed              | `name` and `category` become properties |
| screen   | screen.viewed            | the same |
| identify | person.identified        | traits may be in two places; the item's own win |
| group    | account.joined           | its traits are the account's, so they become properties |
| alias    | person.aliased           | `previousId` and `userId` are one person |
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest import decode
from services.ingest.draft import Draft
from services.ingest.limits import Limits
from shared.errors import Invalid
from shared.events import PAGE_VIEWED, PERSON_IDENTIFIED

SCREEN_VIEWED: Final = "screen.viewed"
ACCOUNT_JOINED: Final = "account.joined"
PERSON_ALIASED: Final = "person.aliased"

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")

NAMES: Final[Mapping[str, str]] = {
    "identify": PERSON_IDENTIFIED,
    "page": PAGE_VIEWED,
    "screen": SCREEN_VIEWED,
    "group": ACCOUNT_JOINED,
    "alias": PERSON_ALIASED,
}
_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "alias": ("previousId", "no_previous_id"),
    "group": ("groupId", "no_group"),
}
NAMED_IN_PROPERTIES: Final = frozenset({"page", "screen"})
# Addressed to the transport: the key must not travel on, the rest is read elsewhere.
_TRANSPORT: Final = ("writeKey", "api_key", "sentAt", "_metadata")
# What a batch may hand down to its items in total, as a multiple of the largest body.
_MAX_INHERITED: Final = 4


class _Batch(msgspec.Struct):
    """The body of a batch; items stay raw, so that one bad item is one bad item."""

    batch: list[msgspec.Raw] | None = None
    writeKey: Any = None  # noqa: N815 - Segment's name
    sentAt: Any = None  # noqa: N815 - Segment's name
    context: Any = None
    integrations: Any = None


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """What a body holds.

    raw:       each item as bytes
    key:       the write key in the body, if any
    sent:      when the batch was sent, by the sender's clock
    defaults:  the batch's context and integrations, which each item inherits
    """

    raw: list[bytes]
    limits: Limits
    key: Any = None
    sent: Any = None
    defaults: dict[str, Any] = {}

    def draft(self, raw: bytes) -> Draft:
        """One of the items, with what it inherits. Raises Invalid."""
        item = decode.event_object(raw, self.limits)
        return draft(with_defaults(item, self.defaults), None, self.sent)


_batch_decoder = msgspec.json.Decoder(_Batch)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def open_batch(body: bytes, limits: Limits) -> Items:
    """The items of a batch: `{"batch": [...]}`, or a bare list.

    Raises Invalid `invalid_json`, `invalid_batch`, `too_many_events`, `too_large`, `too_deep`.
    """
    if decode.first_byte(body) == b"[":
        batch = _Batch(batch=decode.shaped(body, _list_decoder))
    else:
        batch = decode.shaped(body, _batch_decoder)
    if batch.batch is None:
        raise Invalid("invalid_batch", 'the body has no "batch". Send {"batch": [...]}', field="batch")
    if len(batch.batch) > limits.batch_items:
        raise Invalid("too_many_events", f"{len(batch.batch)} events at once. At most {limits.batch_items}")
    return Items(
        raw=[bytes(raw) for raw in batch.batch],
        limits=limits,
        key=batch.writeKey,
        sent=batch.sentAt,
        defaults=_defaults(batch, len(batch.batch), limits),
    )


def read_key(item: Mapping[str, Any]) -> Any:
    """The write key in a single call's body."""
    return item.get("writeKey") or item.get("api_key")


def with_defaults(item: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The item with its batch's context and integrations beneath its own."""
    for key, inherited in defaults.items():
        item[key] = _merged(inherited, item.get(key))
    return item


def draft(item: dict[str, Any], call: str | None, sent: Any) -> Draft:
    """One item, its parts found. Takes the item apart: what is left of it is what nobody knows.

        item:  the decoded item, with the batch's defaults merged in
        call:  the type by the path; None in a batch, where the item says it
        sent:  the batch's sentAt

    Raises Invalid `unknown_type`, `no_group`, `no_previous_id`.
    """
    pop = item.pop
    own_type = pop("type", None)
    type_ = _type(call or own_type)
    _check_needs(item, type_)
    own_sent, collected = item.get("sentAt"), item.get("receivedAt")
    for key in _TRANSPORT:
        pop(key, None)
    context = pop("context", None)
    traits, properties = _person_and_act(item, type_, context)
    original, written = pop("originalTimestamp", None), pop("timestamp", None)
    return Draft(
        name=NAMES.get(type_) or pop("event", None),
        message_id=pop("messageId", None),
        occurred=original or written,
        sent=own_sent or sent,
        # Of the same sending only if the item says both: a batch's sentAt is that of the last leg.
        collected=collected if own_sent else None,
        user_id=pop("userId", None),
        anonymous_id=pop("anonymousId", None),
        previous_id=pop("previousId", None),
        account_id=pop("groupId", None),
        emails=_addresses(type_, traits, properties),
        traits=traits,
        properties=properties,
        context=context,
        consent=consent(context),
        extra=item,
    )


def consent(context: Any) -> dict[str, bool] | None:
    """What the person allowed, purpose → given: Segment's `consent.categoryPreferences`, or bare purposes."""
    given = context.get("consent") if isinstance(context, dict) else None
    if not isinstance(given, dict):
        return None
    purposes = given.get("categoryPreferences", given)
    if not isinstance(purposes, dict):
        return None
    return {purpose: granted for purpose, granted in purposes.items() if isinstance(granted, bool)} or None


def _type(said: Any) -> str:
    if isinstance(said, str) and said in TYPES:
        return said
    raise Invalid("unknown_type", f"the item's type is none of ours. Types: {', '.join(TYPES)}", field="type")


def _check_needs(item: Mapping[str, Any], type_: str) -> None:
    """Alias without the other id, or group without a group, says nothing."""
    needs = _NEEDS.get(type_)
    if needs and item.get(needs[0]) in (None, ""):
        field, code = needs
        raise Invalid(code, f"this {type_} call has no {field}. Send it", field=field)


def _person_and_act(item: dict[str, Any], type_: str, context: Any) -> tuple[Any, Any]:
    """What the call says about the person (traits), and about this act (properties)."""
    elsewhere = context.get("traits") if isinstance(context, dict) else None
    traits, properties = item.pop("traits", None), item.pop("properties", None)
    if type_ == "group":
        # The traits of a group call are the account's: its name is not the person's.
        return elsewhere, _merged(traits, properties)
    if type_ in NAMED_IN_PROPERTIES:
        named = {key: value for key in ("name", "category") if (value := item.pop(key, None)) is not None}
        properties = _merged(properties, named or None)
    return _merged(elsewhere, traits), properties


def _merged(under: Any, over: Any) -> Any:
    """Two objects as one; if one is none, the upper one, so that validate.py can say what is wrong."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **over}
    return under if over is None else over


def _addresses(type_: str, traits: Any, properties: Any) -> tuple[Any, ...]:
    """Where an address of this very person may be."""
    places = (traits, properties) if type_ == "identify" else (traits,)
    return tuple(place["email"] for place in places if isinstance(place, dict) and "email" in place)


def _defaults(batch: _Batch, items: int, limits: Limits) -> dict[str, Any]:
    """What every item inherits; a large context times many items would be a bomb."""
    defaults = {
        key: value
        for key, value in (("context", batch.context), ("integrations", batch.integrations))
        if isinstance(value, dict) and value
    }
    if not defaults:
        return defaults
    if decode.deeper_than(defaults, limits.depth):
        raise Invalid("too_deep", f"the batch's context has more than {limits.depth} levels", field="context")
    each_bytes = len(msgspec.json.encode(defaults))
    if each_bytes > limits.event_bytes or each_bytes * items > _MAX_INHERITED * limits.decompressed_bytes:
        raise Invalid(
            "too_large", f"a context of {each_bytes} bytes for every event. Send it smaller", field="context"
        )
    return {key: decode.without_nul(value) for key, value in defaults.items()}
