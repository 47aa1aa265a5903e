"""What curl or a server of one's own sends: counted where servers may send, else the sender is told."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.ingest import source_file
from services.ingest.registry import Registry
from shared.testing import FrozenClock, MemoryBroker
from tests.ingest.senders import ENVIRONMENT, SITE, SOURCES, WEBSITE_KEY, events
from tests.ingest.test_app_forms_and_hooks import HOOK, MAIL, signed

CURL = {"user-agent": "curl/8.5.0"}
GOOGLEBOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
FIELDS = {"email": "ann@example.com"}
TRACK = {"type": "track", "event": "Signed Up", "userId": "u1", "writeKey": WEBSITE_KEY}
OK = {"success": True, "accepted": 1, "rejected": 0}


@pytest.fixture
def registry() -> Registry:
    """The sources of all tests, a form that a server may send, and a secret source with a form."""
    text = SOURCES.replace("- id: contact", "- id: contact\n      - id: partner\n        server: true")
    office = "  - id: office\n    access: secret\n    kind: form\n    forms:\n      - id: callback\n"
    return source_file.read(text + office, file="sources.yaml", environment=ENVIRONMENT)


def marked(source: str, reason: str = "user_agent") -> float:
    """Events marked so far."""
    labels = {"source": source, "reason": reason}
    return REGISTRY.get_sample_value("leadscore_ingest_marked_events_total", labels) or 0.0


@pytest.mark.asyncio
@pytest.mark.parametrize("agent", ["curl/8.5.0", "python-requests/2.32.3", GOOGLEBOT["user-agent"]])
@pytest.mark.parametrize("form", ["partner", "callback"])
async def test_a_server_may_send_a_form(
    browser: httpx.AsyncClient, broker: MemoryBroker, form: str, agent: str
) -> None:
    """A form with `server: true`, or of a secret source, is counted whatever program posts it."""
    answer = await browser.post(f"/v1/forms/{form}", data=FIELDS, headers={"user-agent": agent})
    assert (answer.status_code, answer.json()) == (200, OK)
    assert "machine" not in events(broker)[0]


@pytest.mark.asyncio
async def test_another_form_says_what_it_does_not_count(
    browser: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """Kept, marked, and 200 as ever; the answer says why it is not counted and what to write where."""
    answer = await browser.post("/v1/forms/contact", data=FIELDS, headers=CURL)
    (told,) = answer.json()["not_counted"]
    assert (answer.status_code, answer.json()) == (200, {**OK, "not_counted": [told]})
    assert (told["index"], told["reason"]) == (0, "user_agent")
    assert '"curl/8.5.0"' in told["message"]
    assert '"server: true" at form "contact" in sources.yaml' in told["message"]
    assert events(broker)[0]["machine"] == {"reason": "user_agent"}


@pytest.mark.asyncio
async def test_a_crawler_is_no_server(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """What calls itself a bot is one in a form of people's; `server: true` is not offered to it."""
    answer = await browser.post("/v1/forms/contact", data=FIELDS, headers=GOOGLEBOT)
    (told,) = answer.json()["not_counted"]
    assert "crawler" in told["message"]
    assert "server: true" not in told["message"]
    assert events(broker)[0]["machine"] == {"reason": "user_agent"}


@pytest.mark.asyncio
async def test_a_public_key_in_a_program_is_told(browser: httpx.AsyncClient, broker: MemoryBroker) -> None:
    """A single call with the website's key by curl: not counted, and how a server would do it."""
    answer = await browser.post("/v1/track", json=TRACK, headers=CURL)
    (told,) = answer.json()["not_counted"]
    assert answer.status_code == 200
    assert "Use the key of a secret source" in told["message"]
    assert events(broker)[0]["machine"] == {"reason": "user_agent"}


@pytest.mark.asyncio
@pytest.mark.parametrize("said", [{}, {"userAgent": "curl/8.5.0"}, {"userAgent": GOOGLEBOT["user-agent"]}])
async def test_a_secret_key_in_a_program_counts(
    client: httpx.AsyncClient, broker: MemoryBroker, said: dict[str, Any]
) -> None:
    """Servers are programs, and so is what people call a product's API with."""
    item = {"type": "track", "event": "Signed Up", "userId": "u1", "context": said}
    for path, body in (("/v1/track", item), ("/v1/batch", {"batch": [item]})):
        answer = await client.post(path, json=body, headers=CURL)
        assert answer.json() == OK
    assert not any("machine" in event for event in events(broker))


