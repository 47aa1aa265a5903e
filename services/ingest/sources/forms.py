"""A submitted form → a draft of `form.submitted`.

In: the body of a form post: urlencoded, multipart or JSON, told apart by its first bytes. Out: fields, a
`Draft`, and where the browser goes next.
Refuses what is none of the three, and next pages that are not on the form's allow-list. Uploaded files are
left out, and so are fields that look like passwords or cards.

| field                                | becomes |
|--------------------------------------|---------|
| `email`                              | the identity, and a trait |
| those of the form's `traits` list    | traits of the person |
| `anonymous_id`, `user_id`            | ids, as the snippet fills them in |
| `utm_*`, click ids, `page_url`, `page_title`, `referrer` | context |
| `consent_<purpose>`                  | consent: on, yes, true and 1 mean given |
| the form's `objection` field         | if ticked: the event is `person.objected` |
| `_id`                                | the idempotency key, for this form alone |
| `_redirect`                          | where the browser goes next |
| the honeypot                         | if filled: marks the event as a machine's |
| all others                           | properties, beside `form` |

A form has no message id, so without `_id` the event's id is made of the form, its fields and the day (UTC): a
double click, a reload or a retry is the same event; the same words tomorrow are a new one.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
import python_multipart
from python_multipart.exceptions import FormParserError

from services.ingest import decode, machine
from services.ingest.context import CAMPAIGN_FIELDS, CLICK_IDS, utm
from services.ingest.draft import Draft
from services.ingest.limits import Limits
from services.ingest.registry import Form
from shared.errors import Invalid
from shared.events import FORM_SUBMITTED, PERSON_OBJECTED

Fields = Mapping[str, Any]
"""Name → value as text; a list where the name was repeated; anything where the form was sent as JSON."""

MAX_FIELDS: Final = 200

_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)|secret(?!ar)|card[ _-]?n(o|r|um)|cvv|cvc|iban|(?<![a-z])ssn(?![a-z])",
    re.IGNORECASE,
)
_GIVEN: Final = frozenset({"on", "yes", "true", "1"})
_ABOUT_THE_PAGE: Final = {"page_url": "url", "page_title": "title", "referrer": "referrer"}
_OURS: Final = frozenset({"anonymous_id", "user_id", "_id", "_redirect", "_charset_", *_ABOUT_THE_PAGE})


def fields(body: bytes, limits: Limits) -> Fields:
    """The fields of a form post.

    Raises Invalid `invalid_form`, and what decode.py refuses in JSON.
    """
    if decode.looks_like_json(body):
        return decode.event_object(body, limits)
    pairs = _multipart(body) if body.startswith(b"--") else _urlencoded(body)
    collected = _collected(pairs)
    if not collected:
        raise Invalid("invalid_form", "the body has no fields. Send urlencoded, multipart or JSON")
    return collected


def harmless(sent: Fields) -> dict[str, Any]:
    """The fields without passwords, numbers of cards and the like: those are kept nowhere."""
    return {name: _harmless(value) for name, value in sent.items() if not _SECRET.search(name)}


def _harmless(value: Any) -> Any:
    """The same of fields inside of fields, as JSON may have them."""
    if isinstance(value, dict):
        return harmless(value)
    return [_harmless(one) for one in value] if isinstance(value, list) else value


def draft(sent: Fields, form: Form, received_at: datetime) -> Draft:
    """The draft of one submit.

    received_at: its day is part of the event's id where the form has none
    """
    kept = harmless(sent)
    said = {name: value for name, value in kept.items() if not _is_ours(name, form)}
    traits = {name: value for name, value in said.items() if name in form.traits or name == "email"}
    act = {name: value for name, value in said.items() if name not in traits}
    return Draft(
        name=_name(kept, form),
        kind="form",
        fingerprint=_fingerprint(kept, form, received_at),
        user_id=kept.get("user_id"),
        anonymous_id=kept.get("anonymous_id"),
        emails=(kept.get("email"),),
        traits=traits,
        properties={**act, "form": form.id},
        context=_context(kept),
        consent=_consent(kept),
        machine=machine.HONEYPOT if sent.get(form.honeypot) else "",
    )


def _name(kept: Fields, form: Form) -> str:
    objects = bool(form.objection) and _is_given(kept.get(form.objection))
    return PERSON_OBJECTED if objects else FORM_SUBMITTED


def next_page(sent: Fields, form: Form) -> str:
    """Where the browser goes: the form's wish if it is allowed, else its `thanks`; empty for our own page."""
    wish = sent.get("_redirect")
    return wish if isinstance(wish, str) and _allowed(wish, form) else form.thanks


