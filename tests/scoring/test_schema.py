"""The JSON Schema that editors use is the one that the code means."""

import json
from pathlib import Path

import pytest

from shared.config_file import parse
from shared.scoring.file.schema import schema_text

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize("name", ["scoring.yaml", "scoring.demo.yaml"])
def test_the_models_that_ship_name_their_schema(name: str) -> None:
    """The first line tells the editor where the schema is, and it is there."""
    modeline = (DEPLOY / "config" / name).read_text().splitlines()[0]
    path = modeline.removeprefix("# yaml-language-server: $schema=")
    assert (DEPLOY / "config" / path).resolve() == DEPLOY / "schemas" / "scoring.v1.json"


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    """An editor that meets a dangling reference gives up on the whole file."""
    schema = json.loads(schema_text())
    text = json.dumps(schema)
    wanted = {part.split('"', 1)[0] for part in text.split('"$ref": "#/$defs/')[1:]}
    assert wanted <= schema["$defs"].keys()
    assert {"Condition", "Test", "EngagementShape"} <= wanted


def test_every_key_of_the_shipped_models_is_known_to_the_schema() -> None:
    """Completion offers what the reference model uses."""
    schema = json.loads(schema_text())
    data = parse((DEPLOY / "config" / "scoring.yaml").read_text(), file="scoring.yaml").data
    assert data.keys() <= schema["properties"].keys()
    rules = schema["$defs"]["EngagementShape"]["properties"].keys()
    assert all(rule.keys() <= rules for rule in data["engagement"].values())
