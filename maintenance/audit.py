"""`make audit`: known vulnerabilities of what the services bring along, by pip-audit.

In: the lock files of the services, the package registry's JSON interface. Out: what is known; exit code 1 for
a vulnerability, 3 if nobody could be asked.
Refuses to call silence safety: a package of which the registry says nothing is named as not looked at.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maintenance.locked import ROOT, SERVICES

NOT_ASKED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """looked: packages that the registry knows; unknown: others; found: a sentence for each vulnerability."""

    looked: int
    unknown: tuple[str, ...]
    found: tuple[str, ...]


def understood(reports: Sequence[Mapping[str, Any]]) -> Audit:
    """What pip-audit's JSON reports say together (pure)."""
    packages = {one["name"]: one for report in reports for one in report["dependencies"]}
    unknown = tuple(sorted(name for name, one in packages.items() if "skip_reason" in one))
    found = tuple(
        f"{name} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no release'}"
        for name, one in sorted(packages.items())
        for flaw in one.get("vulns", ())
    )
    return Audit(looked=len(packages) - len(unknown), unknown=unknown, found=found)


def sentences(audit: Audit) -> list[str]:
    """What to tell a person (pure)."""
    said = list(audit.found)
    if not audit.looked:
        return ["Nothing was looked at: the registry here has no JSON interface that knows our packages."]
    said.append(f"{audit.looked} packages looked at, {len(audit.found)} vulnerabilities known.")
    if audit.unknown:
        said.append(f"Not looked at, because the registry does not know them: {', '.join(audit.unknown)}.")
    return said


def _asked(lock: str) -> dict[str, Any] | None:
    """pip-audit's report of one lock file; None with its last line on the terminal if it has none."""
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("pip-audit"), "--disable-pip", "--require-hashes"),
            *("--progress-spinner", "off", "--format", "json", "-r", f"deploy/locks/{lock}.txt"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.stderr.write(f"{lock}: {(done.stderr.strip() or 'no answer').splitlines()[-1]}\n")
        return None
    return report


def main(locks: Sequence[str]) -> int:
    """Ask about these locks; the exit code."""
    reports = [_asked(lock) for lock in locks]
    audit = understood([report for report in reports if report is not None])
    if None in reports or not audit.looked:
        sys.stderr.write(
            "The package registry's JSON interface could not be asked from here, so that nothing is known. "
            "Run `make audit` where it can be reached (CI).\n"
        )
        return NOT_ASKED
    sys.stdout.write("\n".join(sentences(audit)) + "\n")
    return 1 if audit.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SERVICES))
