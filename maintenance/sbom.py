"""`make sbom`: a bill of materials (CycloneDX) for each service, and for the embedded Kafka, in build/sbom.

In: the lock files, the licences that maintenance/licences.py knows. Out: <service>.json, kafka.json.
Refuses a component without a licence. Built for a release and not committed: it says no more than the locks,
and would only have to be renewed with each of them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from maintenance.licences import Rules, jar_licence, licence_of, rules
from maintenance.locked import ROOT, SERVICES
from services.cli.local.jars import wanted

OUTPUT: Final = ROOT / "build" / "sbom"


def of_service(service: str, by: Rules) -> dict[str, Any]:
    """What the image of this service has in it, but for Python and the system below it."""
    made = subprocess.run(
        [
            *(Path(sys.executable).with_name("cyclonedx-py"), "requirements"),
            *("--pyproject", "pyproject.toml", "--output-reproducible", "--no-validate"),
            f"deploy/locks/{service}.txt",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    bill: dict[str, Any] = json.loads(made.stdout)
    for component in bill["components"]:
        component.pop("description", None)  # the whole line of the lock
        # The address of a registry is each machine's own matter; the hashes stand beside it.
        component["hashes"] = [each for one in component.pop("externalReferences") for each in one["hashes"]]
        component["licenses"] = _stated(licence_of(component["name"], by), component["name"])
    return bill


def of_kafka(by: Rules) -> dict[str, Any]:
    """The jars that `make run` fetches."""
    components = [
        {
            "type": "library",
            "bom-ref": f"{jar.group}:{jar.artifact}",
            "group": jar.group,
            "name": jar.artifact,
            "version": jar.version,
            "purl": f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}",
            "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
            "licenses": _stated(jar_licence(jar, by), jar.artifact),
        }
        for jar in wanted()
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def _stated(licence: str, name: str) -> list[dict[str, str]]:
    if not licence:
        raise ValueError(f"{name}: no licence is known. `make licences` says what to do")
    return [{"expression": licence}]


def write(folder: Path) -> list[Path]:
    """All of them; where they are."""
    by = rules()
    folder.mkdir(parents=True, exist_ok=True)
    bills = {**{service: of_service(service, by) for service in SERVICES}, "kafka": of_kafka(by)}
    for name, bill in bills.items():
        (folder / f"{name}.json").write_text(json.dumps(bill, indent=1) + "\n")
    return [folder / f"{name}.json" for name in bills]


if __name__ == "__main__":
    for path in write(OUTPUT):
        sys.stdout.write(f"{path}\n")
