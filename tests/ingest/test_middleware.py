"""What every request passes first."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from prometheus_client import REGISTRY

from services.ingest import app as http
from services.ingest.limits import Limits
from services.ingest.middleware import PROBES, Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.registry import Registry
from shared.errors import Transient
from shared.kafka.publish import Record
from shared.testing import FrozenClock, MemoryBroker, SequentialIds
from shared.topics import Topics
from tests.ingest.senders import PRODUCT_KEY, SITE, WEBSITE_KEY
from tests.waiting import until

TRACK = {"event": "a", "userId": "u"}


class HangingBroker(MemoryBroker):
    """A Kafka that does not answer until it is let go; `waiting` publishes hang."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.ill = ""
        self.closing = False
        self.let_go = asyncio.Event()

    async def publish(self, records: Sequence[Record], *, deadline_s: float) -> None:
        self.waiting += 1
        try:
            await asyncio.wait_for(self.let_go.wait(), deadline_s)
        except TimeoutError as error:
            raise Transient("late") from error
        finally:
            self.waiting -= 1

    def trouble(self) -> str:
        return self.ill


@pytest_asyncio.fixture
async def hanging() -> HangingBroker:
    """A Kafka that hangs."""
    return HangingBroker()


@pytest.fixture
def crowded(registry: Registry, hanging: HangingBroker) -> httpx.AsyncClient:
    """An app in front of it that lets twelve in."""
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(hanging, Topics()),
        clock=FrozenClock(),
        ids=SequentialIds(),
        limits=Limits(),
    )
    admission = Admission(max_in_flight=12, trouble=hanging.trouble, closing=lambda: hanging.closing)
    app: FastAPI = http.create(receiver, registry, admission)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://ingest.test", auth=(PRODUCT_KEY, "")
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(("trouble", "inside"), [("", 12), ("Kafka missed the last deadline", PROBES)])
async def test_a_full_house_turns_away_at_once(
    crowded: httpx.AsyncClient, hanging: HangingBroker, trouble: str, inside: int
) -> None:
    """With all places taken the next gets 503 without waiting; in trouble there are only a few places."""
    hanging.ill = trouble
    waiting = [asyncio.create_task(crowded.post("/v1/track", json=TRACK)) for _ in range(inside)]
    await until(lambda: hanging.waiting == inside)
    answer = await crowded.post("/v1/track", json=TRACK)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert 20 <= int(answer.headers["retry-after"]) <= 40
    fetched = [await crowded.get(path) for path in ("/leadscore.js", "/v1/forms/thanks")]
    assert [answer.status_code for answer in fetched] == [200, 200], "the snippet keeps what it cannot send"
    hanging.let_go.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
    assert (await crowded.post("/v1/track", json=TRACK)).status_code == 200


@pytest.mark.asyncio
async def test_the_last_answer_ends_its_connection(
    crowded: httpx.AsyncClient, hanging: HangingBroker
) -> None:
    """About to stop, it goes on answering, and tells each sender to take another connection next time."""
    hanging.let_go.set()
    before = await crowded.post("/v1/track", json=TRACK)
    hanging.closing = True
    answers = [await crowded.post("/v1/track", json=TRACK), await crowded.options("/v1/track")]
    assert "connection" not in before.headers
    assert [(each.status_code, each.headers["connection"]) for each in answers] == [
        (200, "close"),
        (204, "close"),
    ]


@pytest.mark.asyncio
async def test_preflight_of_an_allowed_page(browser: httpx.AsyncClient) -> None:
    """Browser SDKs ask before they send: methods, headers, a day."""
    asks = {
        "origin": SITE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    answer = await browser.options("/v1/t", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "86400"


@pytest.mark.asyncio
async def test_preflight_of_a_foreign_page(browser: httpx.AsyncClient) -> None:
    """A page that no source lists is told nothing, and its browser stops there."""
    answer = await browser.options("/v1/t", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.asyncio
async def test_pages_may_read_answers_also_errors(browser: httpx.AsyncClient) -> None:
    """An SDK that cannot read a 401 takes it for a network fault and retries."""
    good = await browser.post("/v1/t", json={**TRACK, "writeKey": WEBSITE_KEY}, headers={"origin": SITE})
    bad = await browser.post("/v1/t", json={**TRACK, "writeKey": "x"}, headers={"origin": SITE})
    assert [answer.status_code for answer in (good, bad)] == [200, 401]
    assert [answer.headers["access-control-allow-origin"] for answer in (good, bad)] == [SITE, SITE]
    assert good.headers["vary"] == "Origin"
    packed = await browser.get("/leadscore.js", headers={"origin": SITE})
    assert {one.strip() for one in packed.headers["vary"].split(",")} == {"Accept-Encoding", "Origin"}


@pytest.mark.asyncio
async def test_requests_are_counted_by_route_and_status(client: httpx.AsyncClient) -> None:
    """Routes are a closed set: what is none of them is `other`, whatever its path."""

    def count(route: str, status: str) -> float:
        labels = {"route": route, "status": status}
        return REGISTRY.get_sample_value("leadscore_ingest_requests_total", labels) or 0.0

    before = count("track", "200"), count("track", "400"), count("other", "404")
    await client.post("/v1/t", json=TRACK)
    await client.post("/v1/track", json={})
    await client.post("/v1/whatever/ann@example.com")
    assert (count("track", "200"), count("track", "400"), count("other", "404")) == tuple(
        n + 1 for n in before
    )


@pytest.mark.asyncio
async def test_events_are_counted_by_source_and_code(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Accepted and rejected are counted once Kafka has them, and not while it has not."""

    def counts() -> list[float]:
        return [
            REGISTRY.get_sample_value("leadscore_ingest_accepted_events_total", {"source": "product"}) or 0,
            REGISTRY.get_sample_value(
                "leadscore_ingest_rejected_events_total", {"source": "product", "code": "unknown_type"}
            )
            or 0,
            REGISTRY.get_sample_value(
                "leadscore_ingest_rejected_events_total", {"source": "unknown", "code": "unauthorized"}
            )
            or 0,
        ]

    batch = {"batch": [{**TRACK, "type": "track"}, {**TRACK, "type": "track"}, {"type": "x"}]}
    before = counts()
    broker.away = True
    await client.post("/v1/batch", json=batch)
    assert counts() == before
    broker.away = False
    await client.post("/v1/batch", json=batch)
    await client.post("/v1/batch", json=batch, auth=("nobody", ""))
    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [2, 1, 1]
