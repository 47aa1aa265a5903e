"""An emoji cut in two costs nothing but itself (after sentry-javascript 20245)."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.decode import whole_characters
from shared.codec import decode
from shared.testing import MemoryBroker
from shared.topics import Topics

GOOD = b'{"type":"track","event":"x","userId":"u%d"}'
HALF = rb'{"type":"track","event":"x","userId":"u","properties":{"title":"Launch \ud83d"}}'


@pytest.mark.asyncio
async def test_a_half_emoji_costs_no_item_of_a_batch(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Twenty items, one with half an emoji: twenty events, the half one replaced."""
    items = [GOOD % number for number in range(19)] + [HALF]
    answer = await client.post("/v1/batch", content=b'{"batch":[' + b",".join(items) + b"]}")
    assert (answer.status_code, answer.json()["accepted"]) == (200, 20)
    events = [decode(record.value) for record in broker.on(Topics().events)]
    assert events[-1].properties["title"] == "Launch \ufffd"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb'["\ud83d\ude00"]', rb'["\ud83d\ude00"]'),
        (rb'["\uD83D\uDE00 \uD83D"]', rb'["\uD83D\uDE00 \ufffd"]'),
        (rb'["\ude00\ud83d"]', rb'["\ufffd\ufffd"]'),
        (rb'["\ud83d\ud83d\ude00"]', rb'["\ufffd\ud83d\ude00"]'),
        (rb'["\\ud83d"]', rb'["\\ud83d"]'),
        (rb'["\\\ud83d"]', rb'["\\\ufffd"]'),
        (b"title=\\ud83d", b"title=\\ud83d"),
    ],
)
def test_only_halves_are_replaced(written: bytes, meant: bytes) -> None:
    """Whole pairs stay, and so does a backslash that only looks like the beginning of an escape."""
    assert whole_characters(written) == meant


@given(st.text())
def test_whole_text_is_the_same_object(text: str) -> None:
    """Nothing is copied where nothing is wrong."""
    body = json.dumps([text.encode("utf-16", "replace").decode("utf-16", "replace")]).encode()
    assert whole_characters(body) is body
