"""A row of history → drafts of events, as ingest's adapters make them (pure).

In: a row as JSON, how its columns are meant. Out: `Draft`s: one, or those of a batch.
Refuses (`Invalid`) what is no JSON object or has no time: history that does not say when it happened is none.

| a row with       | is                                                     |
|------------------|--------------------------------------------------------|
| `batch`          | a body of /v1/batch: several events                    |
| `type: track` …  | one of Segment's calls, as an archive of them has it   |
| `specversion`    | a CloudEvent; its `data` is a plain row                |
| none of these    | a plain row: columns by our names, `properties.x` etc. |
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec

from services.ingest import decode
from services.ingest.draft import Draft
from services.ingest.limits import Limits
from services.ingest.sources import segment
from shared.errors import Invalid

OBJECTS: Final = ("properties", "traits", "context", "consent")
# What a draft has → its columns, the surest first.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("event", "name"),
    "message_id": ("message_id", "messageId", "event_id", "id"),
    "occurred": ("occurred_at", "timestamp", "originalTimestamp", "time"),
    "user_id": ("user_id", "userId"),
    "anonymous_id": ("anonymous_id", "anonymousId"),
    "previous_id": ("previous_id", "previousId"),
    "account_id": ("account_id", "groupId"),
    "email": ("email",),
    **{name: (name,) for name in OBJECTS},
}
FIELDS: Final = frozenset(name for names in COLUMNS.values() for name in names)
_PARTS: Final = {column: part for part, columns in COLUMNS.items() for column in columns}

_IDS: Final = ("message_id", "user_id", "anonymous_id", "previous_id", "account_id")
_TIMES: Final = ("occurred", "sent", "collected")
_CLOUD_ONLY: Final = ("specversion", "source", "datacontenttype", "dataschema", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """How the rows of a file are meant.

    renamed:  column → the name it should have
    event:    the name of events whose row has none
    zone:     of times without one; None: such times are refused
    limits:   the largest of everything
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    event: str = ""
    zone: tzinfo | None = None
    limits: Limits = field(default_factory=Limits)

    def columns_of_ids(self) -> frozenset[str]:
        """Columns, by their names in the file, that name an event or somebody."""
        ours = {name for part in _IDS for name in COLUMNS[part]}
        return frozenset(ours | {column for column, name in self.renamed.items() if name in ours})


def drafts(raw: bytes, meaning: Meaning) -> Iterator[Draft | Invalid]:
    """What this row says; each item of a batch by itself, so that a bad one costs only itself."""
    raw = decode.whole_characters(raw)
    try:
        items, defaults, sent = _items(raw, meaning)
    except Invalid as error:
        yield error
        return
    for each in items:
        try:
            item = segment.with_defaults(decode.event_object(each, meaning.limits), defaults)
            yield _timed(_draft(item, sent, meaning), meaning.zone)
        except Invalid as error:
            yield error


def _items(raw: bytes, meaning: Meaning) -> tuple[Sequence[bytes], Mapping[str, Any], Any]:
    """The objects in a row as JSON: one, or those of a batch; what they inherit, and when that was sent."""
    if b'"batch"' not in raw:
        return [raw], {}, None
    whole = decode.shaped(raw, _any)
    if not isinstance(whole, dict) or not isinstance(whole.get("batch"), list):
        return [raw], {}, None
    batch = segment.open_batch(raw, meaning.limits)
    return batch.raw, batch.defaults, batch.sent


def _draft(item: dict[str, Any], sent: Any, meaning: Meaning) -> Draft:
    if item.get("type") in segment.TYPES and "specversion" not in item:
        return segment.draft(item, None, sent)
    if meaning.renamed:
        item = {meaning.renamed.get(column, column): value for column, value in item.items()}
    return _plain(_of_cloud(item) if "specversion" in item else _nested(item), meaning.event)


def _of_cloud(item: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent as a plain row: its type is the name, its data the rest."""
    data = item.get("data")
    if not isinstance(data, dict):
        raise Invalid("not_an_object", "the CloudEvent's data is no object. Send user_id, properties … in it")
    known = {"event": item.get("type"), "message_id": item.get("id"), "timestamp": item.get("time")}
    return {**_nested(data), **{name: value for name, value in known.items() if value is not None}}


def _nested(item: dict[str, Any]) -> dict[str, Any]:
    """The row with `properties.x` as x of its properties, however deep."""
    if not any("." in column for column in item):
        return item
    made: dict[str, Any] = {}
    for column, value in item.items():
        first, *rest = column.split(".") if column.partition(".")[0] in OBJECTS else [column]
        _put(made, [first, *rest], value)
    return made


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    *folders, last = path
    for name in folders:
        below = into.setdefault(name, {})
        if not isinstance(below, dict):
            raise Invalid("invalid_field", f"{name} is a value and has values of its own", field=name)
        into = below
    into[last] = value


def _plain(row: dict[str, Any], event: str) -> Draft:
    """A row by our names; what it has beside them is kept and not understood."""
    found, left = _parts(row)
    email, traits, context = found.pop("email", None), found.get("traits"), found.get("context")
    if email is not None and (traits is None or isinstance(traits, dict)):
        found["traits"] = traits = {"email": email, **(traits or {})}
    if consent := found.pop("consent", None):
        context = {**context, "consent": consent} if isinstance(context, dict) else context
        found["context"] = context = context or {"consent": consent}
    return Draft(
        **{"name": event or None, **found},
        emails=tuple(
            one for one in (email, traits.get("email") if isinstance(traits, dict) else None) if one
        ),
        consent=segment.consent(context),
        extra=left,
    )


def _parts(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the row has by our names, and what it has beside; of two names for one thing the surest."""
    found: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for column, value in row.items():
        part = _PARTS.get(column)
        if part is None:
            left[column] = value
        elif value is None or value == "":
            continue
        elif part not in found or column == COLUMNS[part][0]:
            found[part] = value
    return found, left


def _timed(draft: Draft, zone: tzinfo | None) -> Draft:
    """The draft with times of the zone that is meant, and by a clock that can be right.

    A live sender's clock is corrected by when its request arrived. History did not arrive when it was sent:
    only if a row says when somebody received it is the sender's clock corrected, by that.
    """
    if draft.occurred in (None, ""):
        raise Invalid(
            "invalid_time", "the row does not say when it happened. Give it a time", field="occurred_at"
        )
    changed: dict[str, Any] = {name: _zoned(getattr(draft, name), zone) for name in _TIMES} if zone else {}
    if draft.collected in (None, ""):
        changed["sent"] = None
    return msgspec.structs.replace(draft, **changed) if changed else draft


def _zoned(written: Any, zone: tzinfo | None) -> Any:
    if not isinstance(written, str):
        return written
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return written
    return at.replace(tzinfo=zone).isoformat() if at.tzinfo is None else written


_any: Final = msgspec.json.Decoder()
