"""What senders send, as JSON Schemas with the limits of the code (pure).

In: limits, providers. Out: name → schema, and examples that are sent to the real app by its tests.
Refuses to be the validator: what fits here is accepted, and much that does not fit is accepted too. Senders
write ids as numbers, leave times out, and add fields that we keep as they came.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.ingest import moment, validate
from services.ingest.context import CAMPAIGN_FIELDS, PAGE_FIELDS
from services.ingest.limits import Limits
from services.ingest.sources import segment
from services.ingest.sources.provider import Providers

Schema = dict[str, Any]

_GIVEN: Final[Schema] = {"type": ["string", "integer"], "pattern": r"\S", "maxLength": validate.MAX_ID_CHARS}
_TEXT: Final[Schema] = {"type": "string"}
_MILLISECONDS_FROM: Final = int(moment.SECONDS_BELOW)
_LAST_MS: Final = 253_370_764_800_000


def schemas(limits: Limits, known: Providers) -> dict[str, Schema]:
    """Every schema of a body, by name."""
    return {
        "Id": _id("Who. A number counts as its digits.", validate.MAX_ID_CHARS),
        "MessageId": _id(
            "The sender's own id of this message: sent again, it counts once.", validate.MAX_MESSAGE_ID_CHARS
        ),
        "Time": _time(),
        "Object": {"type": ["object", "null"]},
        "Context": _context(),
        "Somebody": _somebody(about_person=True),
        "Member": _somebody(about_person=False),
        **{type_.capitalize(): _call(type_) for type_ in segment.TYPES},
        "Item": {"anyOf": [_item(type_) for type_ in segment.TYPES]},
        "Batch": _batch(limits),
        "Form": _form(),
        "Webhook": {
            "description": f"As the provider sends it. Providers: {', '.join(known)}.",
            "type": ["array", "object"],
        },
    }


def examples(known: Providers) -> dict[str, dict[str, Any]]:
    """What is sent → name → an example of it."""
    calls = {type_: {"common": _EXAMPLES[type_]} for type_ in segment.TYPES}
    batch = [{"type": type_, **_EXAMPLES[type_]} for type_ in segment.TYPES]
    sent_at = "2026-01-31T09:00:05Z"
    return {
        **calls,
        "batch": {"each": {"batch": batch, "sentAt": sent_at}, "list": batch[:1]},
        "form": {"demo": _FORM_EXAMPLE},
        "webhook": {provider.name: list(provider.example) for provider in known.values() if provider.example},
    }


_WHO: Final = {"userId": "user-1", "anonymousId": "b1f7c1e0-visitor"}
_WHEN: Final = {"timestamp": "2026-01-31T09:00:00Z"}
_EXAMPLES: Final[Mapping[str, dict[str, Any]]] = {
    "track": {
        **_WHO,
        **_WHEN,
        "messageId": "m-1",
        "event": "Trial Started",
        "properties": {"plan": "team", "seats": 12},
        "context": {"consent": {"categoryPreferences": {"marketing": True}}},
    },
    "identify": {
        **_WHO,
        "messageId": "m-2",
        "traits": {"email": "ada@engines.example", "company": "Engines Ltd", "employees": 250},
    },
    "page": {
        "anonymousId": "b1f7c1e0-visitor",
        "messageId": "m-3",
        "name": "Pricing",
        "properties": {"url": "https://www.example.com/pricing", "path": "/pricing"},
        "context": {"campaign": {"source": "ads", "medium": "cpc", "name": "spring"}},
    },
    "screen": {**_WHO, "messageId": "m-4", "name": "Settings"},
    "group": {**_WHO, "messageId": "m-5", "groupId": "engines", "traits": {"name": "Engines Ltd"}},
    "alias": {"messageId": "m-6", "previousId": "b1f7c1e0-visitor", "userId": "user-1"},
}
_FORM_EXAMPLE: Final = {
    "email": "ada@engines.example",
    "company": "Engines Ltd",
    "message": "Please call me",
    "anonymous_id": "b1f7c1e0-visitor",
    "utm_source": "ads",
    "consent_marketing": "yes",
    "_id": "submit-1",
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _id(says: str, most: int) -> Schema:
    return {"description": says, "type": ["string", "integer", "null"], "maxLength": most}


def _time() -> Schema:
    """When it happened, by the sender's clock."""
    first = int(moment.EARLIEST.timestamp())
    return {
        "description": "By the sender's clock: text with a zone, or seconds or milliseconds since 1970. With "
        "`sentAt` beside it, the clock is corrected. Without it: when it arrives.",
        "anyOf": [
            {"type": "string", "format": "date-time", "pattern": f"^[{moment.EARLIEST.year // 1000}-9]"},
            {"type": "integer", "minimum": first, "exclusiveMaximum": _MILLISECONDS_FROM},
            {"type": "integer", "minimum": first * 1000, "maximum": _LAST_MS},
            {"type": "null"},
        ],
    }


