"""Draft → Event, or a reason why not.

In: what an adapter understood (`Draft`), how it came (`Arrival`). Out: an `Event` that keeps its promises:
ids are text, somebody is identified, times are aware UTC and not in the future. A user id that is an e-mail
address is both, where no other address came.
Refuses (`Invalid`, with the field) what the envelope cannot hold. An address that is no e-mail address is no
refusal: the trait stays, it just identifies nobody.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from email_validator import EmailNotValidError, validate_email

from services.ingest import context as surroundings
from services.ingest import machine, moment
from services.ingest.draft import Arrival, Draft
from shared import ids as named
from shared.errors import Invalid
from shared.events import PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN, Event
from shared.ids import EventId, Ids

MAX_ID_CHARS: Final = 255
MAX_NAME_CHARS: Final = 200
MAX_MESSAGE_ID_CHARS: Final = 100
MAX_EMAIL_CHARS: Final = 254
OBJECTIONS: Final = frozenset({PERSON_OBJECTED, PERSON_OBJECTION_WITHDRAWN})


def validate(draft: Draft, arrival: Arrival, ids: Ids) -> Event:
    """The event that this draft is.

        ids: where an id comes from if the sender gave none

    Raises Invalid: `no_identity`, `no_name`, `not_allowed`, `invalid_id`, `invalid_field`, `invalid_time`.
    """
    user_id = identifier(draft.user_id, "userId")
    anonymous_id = identifier(draft.anonymous_id, "anonymousId")
    email = first_address(draft.emails) or (address(user_id) if user_id else None)
    if not (user_id or anonymous_id or email):
        raise Invalid("no_identity", "nobody is identified. Send userId, anonymousId or an e-mail address")
    properties = _object(draft.properties, "properties")
    raw_context = _object(draft.context, "context")
    context = surroundings.describe(raw_context, properties, arrival)
    when = moment.occurred(draft.occurred, draft.sent, arrival.received_at, draft.collected)
    if not when.trusted:
        context["clock"] = "unreliable"
    return Event(
        event_id=_event_id(draft, arrival.source.id, ids),
        source=arrival.source.id,
        kind=draft.kind or arrival.source.kind,
        name=_allowed(_name(draft.name), draft, arrival),
        occurred_at=when.at,
        received_at=arrival.received_at,
        user_id=user_id,
        namespace=arrival.source.namespace if user_id else None,
        anonymous_id=anonymous_id,
        email=email,
        previous_id=identifier(draft.previous_id, "previousId"),
        account_id=identifier(draft.account_id, "groupId"),
        traits=_object(draft.traits, "traits"),
        properties=properties,
        context=context,
        consent=draft.consent,
        machine=machine.hint(
            draft.machine, context.get("user_agent", ""), raw_context, by_server=arrival.by_server
        ),
        extra=draft.extra,
    )


def identifier(value: Any, field: str, max_chars: int = MAX_ID_CHARS) -> str | None:
    """An id as text; None where there is none.

    Raises Invalid `invalid_id` for what cannot name anything: objects, lists, booleans, novels.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # JSON knows one kind of number: 17.0 is 17.
        text = str(int(value) if isinstance(value, float) and value.is_integer() else value)
    else:
        raise Invalid("invalid_id", f"an id is text or a number, not {type(value).__name__}", field=field)
    if len(text) > max_chars:
        raise Invalid("invalid_id", f"an id of {len(text)} characters. At most {max_chars}", field=field)
    return text or None


def first_address(candidates: Sequence[Any]) -> str | None:
    """The first of these that is an e-mail address, its domain in lower case."""
    for candidate in candidates:
        if isinstance(candidate, str) and (found := address(candidate)):
            return found
    return None


def address(text: str) -> str | None:
    """An e-mail address in its normal form, None for what is none; never asks the network."""
    text = text.strip()
    return _normal_address(text) if "@" in text and len(text) <= MAX_EMAIL_CHARS else None


@lru_cache(maxsize=4096)
def _normal_address(text: str) -> str | None:
    try:
        return str(validate_email(text, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


def _event_id(draft: Draft, source: str, ids: Ids) -> EventId:
    """The sender's id decides; else what the message says; else it is new."""
    message_id = identifier(draft.message_id, "messageId", MAX_MESSAGE_ID_CHARS) or draft.fingerprint
    return named.event_id(source, message_id) if message_id else EventId(ids.fresh())


def _name(value: Any) -> str:
    """An event's name: text, not empty, not a novel."""
    name = value.strip() if isinstance(value, str) else ""
    if not name:
        raise Invalid("no_name", f"the event's name is {_seen(value)}. Send some text", field="event")
    if len(name) > MAX_NAME_CHARS:
        raise Invalid("no_name", f"a name of {len(name)} characters. At most {MAX_NAME_CHARS}", field="event")
    return name


def _allowed(name: str, draft: Draft, arrival: Arrival) -> str:
    """The name, unless it is an objection that came with a key which stands in web pages."""
    if name in OBJECTIONS and arrival.source.access == "public" and draft.kind != "form":
        raise Invalid(
            "not_allowed",
            f"{name} comes from a source with a secret key, or from a form with an objection field. Use one",
            field="event",
        )
    return name


def _object(value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid("invalid_field", f"{field} is {_seen(value)}. Send an object", field=field)
    return value


def _seen(value: Any) -> str:
    if value is None or value == "":
        return "missing"
    return {dict: "an object", list: "a list", str: "text", bool: "a boolean"}.get(type(value), "a number")
