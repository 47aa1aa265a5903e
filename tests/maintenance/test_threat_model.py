"""docs/threat-model.md names code and tests that are there."""

import re
from typing import Final

from maintenance.locked import ROOT

STANDS: Final = (ROOT / "docs" / "threat-model.md").read_text().split("## What stands")[1].split("\n## ")[0]
ROWS: Final = re.findall(r"^\| (\d.*) \|$", STANDS, re.MULTILINE)


def test_every_file_and_test_is_there() -> None:
    """Paths exist; a test is a function of its file, or the beginning of its name."""
    missing = []
    for path, test in re.findall(r"`([\w./-]+/[\w./-]+|pyproject\.toml)(?:::(\w+))?`", STANDS):
        file = ROOT / path
        there = file.exists() and (not test or re.search(rf"def {test}", file.read_text()))
        missing += [] if there else [f"{path}::{test}"]
    assert missing == []


def test_every_line_has_code_and_a_test() -> None:
    """Nothing is said to stand that nobody would miss."""
    assert len(ROWS) > 20
    assert [row for row in ROWS if "::test_" not in row or row.count(" | ") != 2] == []
