"""Values by chance, by the JSON Schemas of openapi.json: the keywords that it uses for bodies, no others."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hypothesis import strategies as st

from tests.ingest.contract import resolved

KNOWN: Final = frozenset(
    {
        *("$ref", "type", "anyOf", "allOf", "const", "description", "properties", "required", "not"),
        *("pattern", "maxLength", "format", "minimum", "maximum", "exclusiveMaximum", "items", "maxItems"),
        *("additionalProperties", "patternProperties"),
    }
)
ADDRESSES: Final = ("ada@engines.example", "Ann.Lee+crm@sub.shop.example")
"""That exist: of those that chance makes up, many have a domain that nobody can have"""

FIRST: Final = datetime(2000, 1, 2)  # noqa: DTZ001 - the strategy adds the zone
LAST: Final = datetime(9999, 12, 30)  # noqa: DTZ001 - the same

OTHERS: Final = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=2
)
"""Fields that no schema names"""


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit this schema."""
    schema = {**resolved(schema), **{name: part for name, part in schema.items() if name != "$ref"}}
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "const" in schema:
        return st.just(schema["const"])
    if "properties" in schema or "allOf" in schema or schema.get("type") == "object":
        return objects(schema)
    if "anyOf" in schema:
        return st.one_of([values(each) for each in schema["anyOf"]])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([plain(type_, schema) for type_ in types])


def plain(type_: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of one type."""
    match type_:
        case "null":
            return st.none()
        case "integer":
            most = schema.get("maximum", schema.get("exclusiveMaximum", 2**53) - 1)
            return st.integers(schema.get("minimum", -(2**53)), most)
        case "string":
            return texts(schema)
        case "array":
            return st.lists(values(schema["items"]), max_size=3)
        case _:
            return OTHERS


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Text, short and as long as it may be."""
    if schema.get("format") == "email":
        return st.sampled_from(ADDRESSES)
    if schema.get("format") == "date-time":
        zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
        times = st.datetimes(FIRST, LAST, timezones=zones | st.just(UTC))
        return times.map(datetime.isoformat)
    most = schema.get("maxLength", 300)
    text = st.text(max_size=8) | st.text("x é😀", min_size=most, max_size=most)
    if schema.get("pattern") == r"\S":
        text = text.filter(str.strip)
    refused = schema.get("not", {}).get("enum", ())
    return text.filter(lambda drawn: drawn not in refused)


@st.composite
def objects(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """An object: unknown fields, then its own, then what all and one of its parts ask for."""
    drawn = dict(draw(OTHERS)) if schema.get("additionalProperties", True) is True else {}
    for name, part in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            drawn[name] = draw(values(part))
    for part in schema.get("allOf", ()):
        drawn |= draw(values(part))
    if "anyOf" in schema:
        one = draw(st.sampled_from(schema["anyOf"]))
        for name in one["required"]:
            drawn[name] = draw(values(one.get("properties", schema.get("properties", {}))[name]))
    return drawn
