"""Senders whose clocks are wrong, over HTTP (after analytics-react-native 977)."""

from typing import Any

import httpx
import pytest

from shared.testing import MemoryBroker
from tests.ingest.senders import events

# The clock of these tests stands at 2026-01-01T00:00:00Z.
EVENT: dict[str, Any] = {"type": "track", "event": "x", "userId": "u"}


async def stored(client: httpx.AsyncClient, broker: MemoryBroker, path: str, body: Any) -> dict[str, Any]:
    """The one event that this request became."""
    assert (await client.post(path, json=body)).status_code == 200
    (event,) = events(broker)
    return event


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2025-12-29T23:59:00Z", "2025-12-30T00:00:00Z"),
        ("2025-06-30T23:59:00Z", "2025-07-01T00:00:00Z"),
        ("2026-12-31T23:59:00Z", "2027-01-01T00:00:00Z"),
    ],
)
async def test_a_wrong_clock_with_sent_at_is_corrected(
    client: httpx.AsyncClient, broker: MemoryBroker, written: str, sent: str
) -> None:
    """Two days behind, half a year behind, a year ahead: a minute before it was sent is a minute ago."""
    batch = {"batch": [{**EVENT, "timestamp": written}], "sentAt": sent}
    event = await stored(client, broker, "/v1/batch", batch)
    assert event["occurred_at"] == "2025-12-31T23:59:00Z"
    assert "context" not in event


@pytest.mark.asyncio
async def test_without_sent_at_nothing_is_corrected(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """An import says when things happened, and is believed."""
    event = await stored(client, broker, "/v1/track", {**EVENT, "timestamp": "2025-03-01T00:00:00Z"})
    assert event["occurred_at"] == "2025-03-01T00:00:00Z"


@pytest.mark.asyncio
async def test_an_archive_keeps_its_times(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """What another collector received months ago is corrected by its receivedAt, not moved to today."""
    old = {
        **EVENT,
        "originalTimestamp": "2025-08-01T10:00:00Z",
        "sentAt": "2025-08-01T10:01:00Z",
        "receivedAt": "2025-08-01T12:01:00Z",
    }
    batch = {"batch": [old], "sentAt": "2026-01-01T00:00:00Z"}
    event = await stored(client, broker, "/v1/batch", batch)
    assert event["occurred_at"] == "2025-08-01T12:00:00Z"
    assert event["extra"] == {"receivedAt": "2025-08-01T12:01:00Z"}


@pytest.mark.asyncio
async def test_a_receipt_without_its_own_sent_at_corrects_nothing(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """The batch's sentAt is of today and the item's receivedAt of last summer: no pair."""
    old = {**EVENT, "timestamp": "2025-08-01T10:00:00Z", "receivedAt": "2025-08-01T12:01:00Z"}
    batch = {"batch": [old], "sentAt": "2026-01-01T00:00:00Z"}
    assert (await stored(client, broker, "/v1/batch", batch))["occurred_at"] == "2025-08-01T10:00:00Z"


@pytest.mark.asyncio
async def test_a_request_of_years_ago_is_left_alone(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Beyond 400 days the times stay as written, and say so."""
    old = {**EVENT, "timestamp": "2024-01-01T00:00:00Z", "sentAt": "2024-01-01T00:01:00Z"}
    event = await stored(client, broker, "/v1/track", old)
    assert (event["occurred_at"], event["context"]) == ("2024-01-01T00:00:00Z", {"clock": "unreliable"})
