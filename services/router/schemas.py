"""The committed JSON Schemas of the router, made from the types that the code uses.

In: nothing. Out: file name → text; `make contracts` writes them.
Refuses to be edited by hand: a test compares the files with what comes out here.
"""

import json
from typing import Any, Final

import msgspec

from services.router.destination import kinds
from services.router.render import Corrected, Objected, StageChanged, Unmerged
from services.router.route_shape import routing_shape

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """Each schema file's name and content."""
    return {
        "routing.v1.json": _text("Leadscore routing.yaml", routing_shape(kinds()).model_json_schema()),
        "lead.stage_changed.v1.json": _text("Body of lead.stage_changed", msgspec.json.schema(StageChanged)),
        "lead.corrected.v1.json": _text("Body of lead.corrected", msgspec.json.schema(Corrected)),
        "lead.objected.v1.json": _text("Body of lead.objected", msgspec.json.schema(Objected)),
        "lead.unmerged.v1.json": _text("Body of lead.unmerged", msgspec.json.schema(Unmerged)),
    }


def _text(title: str, schema: dict[str, Any]) -> str:
    whole = {"$schema": _DIALECT, **schema, "title": title}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
