"""`make licences`: docs/licences.md, every dependency with its licence; and which of them we must not have.

In: the lock files, the metadata of what is installed, maintenance/licences.yaml. Out: Markdown; refusals.
Refuses a licence that is neither allowed nor an exception with a reason for that part of ours, and one that
nobody states.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Final

import yaml

from maintenance.locked import ROOT, Locked, packages
from services.cli.local.jars import Jar, wanted

FILE: Final = ROOT / "docs" / "licences.md"
RULES_FILE: Final = ROOT / "maintenance" / "licences.yaml"
# What older metadata says instead of SPDX's identifiers.
_SPELLINGS: Final = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit licence": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only WITH Classpath-exception-2.0",
}
_HEAD: Final = """\
# Licences
What Leadscore depends on, and under which licence. Written by `make licences` from the lock files and the
packages' own metadata; a test compares it, and refuses a licence that is neither permissive nor an exception
with a reason ([maintenance/licences.yaml](../maintenance/licences.yaml)). Leadscore itself is Apache-2.0.

*Services* are what the wheel and the images bring along. *One machine* is what `make run` fetches besides:
Postgres, Java, Kafka; no wheel or image of ours has it. *Development* is never shipped. Versions are in
`deploy/locks`; `make sbom` writes a bill of materials for each service.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """maintenance/licences.yaml."""

    allowed: frozenset[str]
    exceptions: Mapping[str, Mapping[str, Any]]
    stated: Mapping[str, str]
    jars: Mapping[str, str]


def rules() -> Rules:
    """As the file has them; jars by group."""
    said = yaml.safe_load(RULES_FILE.read_text())
    return Rules(
        allowed=frozenset(said["allowed"]),
        exceptions=said["exceptions"],
        stated=said["stated"],
        jars={group: licence for licence, groups in said["jars"].items() for group in groups},
    )


def licence_of(name: str, by: Rules) -> str:
    """SPDX expression of a package; empty if neither its metadata nor we know it."""
    if name in by.stated:
        return by.stated[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    for expression in said.get_all("License-Expression", []):
        return str(expression)
    classified = [each.split(" :: ")[-1] for each in said.get_all("Classifier", []) if each.startswith("Lic")]
    for text in (*(each.strip() for each in said.get_all("License", [])), *classified):
        if spelt := _SPELLINGS.get(text.lower()):
            return spelt
        if text in by.allowed or re.fullmatch(r"[A-Z][\w.]*-[\w.-]+|MIT", text):
            return str(text)
    return ""


def refusals(found: Mapping[Locked, str], by: Rules) -> list[str]:
    """A sentence for each package that we must not have (pure)."""
    said = []
    for package, licence in found.items():
        exception = by.exceptions.get(package.name)
        if not licence:
            said.append(f"{package.name}: no licence is known. Look it up and write it under `stated`")
        elif exception and exception["licence"] == licence and package.part in exception["parts"]:
            continue
        elif not permitted(licence, by.allowed):
            said.append(
                f"{package.name}: {licence} in {package.part}. Replace it, or write why it may be there"
            )
    return said


def permitted(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an SPDX expression can be met by allowed licences alone (pure): any of OR, all of AND."""
    choices = expression.replace("(", "").replace(")", "").split(" OR ")
    return any(all(part in allowed for part in choice.split(" AND ")) for choice in choices)


def licences(by: Rules) -> dict[Locked, str]:
    """Every package with its licence."""
    return {package: licence_of(package.name, by) for package in packages()}


def text() -> str:
    """docs/licences.md as it should be."""
    by = rules()
    found = licences(by)
    sections = [_HEAD]
    for part in ("services", "one machine", "development"):
        rows = [_row(package, licence) for package, licence in found.items() if package.part == part]
        needed = "needed by" if part == "services" else ""
        head = f"\n## {part.capitalize()}\n| package | licence | {needed} |\n|---|---|---|\n"
        sections.append(head + "".join(rows))
        if part == "one machine":
            sections.append(_jars(by))
    return "".join([*sections, _exceptions(by)])


def _row(package: Locked, licence: str) -> str:
    return f"| {package.name} | {licence} | {', '.join(package.by)} |\n"


def _jars(by: Rules) -> str:
    rows = [f"| {jar.group}:{jar.artifact} | {jar_licence(jar, by)} |\n" for jar in wanted()]
    return (
        "\nJars of the embedded Kafka, each checked by its SHA-256:\n\n| jar | licence |\n|---|---|\n"
        + "".join(rows)
    )


def jar_licence(jar: Jar, by: Rules) -> str:
    """SPDX expression of a jar. Raises KeyError if nobody states it."""
    return by.jars[jar.group]


def _exceptions(by: Rules) -> str:
    head = "\n## Exceptions\n| package | licence | may be in | because |\n|---|---|---|---|\n"
    rows = [
        f"| {name} | {one['licence']} | {', '.join(one['parts'])} | {one['reason']} |\n"
        for name, one in by.exceptions.items()
    ]
    return head + "".join(rows)


if __name__ == "__main__":
    if refused := refusals(licences(rules()), rules()):
        sys.exit("\n".join(refused))
    FILE.write_text(text())
    sys.stdout.write(f"{FILE} written\n")
