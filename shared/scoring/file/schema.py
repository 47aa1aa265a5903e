"""The JSON Schema of scoring.yaml, for completion and red lines in editors.

In: the shape of the file (shared/scoring/file/shape.py). Out: JSON text, committed as
deploy/schemas/scoring.v1.json; a test compares the two.
What a schema cannot say, shared/scoring/file/read.py says.

After a change of the shape: `make contracts`.
"""

import json
from typing import Any, Final, get_args

from shared.scoring.definition.conditions import Operator
from shared.scoring.file.shape import ModelShape
from shared.scoring.file.values import CONDITION

_SCALAR: Final = {"type": ["string", "number", "boolean"]}
_LIST: Final = {"type": "array", "items": _SCALAR, "minItems": 1}
_OPERANDS: Final[dict[str, Any]] = {
    "exists": {"type": "boolean"},
    "in": {"anyOf": [_LIST, {"type": "string", "description": "Name of a list under lists:"}]},
    "not_in": {"anyOf": [_LIST, {"type": "string", "description": "Name of a list under lists:"}]},
    "matches": {"type": "string", "format": "regex", "maxLength": 200},
}


def schema_text() -> str:
    """The schema as it is committed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://leadscore.example/schemas/scoring.v1.json",
        **_with_conditions(ModelShape.model_json_schema(by_alias=True)),
    }
    schema["$defs"] = {**schema["$defs"], "Condition": _condition(), "Test": _test()}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _with_conditions(part: Any) -> Any:
    """The schema with references to what pydantic did not make and cannot refer to."""
    if isinstance(part, list):
        return [_with_conditions(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("$comment") == CONDITION:
        return {"$ref": "#/$defs/Condition"}
    return {key: _with_conditions(value) for key, value in part.items()}


def _condition() -> dict[str, Any]:
    here = {"$ref": "#/$defs/Condition"}
    return {
        "title": "Condition",
        "description": "Fields and what they must be; all of them must hold.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            "all": {
                "type": "array",
                "items": here,
                "minItems": 1,
                "description": "Every one of these holds.",
            },
            "any": {"type": "array", "items": here, "minItems": 1, "description": "One of these holds."},
            "not": {**here, "description": "This does not hold."},
        },
        "additionalProperties": {"anyOf": [_SCALAR, _LIST, {"$ref": "#/$defs/Test"}]},
    }


def _test() -> dict[str, Any]:
    return {
        "title": "Test",
        "description": "Operators on one field; all of them must hold.",
        "type": "object",
        "minProperties": 1,
        "properties": {name: _OPERANDS.get(name, _SCALAR) for name in get_args(Operator)},
        "additionalProperties": False,
    }