@pytest.mark.asyncio
async def test_a_batch_says_which_items_it_does_not_count(
    browser: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """Counted from 0 over what was sent, rejected neighbours included; ten are named at most."""
    person = {**TRACK, "context": {"userAgent": "Mozilla/5.0"}}
    batch = {"batch": [{}, TRACK, person, {}, *[TRACK] * 20], "writeKey": WEBSITE_KEY}
    answer = await browser.post("/v1/batch", json=batch, headers=CURL)
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["rejected"]) == (200, 22, 2)
    assert [one["index"] for one in told["not_counted"]] == [1, *range(4, 13)]
    assert len(events(broker)) == 22


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/v1/forms/contact", {**FIELDS, "website_url": "spam"}, "honeypot"),
        ("/v1/track", {**TRACK, "context": {"webdriver": True}}, "webdriver"),
    ],
)
async def test_traps_do_not_tell(
    browser: httpx.AsyncClient, broker: MemoryBroker, path: str, body: dict[str, Any], reason: str
) -> None:
    """Who fills the honeypot or drives a browser by remote control is thanked like anybody."""
    answer = await browser.post(path, json=body, headers=CURL)
    assert answer.json() == OK
    assert events(broker)[0]["machine"] == {"reason": reason}


@pytest.mark.asyncio
async def test_who_clicks_in_a_mail_with_a_program_is_a_machine(
    browser: httpx.AsyncClient, broker: MemoryBroker, clock: FrozenClock
) -> None:
    """A webhook's source is secret, but the user agent in it is the reader's; a provider is told nothing."""
    body = (
        f'[{{"email": "a@b.example", "event": "click", "sg_event_id": "e", "timestamp": {MAIL["timestamp"]},'
    )
    body += ' "useragent": "python-requests/2.32"}]'
    answer = await browser.post(HOOK, content=body, headers=signed(body.encode(), clock.now()))
    assert answer.json() == OK
    assert events(broker)[0]["machine"] == {"reason": "user_agent"}


@pytest.mark.asyncio
async def test_marked_events_are_counted_and_logged_once_a_minute(
    browser: httpx.AsyncClient, clock: FrozenClock
) -> None:
    """Each in the metric; a line for a source and reason, the next a minute later."""
    before = marked("forms")
    with capture_logs() as lines:
        for number in range(3):
            await browser.post("/v1/forms/contact", data={**FIELDS, "n": str(number)}, headers=CURL)
        clock.advance(timedelta(minutes=1))
        await browser.post("/v1/forms/contact", data=FIELDS, headers=CURL)
        await browser.post("/v1/track", json=TRACK, headers=CURL)
    assert marked("forms") - before == 4
    told = [(line["event"], line["source"], line["reason"]) for line in lines]
    assert told == [
        ("ingest.marked_events", "forms", "user_agent"),
        ("ingest.marked_events", "forms", "user_agent"),
        ("ingest.marked_events", "website", "user_agent"),
    ]


@pytest.mark.asyncio
async def test_what_kafka_did_not_take_is_not_counted_as_marked(
    browser: httpx.AsyncClient, broker: MemoryBroker
) -> None:
    """A sender repeats what failed, and it is marked then."""
    before = marked("forms")
    broker.away = True
    assert (await browser.post("/v1/forms/contact", data=FIELDS, headers=CURL)).status_code == 503
    assert marked("forms") == before


@pytest.mark.asyncio
async def test_a_browser_is_sent_on_whatever_it_calls_itself(browser: httpx.AsyncClient) -> None:
    """An HTML form by an announced machine goes to the form's page as all do."""
    headers = {**GOOGLEBOT, "accept": "text/html", "origin": SITE}
    answer = await browser.post("/v1/forms/demo-request", data=FIELDS, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SITE}/thanks")
