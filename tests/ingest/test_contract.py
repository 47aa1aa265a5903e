"""openapi.json tells the truth: the real app answers as it promises, and as it promises only."""

from collections.abc import Sequence
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate
from starlette.routing import Route

from services.ingest import app as http
from services.ingest.limits import Limits
from services.ingest.refusals import GONE, LATER, OURS, STATUS
from services.ingest.settings import IngestSettings
from shared.kafka.publish import Record
from shared.testing import FrozenClock, MemoryBroker
from tests.ingest.contract import DOCUMENT, Described, operation, operations
from tests.ingest.refused_requests import NAMES, address, good, refused
from tests.ingest.senders import PRODUCT_KEY, SITE, SOURCES, events
from tests.ingest.serving import ROOMY, serving

ALL: Final = list(operations())
SENDING: Final = [one for one in ALL if one.sent]
IDS: Final[Any] = lambda one: f"{one.method} {one.path}"  # noqa: E731 - pytest wants a function
# One submit each five seconds, two at once.
FORMS_LIMITED: Final = SOURCES.replace("  - id: forms\n", "  - id: forms\n    limits: {events_per_s: 0.2}\n")


class BrokenBroker(MemoryBroker):
    """A publisher with a bug."""

    async def publish(self, records: Sequence[Record], *, deadline_s: float) -> None:
        raise RuntimeError


def test_the_document_is_valid() -> None:
    """By OpenAPI 3.1's own schema, and every reference in it leads somewhere."""
    validate(DOCUMENT)