def _allowed(url: str, form: Form) -> bool:
    """Whether an address is on the allow-list, or on a site that is on it as a whole."""
    # Browsers and urlsplit drop different control characters: what is compared must be what they will see.
    if any(char <= " " for char in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    site = f"{parts.scheme}://{parts.netloc}"
    return site in form.redirects or url.rstrip("/") in form.redirects


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise _too_many_fields() from error


def _multipart(body: bytes) -> list[tuple[str, str]]:
    """The text parts of a multipart body; its first line is the boundary."""
    pairs: list[tuple[str, str]] = []

    def add(part: Any) -> None:
        if len(pairs) == MAX_FIELDS:
            raise _too_many_fields()
        pairs.append((_text(part.field_name), _text(part.value)))

    boundary = body.partition(b"\r\n")[0][2:]
    headers = {"Content-Type": b'multipart/form-data; boundary="' + boundary + b'"'}
    try:
        python_multipart.parse_form(headers, io.BytesIO(body), add, lambda _file: None)
    except (FormParserError, ValueError) as error:
        raise Invalid("invalid_form", "the multipart body is broken. Send it as browsers do") from error
    return pairs


def _collected(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields by name; a repeated name (checkboxes) becomes a list."""
    collected: dict[str, Any] = {}
    for pair in pairs:
        name, value = map(decode.without_nul, pair)
        if name not in collected:
            collected[name] = value
        elif isinstance(collected[name], list):
            collected[name].append(value)
        else:
            collected[name] = [collected[name], value]
    return collected


def _is_ours(name: str, form: Form) -> bool:
    return (
        name in _OURS or name == form.honeypot or name in CLICK_IDS or name.startswith(("utm_", "consent_"))
    )


def _context(kept: Fields) -> dict[str, Any]:
    parts = {
        "page": {ours: kept[name] for name, ours in _ABOUT_THE_PAGE.items() if kept.get(name)},
        "campaign": {field: kept[utm(field)] for field in CAMPAIGN_FIELDS if kept.get(utm(field))},
        "click_ids": {name: value for name, value in kept.items() if name in CLICK_IDS},
    }
    return {name: part for name, part in parts.items() if part}


def _consent(kept: Fields) -> dict[str, bool] | None:
    """Purpose → given, for each purpose that the form asked about and the browser sent."""
    answers = {
        name.removeprefix("consent_"): value for name, value in kept.items() if name.startswith("consent_")
    }
    return {purpose: _is_given(value) for purpose, value in answers.items()} or None


def _is_given(value: Any) -> bool:
    """Whether a checkbox is ticked; behind a hidden field of the same name it is the last value."""
    return str(value[-1] if isinstance(value, list) and value else value).lower() in _GIVEN


def _fingerprint(kept: Fields, form: Form, received_at: datetime) -> str:
    """What makes two submits the same: form and `_id`; without one form, day, and fields in any order."""
    id_ = kept.get("_id")
    if type(id_) in {str, int} and id_ != "":
        return f"form:{form.id}:{id_}"
    canonical = msgspec.json.encode([form.id, received_at.date(), kept], order="sorted")
    return "form:" + hashlib.sha256(canonical).hexdigest()


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _too_many_fields() -> Invalid:
    return Invalid("invalid_form", f"more than {MAX_FIELDS} fields. Send fewer")