def _context() -> Schema:
    """What surrounds an event; other fields are kept as they came."""
    texts = {"type": "object", "additionalProperties": True}
    return {
        "type": ["object", "null"],
        "properties": {
            "page": {**texts, "properties": dict.fromkeys(PAGE_FIELDS, _TEXT)},
            "campaign": {**texts, "properties": dict.fromkeys(CAMPAIGN_FIELDS, _TEXT)},
            "referrer": {"anyOf": [_TEXT, {**texts, "properties": {"url": _TEXT}}]},
            "ip": {
                **_TEXT,
                "description": "Of the person; read from secret sources only, kept as /24 or /48.",
            },
            "userAgent": {**_TEXT, "description": "Of the person's browser."},
            "traits": {"type": "object", "description": "About the person, as under `traits`."},
            "consent": {
                "description": "Purpose → given; as they are, or under `categoryPreferences`.",
                "type": "object",
                "properties": {
                    "categoryPreferences": {"type": "object", "additionalProperties": {"type": "boolean"}}
                },
            },
        },
    }


def _somebody(*, about_person: bool) -> Schema:
    """What names a person: one of these is needed.

    about_person: whether `traits` are the person's; those of a group call are the account's
    """
    address = {"required": ["email"], "properties": {"email": {"type": "string", "format": "email"}}}
    traits = {"required": ["traits"], "properties": {"traits": {"type": "object", **address}}}
    return {
        "description": "A user id, an anonymous id or an e-mail address: one of them is needed.",
        "type": "object",
        "anyOf": [
            {"required": ["userId"], "properties": {"userId": _GIVEN}},
            {"required": ["anonymousId"], "properties": {"anonymousId": _GIVEN}},
            *([traits] if about_person else []),
            {"required": ["context"], "properties": {"context": {"type": "object", **traits}}},
        ],
    }


def _call(type_: str) -> Schema:
    """A single call."""
    needed = _NEEDED.get(type_, {})
    traits = (
        "Of the account, not of the person." if type_ == "group" else "About the person: email, company, …"
    )
    fields: Schema = {
        **{name: _ref("Id") for name in ("userId", "anonymousId")},
        "messageId": _ref("MessageId"),
        **dict.fromkeys(("timestamp", "originalTimestamp"), _ref("Time")),
        "sentAt": {"description": "When it was sent, by the same clock.", "anyOf": [_ref("Time")]},
        "traits": {**_ref("Object"), "description": traits},
        "properties": {**_ref("Object"), "description": "About this act."},
        "context": _ref("Context"),
        "writeKey": {**_TEXT, "description": "The key, where headers and address have none."},
        **needed,
    }
    if type_ in segment.NAMED_IN_PROPERTIES:
        fields |= {"name": _TEXT, "category": _TEXT}
    return {
        "description": f"Becomes {segment.NAMES.get(type_, 'an event of its own name')}.",
        "allOf": [_ref("Member" if type_ == "group" else "Somebody")],
        "properties": fields,
        "required": list(needed),
    }


_NEEDED: Final[Mapping[str, Schema]] = {
    "track": {
        "event": {
            "description": "What was done.",
            "type": "string",
            "pattern": r"\S",
            "maxLength": validate.MAX_NAME_CHARS,
            "not": {"enum": sorted(validate.OBJECTIONS)},
        }
    },
    "group": {"groupId": {**_GIVEN, "description": "The account that the person belongs to."}},
    "alias": {"previousId": {**_GIVEN, "description": "The id that the person had until now."}},
}


def _item(type_: str) -> Schema:
    """The same in a batch, where it says its type."""
    return {
        "allOf": [_ref(type_.capitalize())],
        "properties": {"type": {"const": type_}},
        "required": ["type"],
    }


def _batch(limits: Limits) -> Schema:
    items = {"type": "array", "maxItems": limits.batch_items, "items": _ref("Item")}
    return {
        "anyOf": [
            {
                "type": "object",
                "required": ["batch"],
                "properties": {
                    "batch": items,
                    "sentAt": {"description": "Of all its items.", "anyOf": [_ref("Time")]},
                    "context": {**_ref("Context"), "description": "What every item inherits."},
                    "writeKey": {**_TEXT, "description": "The key, where headers and address have none."},
                },
            },
            items,
        ]
    }


def _form() -> Schema:
    """The fields of a form: urlencoded, multipart or JSON, whatever the content type says."""
    given = {"type": "string", "pattern": r"\S", "maxLength": validate.MAX_ID_CHARS}
    names = ("email", "anonymous_id", "user_id")
    return {
        "description": "Fields of the form; those that nobody knows are properties of the event.",
        "type": "object",
        "properties": {
            "email": {"type": "string", "format": "email"},
            "anonymous_id": {**given, "description": "As the snippet fills it in."},
            "user_id": given,
            **dict.fromkeys(("page_url", "page_title", "referrer"), _TEXT),
            "_id": {
                "type": "string",
                "maxLength": validate.MAX_MESSAGE_ID_CHARS,
                "description": "The same id again counts once. Without it: the same fields on the same day.",
            },
            "_redirect": {**_TEXT, "description": "Where the browser goes next, if sources.yaml allows it."},
        },
        "patternProperties": {
            "^utm_": _TEXT,
            "^consent_": {"type": "string", "description": "on, yes, true and 1 mean given."},
        },
        "anyOf": [{"required": [name]} for name in names],
    }
