"""Which change of a JSON Schema breaks somebody who was written against the one before (pure).

In: two schemas, each a whole document, and whose side we are on. Out: sentences, one for each break.
Refuses to prove that a change is right: it knows what removes, demands and narrows, and no more.

*out*: we send, others read. They break on a field that is gone or no longer certain, and on a value of a type
or of a list that they did not know. *in*: others send. They break on a field that is newly demanded, and on a
value that was taken and is not any more.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

Schema = dict[str, Any]
Side = Literal["in", "out"]

_UPPER: Final = ("maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties")
_LOWER: Final = ("minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties")
_ANY: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


def breaks(old: Schema, new: Schema, side: Side) -> list[str]:
    """What of the change breaks somebody, with the place of each."""
    return list(dict.fromkeys(_Comparison(old, new, side).at("", old, new)))


class _Comparison:
    """Two documents, walked together; a place that refers to itself is compared once."""

    def __init__(self, old: Schema, new: Schema, side: Side) -> None:
        self._old, self._new, self._side = old, new, side
        self._seen: set[tuple[str, str]] = set()

    def at(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """The breaks of one place and of all below it."""
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if any(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from self._values(place, old, new)
        yield from self._fields(place, old, new)
        if "items" in old and "items" in new:
            yield from self.at(f"{place}[]", old["items"], new["items"])
        before, now = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(before, dict) and isinstance(now, dict):
            yield from self.at(f"{place}.*", before, now)
        yield from self._alternatives(place, old, new)

    def _values(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Types, lists of values, bounds."""
        narrower, wider = (new, old) if self._side == "in" else (old, new)
        documents = (self._new, self._old) if self._side == "in" else (self._old, self._new)
        missing = _types(documents[1], wider) - _types(documents[0], narrower)
        if missing:
            what = "is not taken any more" if self._side == "in" else "was never sent before"
            yield f"{place or 'the whole'}: {', '.join(sorted(missing))} {what}"
        lists = _listed(wider), _listed(narrower)
        if lists[1] is not None and (lists[0] is None or lists[0] - lists[1]):
            values = "any value" if lists[0] is None else ", ".join(sorted(lists[0] - lists[1]))
            yield f"{place or 'the whole'}: of its values, {values} is new to somebody"
        if self._side == "in":
            yield from _bounds(place, old, new)

    def _fields(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        demanded, certain = set(new.get("required", ())), set(old.get("required", ()))
        if self._side == "in":
            yield from (f"{place}.{name}: is demanded now" for name in sorted(demanded - certain))
            closed = new.get("additionalProperties") is False
            yield from (
                f"{place}.{name}: is not known any more" for name in before if closed and name not in now
            )
        else:
            yield from (f"{place}.{name}: is gone" for name in before if name not in now)
            lost = (certain - demanded) & now.keys()
            yield from (f"{place}.{name}: may be missing now" for name in sorted(lost))
        for name in before.keys() & now.keys():
            yield from self.at(f"{place}.{name}", before[name], now[name])

    def _alternatives(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Named alternatives: one that is gone breaks; one that is new has a name of its own."""
        for word in ("oneOf", "anyOf", "allOf"):
            now = {one.get("$ref", ""): one for one in new.get(word, ()) if "$ref" in one}
            for one in old.get(word, ()):
                if one.get("$ref") in now:
                    yield from self.at(place, one, now[one["$ref"]])
                elif "$ref" in one:
                    yield f"{place or 'the whole'}: {one['$ref'].rpartition('/')[2]} is gone"


def _resolved(document: Schema, part: Schema) -> Schema:
    """What a part refers to, with what stands beside the reference."""
    if "$ref" not in part:
        return part
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return {**_resolved(document, found), **{name: one for name, one in part.items() if name != "$ref"}}


def _types(document: Schema, schema: Schema) -> frozenset[str]:
    """The JSON types that a value may have; a number may be an integer."""
    if "type" in schema:
        said = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return frozenset(said) | ({"integer"} if "number" in said else frozenset())
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return frozenset().union(*(_types(document, _resolved(document, one)) for one in schema[word]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return frozenset().union(*(_type_of(value) for value in values))
    return _ANY


def _type_of(value: Any) -> frozenset[str]:
    names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return frozenset({names.get(type(value), "null")})


def _listed(schema: Schema) -> set[str] | None:
    """The values that are possible, if they are written out."""
    if "const" in schema:
        return {str(schema["const"])}
    return {str(value) for value in schema["enum"]} if "enum" in schema else None


def _bounds(place: str, old: Schema, new: Schema) -> Iterator[str]:
    for word in (*_UPPER, *_LOWER):
        if word not in new:
            continue
        narrower = word not in old or (new[word] < old[word] if word in _UPPER else new[word] > old[word])
        if narrower:
            yield f"{place or 'the whole'}: {word} is {new[word]} now, was {old.get(word, 'none')}"
    if new.get("pattern", old.get("pattern")) != old.get("pattern"):
        yield f"{place or 'the whole'}: pattern is {new['pattern']} now, was {old.get('pattern', 'none')}"
