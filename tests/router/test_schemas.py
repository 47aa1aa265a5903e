"""The committed JSON Schemas are what the code says."""

from pathlib import Path

import pytest

from services.router.schemas import schemas

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "schemas"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_committed_file_is_current(name: str) -> None:
    """After a change: `python -m services.router.schemas deploy/schemas`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == schemas()[name]
