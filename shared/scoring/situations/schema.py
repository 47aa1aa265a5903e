"""The JSON Schema of situations files, for completion and red lines in editors.

In: the shape of the file (shared/scoring/situations/shape.py). Out: JSON text, committed as
deploy/schemas/situations.v1.json; a test compares the two.
What a schema cannot say, shared/scoring/situations/read.py says.

After a change of the shape: `make contracts`.
"""

import json

from shared.scoring.situations.shape import SituationsShape


def schema_text() -> str:
    """The schema as it is committed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://leadscore.example/schemas/situations.v1.json",
        **SituationsShape.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
