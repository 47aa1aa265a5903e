"""ingest's API as an OpenAPI document, made of what the code itself goes by.

In: limits, providers. Out: the document, as deploy/contracts/openapi.json holds it.
Refuses hand-copied facts: paths come from app.py, codes from refusals.py, bodies of answers from answers.py.
"""

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from services.ingest import answers, machine, pages
from services.ingest.contract import sent
from services.ingest.contract.operations import ITEM_CODES, Operation, Proof, operations
from services.ingest.limits import Limits
from services.ingest.not_counted import NotCounted
from services.ingest.settings import IngestSettings
from services.ingest.sources.provider import Providers

Schema = dict[str, Any]

_JSON: Final = "application/json"
_ABOUT: Final = """\
Events in. A `200` means: every event is on disk at every in-sync replica of Kafka.

- **Errors** have a JSON body with `code` and `message`. Nothing of a refused request is taken. What got a \
4xx would be refused again; send again what got 408, 429, 500 or 503, as often as it takes: an event with a \
`messageId` counts once.
- **Items of a batch** are taken or rejected one by one; rejected ones are named in the answer, ten at most.
- **Content-Type is never asked**: the first bytes say what a body is. gzip is known by its first bytes too.
- **Any other path** is answered with 404 `not_found`, another method with 405 `method_not_allowed`. A slash \
at the end makes no difference, HEAD is answered like GET, and OPTIONS with 204 and CORS headers for pages \
that sources.yaml allows.
- **Unknown fields** are kept as they came. Fields are added to answers; read no meaning into their order.
- **Limits** (as they are unless an operator changes them): {event} bytes an event, {body} bytes a request \
({unpacked} unpacked; webhooks too), {items} items a batch, {depth} levels, {keys} keys. A source may have a \
limit of events a second.
"""
_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "How to send the key."},
    429: {
        "Retry-After": "Whole seconds to wait before the same is sent again.",
        "X-RateLimit-Reset": "The same.",
    },
    503: {"Retry-After": "Whole seconds to wait before the same is sent again."},
}
_SCHEMES: Final[Schema] = {
    "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, no password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key as token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
}
_KEYS: Final[list[dict[str, list[str]]]] = [{name: []} for name in _SCHEMES]
_IN_THE_BODY: Final[dict[str, list[str]]] = {}
_SECURITY: Final[Mapping[Proof, list[dict[str, list[str]]]]] = {
    "key": [*_KEYS, _IN_THE_BODY],
    "origin": [],
    "signature": [],
    "nothing": [],
}
_PARAMETERS: Final[Mapping[str, str]] = {
    "form": "The form's id in sources.yaml.",
    "source": "The source's id in sources.yaml, of the provider's.",
    "write_key": "A key of a source.",
}


def document(version: str, limits: Limits, known: Providers) -> Schema:
    """The whole document."""
    paths: defaultdict[str, Schema] = defaultdict(dict)
    bodies: Schema = {}
    refusals: Schema = {}
    for one in operations():
        paths[one.path][one.method] = _operation(one, known)
        bodies |= {one.sent: _body(one, known)} if one.sent else {}
        refusals |= {_name(one, status): _refusal(status, codes) for status, codes in _by_status(one).items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Leadscore ingest",
            "version": version,
            "description": _about(limits),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"http://127.0.0.1:{IngestSettings.model_fields['port'].default}"}],
        "paths": dict(paths),
        "components": {
            "securitySchemes": _SCHEMES,
            "schemas": {**_answer_schemas(), **sent.schemas(limits, known)},
            "requestBodies": bodies,
            "responses": refusals,
        },
    }


def _about(limits: Limits) -> str:
    return _ABOUT.format(
        event=limits.event_bytes,
        body=limits.body_bytes,
        unpacked=limits.decompressed_bytes,
        items=limits.batch_items,
        depth=limits.depth,
        keys=limits.keys,
    )


def _operation(one: Operation, known: Providers) -> Schema:
    described: Schema = {
        "operationId": one.name,
        "summary": one.says,
        "security": _SECURITY[one.proof],
        "responses": {
            **_worked(one),
            **{
                str(status): {"$ref": f"#/components/responses/{_name(one, status)}"}
                for status in _by_status(one)
            },
        },
    }
    if parameters := _parameters(one, known):
        described["parameters"] = parameters
    if one.sent:
        described["requestBody"] = {"$ref": f"#/components/requestBodies/{one.sent}"}
    return described


