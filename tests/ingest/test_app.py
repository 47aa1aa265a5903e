"""Requests as senders make them, and what they are told."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from shared.testing import MemoryBroker
from tests.ingest.senders import LIMITED_KEY, PRODUCT_KEY, SITE, WEBSITE_KEY, events, rejected

TRACK = {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1"}
OK = {"success": True, "accepted": 1, "rejected": 0}


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """A body that httpx sends without Content-Length."""
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/track", "Signed Up"),
        ("/v1/t", "Signed Up"),
        ("/v1/identify", "person.identified"),
        ("/v1/i", "person.identified"),
        ("/v1/page", "page.viewed"),
        ("/v1/p", "page.viewed"),
        ("/v1/screen", "screen.viewed"),
        ("/v1/s", "screen.viewed"),
        ("/v1/group", "account.joined"),
        ("/v1/g", "account.joined"),
        ("/v1/alias", "person.aliased"),
        ("/v1/a", "person.aliased"),
        ("/v1/track/", "Signed Up"),
    ],
)
async def test_single_calls(client: httpx.AsyncClient, broker: MemoryBroker, path: str, name: str) -> None:
    """Every call, its short form, and a trailing slash: exactly 200 with a small JSON body."""
    answer = await client.post(path, json={**TRACK, "groupId": "g", "previousId": "p"})
    assert (answer.status_code, answer.json()) == (200, OK)
    assert answer.headers["content-type"] == "application/json"
    assert [event["name"] for event in events(broker)] == [name]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/beacon/v1/batch", "/v1/batch/"])
async def test_batches(client: httpx.AsyncClient, broker: MemoryBroker, path: str) -> None:
    """Every way to a batch; items come out in their order, with the batch's context."""
    batch = [{**TRACK, "messageId": str(number), "userId": f"u{number}"} for number in range(3)]
    answer = await client.post(path, json={"batch": batch, "context": {"locale": "de-DE"}})
    assert (answer.status_code, answer.json()) == (200, {"success": True, "accepted": 3, "rejected": 0})
    assert [event["user_id"] for event in events(broker)] == ["u0", "u1", "u2"]
    assert [event["context"] for event in events(broker)] == [{"locale": "de-DE"}] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "nonsense", None],
)
@pytest.mark.parametrize("packed", [True, False])
async def test_content_type_is_never_asked(
    client: httpx.AsyncClient, broker: MemoryBroker, content_type: str | None, *, packed: bool
) -> None:
    """RudderStack labels gzipped JSON as a form, Segment's browser SDK sends it as text."""
    body = json.dumps({"batch": [TRACK]}).encode()
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post("/v1/batch", content=gzip.compress(body) if packed else body, headers=headers)
    assert answer.json() == OK
    assert len(events(broker)) == 1


