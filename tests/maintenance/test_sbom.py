"""The bills of materials say what the lock files say."""

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from maintenance import sbom
from maintenance.licences import rules
from maintenance.locked import ROOT, pins
from services.cli.local.jars import wanted


def test_a_service_has_what_its_lock_pins() -> None:
    """Name, version, hashes and licence of each package; and no registry's address."""
    bill = sbom.of_service("router", rules())
    assert {one["name"]: one["version"] for one in bill["components"]} == pins("router")
    assert all(one["hashes"] and one["licenses"] for one in bill["components"])
    assert "://" not in str(bill["components"])
    assert _faults(bill) is None


def test_kafka_has_its_jars() -> None:
    """With the hashes that are checked when they are fetched."""
    bill = sbom.of_kafka(rules())
    assert {one["hashes"][0]["content"] for one in bill["components"]} == {jar.sha256 for jar in wanted()}
    assert _faults(bill) is None


def _faults(bill: dict[str, object]) -> object:
    """What the standard's own schema says against it."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))


def test_nothing_is_committed() -> None:
    """They go into build/, which git ignores."""
    assert sbom.OUTPUT.is_relative_to(ROOT / "build")
