"""docs/guides/website.md says what the snippet does: its options, fields, names in the browser, and size."""

import gzip
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SNIPPET: Final = (ROOT / "services" / "ingest" / "snippet" / "leadscore.js").read_text()
GUIDE: Final = (ROOT / "docs" / "guides" / "website.md").read_text()


def test_every_option_of_the_tag_is_told() -> None:
    """And no other: what the script reads from its own tag."""
    read = set(re.findall(r"\bopt\.(\w+)", SNIPPET)) - {"dataset"}
    told = set(re.findall(r"^\| `data-(\w+)", GUIDE, re.MULTILINE))
    assert len(read) > 4
    assert told == read


def test_the_fields_that_are_read_are_told() -> None:
    """In the order in which the script has them."""
    [fields] = re.findall(r'opt\.fields \|\| "([^"]+)"', SNIPPET)
    assert ", ".join(f"`{field}`" for field in fields.split(",")) in GUIDE


def test_everything_that_is_stored_is_told() -> None:
    """Cookie and storage by their names, with how many events wait and how long the cookie lives."""
    stored = set(re.findall(r"\bleadscore_\w+", SNIPPET))
    rows = re.findall(r"^\| (?:cookie|`localStorage`).*$", GUIDE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(leadscore_\w+)`", row)} == stored
    [most] = re.findall(r"MAX = (\d+)", SNIPPET)
    assert f"at most {most} events" in GUIDE
    assert "YEAR_S = 31536000" in SNIPPET
    assert "a year from the last page" in GUIDE


def test_every_call_is_told() -> None:
    """What a page may push."""
    api = SNIPPET.split("var api = {")[1].split("\n  };")[0]
    calls = set(re.findall(r"^    (\w+): ?(?:function|page)", api, re.MULTILINE)) - {"push"}
    assert calls == {"page", "track", "identify", "consent", "reset"}
    assert {call for call in calls if f'["{call}"' not in GUIDE} == set()


def test_the_size_is_as_told() -> None:
    """In whole kB, as it is and packed."""
    whole, packed = round(len(SNIPPET) / 1000), round(len(gzip.compress(SNIPPET.encode())) / 1000)
    assert f"{whole} kB, {packed} kB packed" in GUIDE