def test_every_route_is_in_the_document_and_no_other(app: FastAPI) -> None:
    """The router's paths and methods are the document's; HEAD comes with GET."""
    routes = {
        (method.lower(), route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert routes == {(one.method, one.path) for one in ALL}


def test_every_refusal_is_promised_somewhere() -> None:
    """What no operation promises is told otherwise: of an item of many, of another path, of nobody."""
    promised = {code for one in ALL for code in one.codes()}
    items = set(DOCUMENT["components"]["schemas"]["RejectedItem"]["properties"]["code"]["enum"])
    elsewhere = {"not_found", "method_not_allowed", *GONE}
    assert promised | items | elsewhere == set(STATUS) | set(LATER) | set(OURS)
    assert promised.isdisjoint(elsewhere)


def test_limits_of_the_document_are_those_of_the_settings() -> None:
    """What an operator has who changes nothing."""
    assert IngestSettings().limits() == Limits()


@pytest.mark.asyncio
@pytest.mark.parametrize("one", SENDING, ids=IDS)
async def test_every_example_is_accepted(one: Described) -> None:
    """Sent as it stands in the document, each is answered with 200 and becomes events."""
    for name, body in one.examples().items():
        broker = MemoryBroker()
        async with serving(broker, limits=Limits()) as client:
            answer = await client.post(**good(one, body, FrozenClock().now()))
        assert answer.status_code == 200, (name, answer.text)
        one.check(answer)
        told = answer.json()
        assert told["accepted"] == len(events(broker)) > 0
        assert told["rejected"] == 0, told


@pytest.mark.asyncio
@pytest.mark.parametrize("one", [one for one in ALL if one.method == "get"], ids=IDS)
async def test_every_get_is_answered(one: Described) -> None:
    """With what the document shows; HEAD with the same and no body."""
    async with serving(MemoryBroker()) as client:
        for method in ("GET", "HEAD"):
            answer = await client.request(method, address(one))
            assert answer.status_code == 200
            one.check(answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("one", ALL, ids=IDS)
async def test_every_refusal_is_as_promised(one: Described) -> None:
    """For each code that the document promises there is a request that gets it, with its status and shape."""
    for code in sorted(one.codes()):
        answer = await _refusal(one, code)
        assert answer.json()["code"] == code, (one.path, answer.text)
        one.check(answer)
        assert answer.json()["message"]


async def _refusal(one: Described, code: str) -> httpx.Response:
    broker = BrokenBroker() if code == "internal" else MemoryBroker()
    limits = Limits(read_s=0.05) if code == "slow_body" else ROOMY
    full = code == "unavailable" and one.method == "get"
    async with serving(broker, sources=FORMS_LIMITED, limits=limits, room=0 if full else 64) as client:
        broker.away = code == "unavailable" and not full
        for _ in range(2 if code == "over_limit" else 0):
            await client.request(one.method, **refused(one, code, FrozenClock().now()))
        return await client.request(one.method, **refused(one, code, FrozenClock().now()))


@pytest.mark.asyncio
async def test_a_browser_is_sent_on_as_promised() -> None:
    """The form's other answer: 303 with a Location."""
    one = operation("post", http.FORM_PATH)
    (body,) = one.examples().values()
    async with serving(MemoryBroker()) as client:
        answer = await client.post(address(one), data=body, headers={"accept": "text/html", "origin": SITE})
        parts = {name: (None, value) for name, value in body.items()}
        as_parts = await client.post(address(one), files=parts, headers={"origin": SITE})
    assert (answer.status_code, as_parts.status_code) == (303, 200)
    one.check(answer)
    one.check(as_parts)


@pytest.mark.asyncio
async def test_a_browser_that_has_the_snippet_is_told_so() -> None:
    """304, as promised."""
    one = operation("get", http.SNIPPET_PATH)
    async with serving(MemoryBroker()) as client:
        etag = (await client.get(one.path)).headers["etag"]
        answer = await client.get(one.path, headers={"if-none-match": etag})
    assert answer.status_code == 304
    one.check(answer)


@pytest.mark.asyncio
async def test_a_key_may_be_where_the_document_says() -> None:
    """Each security scheme opens the door, and so does a key in the body."""
    one = operation("post", "/v1/track")
    (body,) = one.examples().values()
    ways: dict[str, dict[str, Any]] = {
        "basic": {"auth": (PRODUCT_KEY, "")},
        "bearer": {"headers": {"authorization": f"Bearer {PRODUCT_KEY}"}},
        "header": {"headers": {"x-write-key": PRODUCT_KEY}},
        "query": {"params": {"writeKey": PRODUCT_KEY}},
    }
    assert [next(iter(way), "") for way in one.says["security"]] == [*ways, ""]
    assert set(DOCUMENT["components"]["securitySchemes"]) == set(ways)
    async with serving(MemoryBroker()) as client:
        for way in ways.values():
            assert (await client.post(one.path, json=body, **way)).status_code == 200
        assert (await client.post(one.path, json={**body, "writeKey": PRODUCT_KEY})).status_code == 200
        assert (await client.post(one.path, json=body)).status_code == 401


@pytest.mark.asyncio
@pytest.mark.parametrize("one", ALL, ids=IDS)
async def test_what_is_told_of_all_paths(one: Described) -> None:
    """Another method is 405, OPTIONS 204 with CORS headers, and a slash at the end makes no difference."""
    async with serving(MemoryBroker()) as client:
        other = await client.request("PUT", address(one))
        asked = await client.options(address(one), headers={"origin": SITE})
        slash = await client.request(one.method, f"{address(one)}/")
    assert (other.status_code, other.json()["code"]) == (405, "method_not_allowed")
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, SITE)
    assert slash.status_code != 404
    assert "not_found" in DOCUMENT["info"]["description"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "one", [one for one in SENDING if one.sent not in {"batch", "form", "webhook"}], ids=IDS
)
async def test_every_field_of_the_document_is_understood(one: Described) -> None:
    """None of the documented fields ends among those that nobody knows."""
    schema = DOCUMENT["components"]["schemas"][one.sent.capitalize()]
    (example,) = one.examples().values()
    values = {"writeKey": PRODUCT_KEY, "name": "n", "category": "c", "traits": {}, "properties": {}}
    times = dict.fromkeys(("timestamp", "originalTimestamp", "sentAt"), "2025-12-31T09:00:00Z")
    body = {
        name: {**times, "context": {}, **values, **example}.get(name, "x") for name in schema["properties"]
    }
    broker = MemoryBroker()
    async with serving(broker) as client:
        answer = await client.post(one.path, json=body)
    assert answer.status_code == 200, answer.text
    assert "extra" not in events(broker)[0]


def test_the_names_of_tests_are_the_parameters() -> None:
    """Every parameter in a path is filled in by these tests."""
    used = {p["name"] for one in ALL for p in one.says.get("parameters", ()) if p["in"] == "path"}
    assert used == set(NAMES)
