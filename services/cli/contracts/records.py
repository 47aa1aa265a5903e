"""JSON Schemas of the values of records in our topics, by the types that make them.

In: the structs of the code. Out: file name → schema. Those of single webhook bodies are the router's.
"""

from collections.abc import Iterable, Sequence
from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec

from services.ingest.publish import MAX_KEPT_BYTES, RejectedRecord
from services.ingest.refusals import STATUS
from services.router.render import Message
from shared.events import Event
from shared.topics import EVENTS, REJECTED, SALES

Schema = dict[str, Any]

TYPES: Final[dict[str, tuple[type, ...]]] = {
    EVENTS: (Event,),
    REJECTED: (RejectedRecord,),
    SALES: get_args(Message),
}
"""Topic → what its values are"""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, Schema]:
    """File name → schema, one for each topic."""
    about = {
        EVENTS: "An event, as ingest accepted it",
        REJECTED: "What ingest refused, with the reason",
        SALES: "A transition of a lead, as the sales queue and webhooks get it",
    }
    return {f"{topic}.json": _file(title, TYPES[topic]) for topic, title in about.items()}


def components(types: Iterable[type], refer: str) -> dict[str, Schema]:
    """The schemas of these types and of all within them, by name.

    refer: how one names another, such as `#/$defs/{name}`
    """
    _, made = msgspec.json.schema_components(types, ref_template=refer)
    described: dict[str, Schema] = {name: _described(schema) for name, schema in made.items()}
    if rejected := described.get(RejectedRecord.__name__):
        _tell_values(rejected["properties"])
    return described


def one_of(types: Sequence[type], refer: str) -> Schema:
    """One of these; a body says by `type` which."""
    named = [{"$ref": refer.format(name=one.__name__)} for one in types]
    return named[0] if len(named) == 1 else {"oneOf": named}


def _file(title: str, types: Sequence[type]) -> Schema:
    refer = "#/$defs/{name}"
    whole = {"$schema": DIALECT, "title": title, **one_of(types, refer)}
    return {**whole, "$defs": components(types, refer)}


def _described(schema: Schema) -> Schema:
    """What the types cannot say: that `…_at` is a time with a zone; and the text without its indentation."""
    for name, field in schema.get("properties", {}).items():
        if name.endswith("_at") and field.get("type") == "string":
            field["format"] = "date-time"
    if "description" in schema:
        schema["description"] = cleandoc(schema["description"])
    return schema


def _tell_values(fields: Schema) -> None:
    """The codes are a closed set in each release, and grow from one to the next: told, not demanded."""
    fields["code"]["examples"] = sorted(STATUS)
    fields["step"]["enum"] = ["receive", "validate"]
    fields["raw"]["description"] = f"What came, as base64; the first {MAX_KEPT_BYTES} bytes of it."
