"""Advisory locks: who holds one must not keep somebody else waiting who means another."""

import re

from tests.servers import REPOSITORY

_KEY = re.compile(r"_LOCK(?:_KEY)?: Final(?:\[int\])? = ([\d_]+)|_LOCK(?:_KEY)? = ([\d_]+)")


def test_every_advisory_lock_has_a_number_of_its_own() -> None:
    """The same number in two modules is one lock for two things."""
    texts = [
        path.read_text()
        for place in ("services", "shared", "deploy")
        for path in (REPOSITORY / place).rglob("*.py")
    ]
    numbers = [next(filter(None, found)) for text in texts for found in _KEY.findall(text)]
    assert len(numbers) >= 5
    assert sorted(set(numbers)) == sorted(numbers)