@pytest.mark.asyncio
async def test_no_content_length(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Chunked bodies are read to their end."""
    answer = await client.post("/v1/batch", content=in_chunks(json.dumps({"batch": [TRACK]}).encode()))
    assert answer.json() == OK
    assert len(events(broker)) == 1


@pytest.mark.asyncio
async def test_a_bad_item_costs_only_itself(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Its neighbours are accepted; it is named in the answer and kept with its bytes and the reason."""
    batch = [
        json.dumps(TRACK).encode(),
        b'{"type":"charge"}',
        b"7",
        b'{"type":"track","userId":"u1","event":"\xff"}',
        b'{"type":"track","event":"nobody"}',
        json.dumps({**TRACK, "messageId": "m2"}).encode(),
    ]
    answer = await client.post("/v1/batch", content=b'{"batch":[' + b",".join(batch) + b"]}")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (2, 4)
    codes = ["unknown_type", "not_an_object", "invalid_json", "no_identity"]
    assert [(error["index"], error["code"]) for error in told["errors"]] == list(
        zip([1, 2, 3, 4], codes, strict=True)
    )
    kept = rejected(broker)
    assert [(record["index"], record["code"]) for record in kept] == list(
        zip([1, 2, 3, 4], codes, strict=True)
    )
    assert base64.b64decode(str(kept[2]["raw"])) == batch[3]
    assert {(record["source"], record["step"]) for record in kept} == {("product", "validate")}
    assert len(events(broker)) == 2


@pytest.mark.asyncio
async def test_an_answer_names_ten_errors_at_most(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """All are kept, ten are told."""
    answer = await client.post("/v1/batch", json={"batch": [{}] * 12})
    assert (answer.status_code, answer.json()["rejected"], len(answer.json()["errors"])) == (200, 12, 10)
    assert len(rejected(broker)) == 12


@pytest.mark.asyncio
async def test_an_empty_batch_is_fine(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Nothing sent, nothing accepted, nothing wrong."""
    answer = await client.post("/v1/batch", json={"batch": []})
    assert answer.json() == {"success": True, "accepted": 0, "rejected": 0}
    assert broker.records == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/track", b'{"event":', 400, "invalid_json"),
        ("/v1/track", b"", 400, "invalid_json"),
        ("/v1/track", b"event=a&userId=1", 400, "invalid_json"),
        ("/v1/track", b"[1]", 400, "not_an_object"),
        ("/v1/track", b'{"event":"a"}', 400, "no_identity"),
        ("/v1/track", b'{"userId":"u"}', 400, "no_name"),
        ("/v1/track", b'{"event":"a","userId":{}}', 400, "invalid_id"),
        ("/v1/track", b'{"event":"a","userId":"u","timestamp":"soon"}', 400, "invalid_time"),
        ("/v1/track", b'{"event":"a","userId":"u","properties":7}', 400, "invalid_field"),
        ("/v1/track", b'{"event":"a","userId":"u","p":"' + b"x" * 33_000 + b'"}', 413, "too_large"),
        ("/v1/track", b'{"event":"a","userId":"u","p":' + b"[" * 40 + b"]" * 40 + b"}", 400, "too_deep"),
        (
            "/v1/track",
            b'{"event":"a","userId":"u","p":' + b"[" * 9000 + b"]" * 9000 + b"}",
            400,
            "invalid_json",
        ),
        ("/v1/batch", b"{}", 400, "invalid_batch"),
        ("/v1/batch", b'{"batch":[' + b"1," * 2500 + b"1]}", 413, "too_many_events"),
        ("/v1/batch", b"x" * 600_000, 413, "too_large"),
        ("/v1/batch", gzip.compress(b" " * 5_000_000), 413, "too_large"),
        ("/v1/batch", b"\x1f\x8b\x08nonsense", 400, "invalid_gzip"),
    ],
)
async def test_refused_requests_say_why_and_are_kept(  # noqa: PLR0917 - a table has columns
    client: httpx.AsyncClient, broker: MemoryBroker, path: str, body: bytes, status: int, code: str
) -> None:
    """A status that stops the sender, `code` and `message`, and the bytes on the rejected topic."""
    answer = await client.post(path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    (kept,) = rejected(broker)
    assert (kept["code"], kept["step"], kept["source"]) == (code, "receive", "product")
    raw = base64.b64decode(str(kept["raw"]))
    assert raw == body[: len(raw)]
    assert len(raw) == min(len(body), 32 * 1024)
    assert events(broker) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
async def test_unknown_keys_are_401(browser: httpx.AsyncClient, broker: MemoryBroker, path: str) -> None:
    """In a header or in the body; nothing of it is kept, since anybody could fill the topic."""
    body = {**TRACK, "batch": [TRACK]}
    for request in (
        {"auth": ("nobody", ""), "json": body},
        {"json": {**body, "writeKey": "nobody"}},
        {"json": body},
    ):
        answer = await browser.post(path, **request)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.json()["message"]
    assert broker.records == []


@pytest.mark.asyncio
async def test_key_in_the_body(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """A beacon has no headers: the key travels inside, and goes no further."""
    await browser.post("/v1/batch", json={"batch": [TRACK], "writeKey": WEBSITE_KEY})
    await browser.post("/v1/t", json={**TRACK, "writeKey": WEBSITE_KEY})
    await browser.post(f"/beacon/v1/batch?writeKey={WEBSITE_KEY}", json={"batch": [TRACK]})
    assert [event["source"] for event in events(broker)] == ["website"] * 3
    assert not any(WEBSITE_KEY.encode() in record.value for record in broker.records)


@pytest.mark.asyncio
async def test_unknown_fields_are_kept(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """What we do not know today somebody may need tomorrow."""
    await client.post("/v1/track", json={**TRACK, "channel": "server", "context": {"app": {"build": 7}}})
    (event,) = events(broker)
    assert event["extra"] == {"channel": "server"}
    assert event["context"] == {"app": {"build": 7}}


@pytest.mark.asyncio
async def test_an_event_is_a_cloudevent_in_its_persons_partition(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """The record's key is the person, its headers are CloudEvents attributes."""
    await client.post("/v1/track", json=TRACK)
    (record,) = broker.records
    assert record.key == b"product:u1"
    assert dict(record.headers)["ce_type"] == b"Signed Up"


@pytest.mark.asyncio
async def test_kafka_away_is_503_with_retry_after(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """Never a 200 before the ack, whatever was sent; whole seconds to wait, since SDKs read no others."""
    broker.away = True
    for path, body in (
        ("/v1/track", TRACK),
        ("/v1/batch", {"batch": [TRACK, {}]}),
        ("/v1/track", {}),
        ("/v1/forms/contact", {"email": "a@example.com"}),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.json()["message"]
        assert 20 <= int(answer.headers["retry-after"]) <= 40
    broker.away = False
    assert (await client.post("/v1/track", json=TRACK)).status_code == 200
    assert len(broker.records) == 1


@pytest.mark.asyncio
async def test_too_fast_is_429(client: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """A source above its limit is told when to come back, and nothing is counted as lost."""
    answers = [await client.post("/v1/track", json=TRACK, auth=(LIMITED_KEY, "")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "over_limit"
    assert answers[2].headers["retry-after"] == answers[2].headers["x-ratelimit-reset"] == "5"
    assert len(broker.records) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/v1/batch", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
    ],
)
async def test_wrong_addresses_have_code_and_message(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """The framework's own errors look like ours."""
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/capture", "PostHog"),
        ("/i/v0/e/", "PostHog"),
        ("/v1/events", "CloudEvents"),
        ("/", "CloudEvents"),
        ("/batch", "/v1"),
        ("/tracks", "POST /v1/batch"),
    ],
)
async def test_a_wrong_path_is_told_what_would_work(client: httpx.AsyncClient, path: str, says: str) -> None:
    """Clients of other products, and people who mistype, read what to do instead."""
    message = (await client.post(path, json={})).json()["message"]
    assert says in message
    assert "/v1/track" in message


@pytest.mark.asyncio
async def test_settings_for_segments_browser_sdk(browser: httpx.AsyncClient) -> None:
    """analytics.js boots from us instead of a CDN, and then sends to us."""
    answer = await browser.get(f"/v1/projects/{WEBSITE_KEY}/settings", headers={"origin": SITE})
    segment: dict[str, Any] = answer.json()["integrations"]["Segment.io"]
    assert segment == {"apiKey": WEBSITE_KEY, "apiHost": "ingest.test/v1", "protocol": "http"}
    assert answer.headers["access-control-allow-origin"] == SITE
    assert (await browser.get("/v1/projects/nobody/settings")).status_code == 401


@pytest.mark.asyncio
async def test_basic_auth_is_segments(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """`base64(key:)` in the Authorization header, as every SDK of Segment's sends it."""
    credential = base64.b64encode(f"{PRODUCT_KEY}:".encode()).decode()
    answer = await browser.post("/v1/track", json=TRACK, headers={"authorization": f"Basic {credential}"})
    assert answer.json() == OK
    assert events(broker)[0]["source"] == "product"


@pytest.mark.asyncio
async def test_a_list_may_begin_with_a_byte_order_mark(
    client: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """Some editors and .NET write one."""
    body = b"\xef\xbb\xbf" + json.dumps([{"type": "track", "event": "a", "userId": "u"}]).encode()
    assert (await client.post("/v1/batch", content=body)).status_code == 200
    assert len(events(broker)) == 1


@pytest.mark.asyncio
async def test_a_wrong_path_with_broken_words_is_404(app: FastAPI) -> None:
    """What scanners send is no fault of ours."""
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "GET", "path": "/nope", "query_string": b"\xff", "headers": []}
    await app({**scope, "http_version": "1.1", "scheme": "http", "server": ("i", 80)}, receive, send)
    assert answers[0]["status"] == 404
