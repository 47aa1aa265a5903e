"""Records and webhooks, held against the committed asyncapi.json."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker

DOCUMENT: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "deploy" / "contracts" / "asyncapi.json").read_text()
)


def message(name: str) -> dict[str, Any]:
    """One message of the document."""
    found: dict[str, Any] = DOCUMENT["components"]["messages"][name]
    return found


def message_on(topic: str) -> str:
    """The name of the one message of a topic; without the topic's prefix."""
    names = [
        name
        for channel in DOCUMENT["channels"].values()
        if channel["address"] is not None and topic.endswith(channel["address"])
        for name in channel["messages"]
    ]
    assert len(names) == 1, (topic, names)
    return str(names[0])


def check_record(topic: str, headers: Iterable[tuple[str, bytes]], value: bytes) -> None:
    """Fail if this is no record as the document describes them."""
    name = message_on(topic)
    check(name, {header: text.decode() for header, text in headers}, value)


def check_webhook(headers: Mapping[str, str], body: bytes) -> None:
    """Fail if this is no webhook as the document describes them; HTTP's own headers are beside ours."""
    check(json.loads(body)["type"].replace(".", "_"), headers, body)


def check(name: str, headers: Mapping[str, str], body: bytes) -> None:
    """Fail if headers or body are not what the message says."""
    validator(message(name)["headers"]).validate(dict(headers))
    validator(message(name)["payload"]).validate(json.loads(body))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What holds values against a schema of the document."""
    return Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, format_checker=FormatChecker()
    )
