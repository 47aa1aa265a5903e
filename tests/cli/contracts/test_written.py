"""The committed contracts are what the code says."""

import json
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from services.cli.contracts.write import DEPLOY, documents

DOCUMENTS: Final = documents()


@pytest.mark.parametrize("path", sorted(DOCUMENTS))
def test_the_committed_file_is_current(path: str) -> None:
    """Where this fails: `make contracts`, and read the difference as somebody who integrates."""
    assert (DEPLOY / path).read_text(encoding="utf-8") == DOCUMENTS[path]


def test_no_other_file_is_beside_them() -> None:
    """What nobody writes any more, nobody should rely on."""
    there = {
        f"{path.parent.name}/{path.name}"
        for part in ("contracts", "schemas")
        for path in (DEPLOY / part).iterdir()
    }
    assert there == DOCUMENTS.keys()


@pytest.mark.parametrize("path", sorted(path for path in DOCUMENTS if path.startswith("schemas/")))
def test_every_schema_is_one(path: str) -> None:
    """By JSON Schema 2020-12's own schema; the dialect is named in the file."""
    schema: dict[str, Any] = json.loads(DOCUMENTS[path])
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(schema)
