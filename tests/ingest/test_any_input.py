"""Whatever JSON comes, the answer is one of ours and the accepted is readable: never a 500."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest import app as http
from services.ingest import source_file
from services.ingest.limits import Limits
from services.ingest.middleware import Admission
from services.ingest.publish import ParcelPublisher
from services.ingest.receive import Receiver
from services.ingest.refusals import STATUS
from shared import codec
from shared.testing import FrozenClock, MemoryBroker, SequentialIds
from shared.topics import Topics
from tests.ingest.contract import operation
from tests.ingest.senders import ENVIRONMENT, PRODUCT_KEY, SOURCES

WORDS = [
    *("type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "originalTimestamp"),
    *(
        "traits",
        "properties",
        "context",
        "page",
        "campaign",
        "url",
        "referrer",
        "email",
        "groupId",
        "consent",
    ),
    *("previousId", "integrations", "ip", "userAgent", "writeKey", "name", "batch", "categoryPreferences"),
]
VALUES = [
    *("track", "identify", "page", "group", "alias", "u1", "a@example.com", "2026-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59-14:00", "\x00", "https://x.example/?utm_source=a&gclid=1", "http://[", "null", ""),
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(VALUES)
    | st.text(max_size=20)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=8)
    ),
    max_leaves=30,
)
ITEMS = st.dictionaries(st.sampled_from(WORDS), TREES, max_size=12)


async def post(path: str, body: bytes) -> tuple[httpx.Response, MemoryBroker]:
    """The answer to one request, and what was published for it."""
    broker = MemoryBroker()
    await broker.start()
    registry = source_file.read(SOURCES, file="sources.yaml", environment=ENVIRONMENT)
    receiver = Receiver(
        registry=registry,
        parcels=ParcelPublisher(broker, Topics()),
        clock=FrozenClock(),
        ids=SequentialIds(),
        limits=Limits(),
    )
    app = http.create(receiver, registry, Admission(max_in_flight=64, trouble=broker.trouble))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://ingest.test", auth=(PRODUCT_KEY, "")
    ) as client:
        return await client.post(path, content=body), broker


def check(path: str, body: bytes) -> None:
    """The answer is one that openapi.json promises here, and what was accepted can be read back."""
    answer, broker = asyncio.run(post(path, body))
    described = "/v1/forms/{form}" if path.startswith("/v1/forms/") else path
    operation("post", described).check(answer)
    told: dict[str, Any] = answer.json()
    if answer.status_code == 200:
        assert told["success"] is True
        assert told["accepted"] == len(broker.on(Topics().events))
        assert told["rejected"] == len(broker.on(Topics().rejected))
    else:
        assert STATUS[told["code"]] == answer.status_code
        assert told["message"]
    for record in broker.on(Topics().events):
        event = codec.decode(record.value)
        assert event.user_id or event.anonymous_id or event.email
        assert event.occurred_at <= event.received_at
        assert b"\\u0000" not in record.value


@pytest.mark.parametrize(
    "path",
    ["/v1/track", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias", "/v1/forms/contact"],
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item=ITEMS)
def test_any_object_gets_an_answer(path: str, item: dict[str, Any]) -> None:
    """Every shape under every known name, as a single call and as a form."""
    check(path, msgspec.json.encode(item))


@settings(max_examples=60)
@given(items=st.lists(ITEMS | TREES, max_size=5), context=TREES, sent=LEAVES)
def test_any_batch_gets_an_answer(items: list[Any], context: Any, sent: Any) -> None:
    """Every shape in every place of a batch; a bad item is only itself bad."""
    check("/v1/batch", msgspec.json.encode({"batch": items, "context": context, "sentAt": sent}))


@settings(max_examples=100)
@given(body=st.binary(max_size=200), path=st.sampled_from(["/v1/batch", "/v1/t", "/v1/forms/contact"]))
def test_any_bytes_get_an_answer(body: bytes, path: str) -> None:
    """Noise is refused with a code, never with a crash."""
    check(path, body)
