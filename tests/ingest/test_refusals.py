"""The closed set of reasons to refuse."""

import re
from pathlib import Path

from services.ingest.refusals import STATUS

SOURCE = Path(__file__).parents[2] / "services/ingest"
TEXTS = {path.name: path.read_text() for path in SOURCE.rglob("*.py")}


def test_every_code_in_use_has_a_status() -> None:
    """A code that is not in the table would be a 500."""
    used = {code for text in TEXTS.values() for code in re.findall(r'Invalid\(\s*"(\w+)"', text)}
    assert used
    assert used <= set(STATUS)


def test_every_code_in_the_table_is_in_use() -> None:
    """A code that nothing raises is a promise nobody keeps."""
    others = "".join(text for name, text in TEXTS.items() if name != "refusals.py")
    assert [code for code in STATUS if f'"{code}"' not in others] == []


def test_refusals_stop_senders() -> None:
    """SDKs resend after 408, 410, 429, 460 and 5xx: of ours only a slow body is worth it."""
    assert {code for code, status in STATUS.items() if status in {408, 410, 429, 460} or status >= 500} == {
        "slow_body"
    }
