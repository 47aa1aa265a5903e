"""No file of the repository holds a secret.

Known shapes of secrets, ours among them, in every file that git knows or would add. Why no scanner by
entropy: lock files, jars' hashes, ids and signatures of fixtures are all random text, and a list of a
thousand allowed findings is one that nobody reads.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SHAPES: Final = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_\w{60,}",
    "a token of GitLab": r"\bglpat-[\w-]{20}\b",
    "a token of Slack": r"\bxox[abpr]-[\w-]{10,}",
    "a key of Stripe": r"\b[rs]k_live_\w{16,}",
    "a key of Google": r"\bAIza[\w-]{35}\b",
    "a key of SendGrid": r"\bSG\.[\w-]{22}\.[\w-]{43}\b",
    "a token of a package registry": r"\bpypi-[\w-]{50,}|\bnpm_[A-Za-z0-9]{36}\b",
    "a JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a write key of ours": r"\bsec_[A-Za-z0-9_-]{32}\b",
    "a signing secret of ours": r"\bwhsec_[A-Za-z0-9+/]{32,}=*",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s:/@'\"`{}$<>]+:[^\s:/@'\"`{}$<>]+@",
}
# Made-up values that tests and examples need: file → what stands there.
MADE_UP: Final[dict[str, tuple[str, ...]]] = {
    "deploy/config/reference.env": ("postgresql" + "://user:password@",),
    "docs/guides/production.md": ("postgresql" + "://leadscore:PASSWORD@",),
    "shared/database.py": ("postgresql" + "://user:password@",),
    "shared/settings.py": ("postgresql" + "://user:password@",),
    "tests/cli/test_welcome.py": ("postgresql" + "://me:hidden@",),
    "tests/router/receiver.py": (
        "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "whsec_" + "b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZCE=",
    ),
    "tests/router/test_route_file.py": ("https" + "://user:pw@",),
}


def found(text: str) -> Iterator[tuple[str, str]]:
    """What looks like a secret: its kind, the text."""
    for kind, shape in SHAPES.items():
        for match in re.finditer(shape, text):
            yield kind, match[0]


def files() -> list[str]:
    """All that git knows, or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def test_no_file_has_a_secret() -> None:
    """But for the made-up ones, each of which is still there."""
    seen: dict[str, set[str]] = {}
    for name in files():
        for _, text in found((ROOT / name).read_text(errors="replace")):
            seen.setdefault(name, set()).add(text)
    assert seen == {name: set(texts) for name, texts in MADE_UP.items()}


def test_no_file_is_for_secrets() -> None:
    """Key files and environments of an installation are never in git."""
    assert [
        name
        for name in files()
        if re.search(r"\.(pem|key|p12|pfx|jks)$|(^|/)(secrets|leadscore|\.env)(\.env)?$", name)
        and "." in name
    ] == []


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN EC PRIVATE" + " KEY-----",
        "AKIA" + "Q3EGRPCMSBSM2QSG",
        "sec_" + "k" * 32,
        "whsec_" + "QUJD" * 11,
        "postgresql://me:" + "hidden@db/leads",
    ],
)
def test_a_secret_would_be_found(secret: str) -> None:
    """One of several kinds, in the middle of a file."""
    assert len(list(found(f"before {secret} after"))) == 1