def _body(one: Operation, known: Providers) -> Schema:
    """What is sent, with examples; a form may come in three shapes."""
    shown = {name: {"value": value} for name, value in sent.examples(known)[one.sent].items()}
    schema = {"$ref": f"#/components/schemas/{one.sent.capitalize()}"}
    others = ("application/x-www-form-urlencoded", "multipart/form-data") if one.sent == "form" else ()
    return {
        "required": True,
        "content": {
            **{other: {"schema": schema} for other in others},
            _JSON: {"schema": schema, "examples": shown},
        },
    }


def _parameters(one: Operation, known: Providers) -> list[Schema]:
    """Those in the path, and the headers that a webhook is verified by."""
    found = []
    for name, says in _PARAMETERS.items():
        if f"{{{name}}}" in one.path:
            found.append(_parameter(name, "path", {"type": "string"}, says))
    if "{provider}" in one.path:
        names = {"type": "string", "enum": list(known)}
        found.insert(0, _parameter("provider", "path", names, "Who sends; operators may add others."))
    if one.proof == "signature":
        headers = {header: provider.name for provider in known.values() for header in provider.headers}
        text = {"type": "string"}
        found += [_parameter(header, "header", text, f"By {name}.") for header, name in headers.items()]
    return found


def _parameter(name: str, place: str, schema: Schema, says: str) -> Schema:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": says,
    }


def _worked(one: Operation) -> Schema:
    """What it answers when it works."""
    match one.answers:
        case "accepted":
            return {"200": _accepted()}
        case "form":
            page = {
                "description": "For a browser (it accepts text/html): on to the next page.",
                **_location(),
            }
            return {"200": _accepted(), "303": page}
        case "snippet":
            script = {"text/javascript": {"schema": {"type": "string"}}}
            return {
                "200": {"description": "The snippet.", "content": script},
                "304": {"description": "The browser has it already."},
            }
        case "thanks":
            return {
                "200": {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
            }
        case "settings":
            return {"200": _any_object(pages.segment_settings("KEY", "ingest.example.com", "https"))}
        case _:
            return {"200": _any_object({"success": True})}


def _accepted() -> Schema:
    schema = {"$ref": "#/components/schemas/Accepted"}
    return {
        "description": "All that is an event is durable.",
        "content": {_JSON: {"schema": schema, "example": {"success": True, "accepted": 1, "rejected": 0}}},
    }


def _location() -> Schema:
    return {"headers": {"Location": {"schema": {"type": "string"}, "required": True}}}


def _any_object(example: Mapping[str, Any]) -> Schema:
    """A JSON object with at least the keys of this one."""
    schema = {"type": "object", "required": list(example)}
    return {"description": "JSON.", "content": {_JSON: {"schema": schema, "example": example}}}


def _by_status(one: Operation) -> dict[int, list[str]]:
    """Status → the codes that come with it."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for code, status in sorted(one.codes.items(), key=lambda pair: (pair[1], pair[0])):
        found[status].append(code)
    return found


def _name(one: Operation, status: int) -> str:
    """What a refusal is called in the document: its code, or its status where several codes have it."""
    codes = _by_status(one)[status]
    return codes[0] if len(codes) == 1 else f"{one.sent or one.name}_{status}"


def _refusal(status: int, codes: list[str]) -> Schema:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Refused"}],
        "properties": {"code": {"enum": codes}},
    }
    headers = {
        name: {"schema": {"type": "string"}, "description": says, "required": True}
        for name, says in _HEADERS.get(status, {}).items()
    }
    return {
        "description": HTTPStatus(status).phrase,
        **({"headers": headers} if headers else {}),
        "content": {_JSON: {"schema": schema}},
    }


def _answer_schemas() -> Schema:
    """The bodies of answers, by the types that make them; what their values can be is added."""
    types = (answers.Accepted, answers.Refused, answers.RejectedItem, NotCounted)
    _, made = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas: Schema = dict(made)
    schemas["Accepted"]["properties"]["success"] = {"const": True}
    schemas["Accepted"]["properties"]["errors"]["maxItems"] = answers.MAX_ERRORS
    schemas["Refused"]["properties"]["success"] = {"const": False}
    schemas["RejectedItem"]["properties"]["code"] = {"enum": ITEM_CODES}
    schemas["NotCounted"]["properties"]["reason"] = {"const": machine.USER_AGENT}
    return schemas
