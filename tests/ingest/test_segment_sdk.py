"""Segment's own Python SDK, unmodified, against the real app on a real port."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI
from prometheus_client import REGISTRY
from segment.analytics import Client

from shared.ids import event_id
from shared.lifecycle import HttpServer
from shared.testing import MemoryBroker
from tests.ingest.senders import PRODUCT_KEY, events
from tests.waiting import until


@pytest_asyncio.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The base URL of the app on a free port."""
    server = HttpServer("ingest", app, host="127.0.0.1", port=0)
    await server.start()
    yield f"http://{server.address}"
    await server.stop()


def turned_away() -> float:
    """Batches answered with 503 so far."""
    labels = {"route": "batch", "status": "503"}
    return REGISTRY.get_sample_value("leadscore_ingest_requests_total", labels) or 0.0


def send(address: str, key: str, *, gzip: bool, errors: list[Exception]) -> None:
    """250 tracks, then one call of every other type; returns when the SDK is done."""
    client = Client(
        key, host=address, gzip=gzip, on_error=lambda error, _batch: errors.append(error), max_retries=2
    )
    traits = {"email": "Ann@EXAMPLE.com", "company": "ACME"}
    for number in range(250):
        client.track("u1", "Signed Up", {"number": number}, message_id=f"m{number}")
    client.identify("u1", traits, anonymous_id="a1")
    client.page("u1", "Docs", "Pricing", {"url": "https://www.example.com/pricing?utm_source=mail"})
    client.screen("u1", "Settings")
    client.group("u1", "g1", {"name": "ACME"})
    client.alias("a1", "u1")
    client.flush()
    client.shutdown()


@pytest.mark.asyncio
@pytest.mark.parametrize("gzip", [True, False])
async def test_everything_the_sdk_sends_arrives(address: str, broker: MemoryBroker, *, gzip: bool) -> None:
    """All six calls in batches, gzip on and off: accepted, in order, under the SDK's message ids."""
    errors: list[Exception] = []
    await asyncio.to_thread(send, address, PRODUCT_KEY, gzip=gzip, errors=errors)
    assert errors == []
    arrived: list[dict[str, Any]] = events(broker)
    tracks, others = arrived[:250], arrived[250:]
    assert [event["event_id"] for event in tracks] == [str(event_id("product", f"m{n}")) for n in range(250)]
    assert [event["name"] for event in others] == [
        "person.identified",
        "page.viewed",
        "screen.viewed",
        "account.joined",
        "person.aliased",
    ]
    identified, page, _, group, alias = others
    assert (identified["email"], identified["anonymous_id"]) == ("Ann@example.com", "a1")
    assert identified["traits"] == {"email": "Ann@EXAMPLE.com", "company": "ACME"}
    assert page["properties"]["name"] == "Pricing"
    assert page["context"]["campaign"] == {"source": "mail"}
    assert (group["account_id"], group["properties"]) == ("g1", {"name": "ACME"})
    assert (alias["previous_id"], alias["user_id"]) == ("a1", "u1")
    assert all(event["context"]["library"]["name"] == "analytics-python" for event in arrived)


@pytest.mark.asyncio
async def test_the_sdk_gives_up_on_a_wrong_key(address: str, broker: MemoryBroker) -> None:
    """A 401 is final: the SDK reports it once per batch and does not send again."""
    errors: list[Exception] = []
    await asyncio.to_thread(send, address, "nobody", gzip=False, errors=errors)
    assert {getattr(error, "status", None) for error in errors} == {401}
    assert broker.records == []


@pytest.mark.asyncio
async def test_the_sdk_survives_kafka_coming_back(
    address: str, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Kafka is away the SDK is told 503 and when to come back; then everything arrives once."""
    # The SDK really waits for as long as it is told: 20 to 40 s are for the world, not for a test.
    monkeypatch.setattr("services.ingest.answers._RETRY_FROM_S", 1)
    monkeypatch.setattr("services.ingest.answers._RETRY_TO_S", 1)
    broker.away = True
    before, told = turned_away(), list[Exception]()
    sending = asyncio.create_task(asyncio.to_thread(send, address, PRODUCT_KEY, gzip=True, errors=told))
    await until(lambda: turned_away() > before)
    broker.away = False
    await sending
    assert told == []
    ids = [event["event_id"] for event in events(broker)]
    assert len(ids) == len(set(ids)) == 255
