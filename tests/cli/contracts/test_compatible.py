"""Contracts only grow: nobody who was written against a version of before is broken by the one of today."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from services.cli.contracts.write import documents
from tests.cli.contracts.compatible import Side, breaks

KEPT: Final = Path(__file__).parent / "kept"
FILES: Final = sorted(KEPT.glob("*/*.json"))
"""Version → its documents; see kept/README.md"""

CURRENT: Final[dict[str, dict[str, Any]]] = {
    Path(path).name: json.loads(text) for path, text in documents().items()
}
CONFIGURATION: Final = ("sources", "routing", "scoring", "situations")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name} {path.name}")
def test_nothing_breaks_who_was_written_against_it(path: Path) -> None:
    """For each kept document: what was sent is still taken, what was read is still there."""
    old, new = json.loads(path.read_text()), CURRENT[path.name]
    assert list(_breaks(path.name, old, new)) == []


def test_every_document_has_a_kept_version() -> None:
    """A new document is compared from its first release on."""
    assert {path.name for path in FILES} == CURRENT.keys()


def _breaks(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    match name:
        case "openapi.json":
            yield from _openapi(old, new)
        case "asyncapi.json":
            yield from _asyncapi(old, new)
        case _:
            side: Side = "in" if name.startswith(CONFIGURATION) else "out"
            yield from breaks(old, new, side)


def _openapi(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Paths stay; bodies that were taken are taken, answers keep their fields."""
    for path, methods in old["paths"].items():
        for method, says in methods.items():
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{method} {path}: is gone"
                continue
            yield from _references(f"{method} {path}", (old, says), (new, now))


def _references(place: str, old: tuple[Any, Any], new: tuple[Any, Any]) -> Iterator[str]:
    """One operation: its body and its answers, each within its document."""
    for side, schemas in (("in", _sent), ("out", _answered)):
        before, after = schemas(*old), schemas(*new)
        for name, schema in before.items():
            if name not in after:
                yield f"{place}: {name} is gone"
                continue
            whole = (
                {"components": old[0]["components"], **schema},
                {"components": new[0]["components"], **after[name]},
            )
            yield from (f"{place} {name}{found}" for found in breaks(*whole, side))  # type: ignore[arg-type]


def _sent(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    body = _resolved(document, operation.get("requestBody", {}))
    return {kind: content["schema"] for kind, content in body.get("content", {}).items()}


def _answered(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """What works; of refusals the codes may change, the shape is one schema that all refer to."""
    worked = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    return {
        f"{status} {kind}": content["schema"]
        for status, answer in worked.items()
        for kind, content in _resolved(document, answer).get("content", {}).items()
    }


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _asyncapi(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Channels and messages stay; bodies and headers keep their fields."""
    for name, channel in old["channels"].items():
        now = new["channels"].get(name, {"address": "gone"})
        if now["address"] != channel["address"]:
            yield f"{name}: its address is {now['address']}"
    for name, message in old["components"]["messages"].items():
        now = new["components"]["messages"].get(name)
        if now is None:
            yield f"{name}: is gone"
            continue
        for part in ("headers", "payload"):
            whole = (
                {"components": old["components"], **message[part]},
                {"components": new["components"], **now[part]},
            )
            yield from (f"{name} {part}{found}" for found in breaks(*whole, "out"))


def _object(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(required)}


TEXT: Final = {"type": "string"}


@pytest.mark.parametrize(
    ("old", "new", "out", "in_"),
    [
        (_object(a=TEXT), _object(a=TEXT, b=TEXT), [], []),
        (_object(a=TEXT), _object(), [".a: is gone"], []),
        (_object(a=TEXT), _object(("a",), a=TEXT), [], [".a: is demanded now"]),
        (_object(("a",), a=TEXT), _object(a=TEXT), [".a: may be missing now"], []),
        (_object(a=TEXT), _object(a={"type": ["string", "null"]}), [".a: null was never sent before"], []),
        (_object(a={"type": ["string", "null"]}), _object(a=TEXT), [], [".a: null is not taken any more"]),
        (
            _object(a={"enum": ["x"]}),
            _object(a={"enum": ["x", "y"]}),
            [".a: of its values, y is new to somebody"],
            [],
        ),
        (
            _object(a={"enum": ["x", "y"]}),
            _object(a={"enum": ["x"]}),
            [],
            [".a: of its values, y is new to somebody"],
        ),
        (
            _object(a={**TEXT, "maxLength": 9}),
            _object(a={**TEXT, "maxLength": 8}),
            [],
            [".a: maxLength is 8 now, was 9"],
        ),
        (
            {**_object(a=TEXT), "additionalProperties": False},
            {**_object(), "additionalProperties": False},
            [".a: is gone"],
            [".a: is not known any more"],
        ),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": _object(a={"type": "array", "items": {"$ref": "#/$defs/A"}})},
            },
            {"$ref": "#/$defs/A", "$defs": {"A": _object(a={"type": "array", "items": TEXT})}},
            [".a[]: string was never sent before", ".a[].a: is gone"],
            [".a[]: object is not taken any more"],
        ),
        (
            {"oneOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": _object(a=TEXT)}},
            {"oneOf": [{"$ref": "#/$defs/B"}], "$defs": {"B": _object(a=TEXT)}},
            ["the whole: A is gone"],
            ["the whole: A is gone"],
        ),
    ],
)
def test_what_breaks(old: dict[str, Any], new: dict[str, Any], out: list[str], in_: list[str]) -> None:
    """A change is found by who it breaks: those who read what we send, or those who send."""
    assert breaks(old, new, "out") == out
    assert breaks(old, new, "in") == in_
