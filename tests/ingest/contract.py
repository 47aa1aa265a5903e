"""The committed description of ingest's API, as tests hold answers against it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from jsonschema import Draft202012Validator, FormatChecker

DOCUMENT: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "deploy" / "contracts" / "openapi.json").read_text()
)


class Described(NamedTuple):
    """One operation of the document."""

    method: str
    path: str
    says: dict[str, Any]

    @property
    def sent(self) -> str:
        """The name of what is sent; empty if nothing is."""
        return str(self.says.get("requestBody", {}).get("$ref", "")).rpartition("/")[2]

    def examples(self) -> dict[str, Any]:
        """The examples of what is sent, by name."""
        shown = resolved(self.says["requestBody"])["content"]["application/json"]["examples"]
        return {name: example["value"] for name, example in shown.items()}

    def codes(self) -> set[str]:
        """Every code that it may refuse with."""
        answers = [resolved(answer) for answer in self.says["responses"].values()]
        schemas = [
            answer.get("content", {}).get("application/json", {}).get("schema", {}) for answer in answers
        ]
        return {
            code
            for schema in schemas
            for code in schema.get("properties", {}).get("code", {}).get("enum", ())
        }

    def check(self, answer: httpx.Response) -> None:
        """Fail if the document does not promise this answer: its status, headers and body."""
        assert str(answer.status_code) in self.says["responses"], (self.path, answer.status_code, answer.text)
        promised = resolved(self.says["responses"][str(answer.status_code)])
        for name, header in promised.get("headers", {}).items():
            assert not header.get("required") or name in answer.headers, (name, dict(answer.headers))
        content = promised.get("content")
        if content is None or answer.request.method == "HEAD":
            return
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in content
        if kind == "application/json":
            validator(content[kind]["schema"]).validate(answer.json())


def operations() -> Iterator[Described]:
    """All of the document's."""
    for path, methods in DOCUMENT["paths"].items():
        for method, says in methods.items():
            yield Described(method, path, says)


def operation(method: str, path: str) -> Described:
    """One of them."""
    return Described(method, path, DOCUMENT["paths"][path][method])


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a part refers to, or the part itself."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What holds values against one of the document's schemas."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())
